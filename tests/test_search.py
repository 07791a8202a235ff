"""Search and equality: the service's keys, and the index on the engine at hand."""

import itertools
import json
import random
import sys
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import marshmallow
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import migrations
from chalicelib.customers import erasure, lists, schemas
from chalicelib.customers.fields import CUSTOMERS, MAX_KEY, email_key, search_key
from chalicelib.customers.lists import Query
from chalicelib.customers.problems import EmailTaken
from chalicelib.customers.queries import GetCustomers
from chalicelib.database import Database
from chalicelib.http import creates, updates, values
from chalicelib.http import queries as http_queries
from chalicelib.http.fields import Text
from chalicelib.http.folding import fold
from chalicelib.http.formats import Email
from chalicelib.http.preconditions import Intent
from chalicelib.http.problems import ValidationError
from tests.api import ADA
from tests.recorded import Recorded
from tests.test_migrations import apply, new_database

__all__ = ["new_database"]  # a fixture

Connect = Callable[[], Database]
Customer = dict[str, Any]

KEY = b"signs the cursors"
KEYS = ("name_key", "family_name_key", "company_name_key")

# --- keys -------------------------------------------------------------------------------------

ALIKE = [
    ("Łukasz", "Lukasz"),
    ("Ørjan", "Orjan"),
    ("Đặng", "Dang"),
    ("Ðorđe", "dorde"),
    ("Groß", "GROSS"),
    ("GROẞ", "gross"),
    ("Işık", "ISIK"),
    ("İstanbul", "istanbul"),
    ("Æther", "aether"),
    ("Œuvre", "OEUVRE"),
    ("Þór", "thor"),
    ("Ħal", "hal"),
    ("Zoë", "Zoe\u0308"),
    ("ΝΊΚΟΣ", "νικος"),
    ("ᾳ", "Α"),
    ("Ёлка", "елка"),
    ("ﬁnance", "FINANCE"),
    ("Ａｄａ", "ada"),
    ("ヤマダ", "やまだ"),
    ("ﾔﾏﾀﾞ", "やまだ"),
    ("山田 太郎", "山田太郎"),
    ("山田\u3000太郎", "山田太郎"),
    ("김 철수", "김철수"),
    ("O\u2019Neil", "O'Neil"),
    ("Smith\u2011Jones", "smith-jones"),
    ("Ada  Lovelace", "ada lovelace"),
    ("\u2764\ufe0f", "\u2764"),
    ("علی\u200cرضا", "علیرضا"),
]


@pytest.mark.parametrize(("text", "other"), ALIKE)
def test_texts_have_the_same_search_key(text: str, other: str) -> None:
    assert search_key(text) == search_key(other) != ""


@pytest.mark.parametrize(
    ("text", "other"),
    [
        *[("Ada", "Ado"), ("Ada Lovelace", "AdaLovelace"), ("Łukasz", "Wukasz")],
        *[("Café☕", "Café🍕"), ("😀", "😁"), ("山田", "山口"), ("김", "기"), ("का", "कि")],
        *[("山田 Taro", "山田Taro"), ("\U0002000b", "\U0002000c")],
    ],
)
def test_texts_have_different_search_keys(text: str, other: str) -> None:
    assert search_key(text) != search_key(other)


def test_ascii_takes_the_same_form_on_both_paths() -> None:
    text = "".join(map(chr, range(0x21, 0x7F)))

    assert search_key(text) == fold(text, MAX_KEY)
    assert search_key("a  B") == fold("a  B", MAX_KEY) == "a b"
    assert fold("Ada Lovelace", 5) == "ada lo"
    assert email_key(text) == email_key(text + "é")[:-1]


LETTERS = st.one_of(
    st.sampled_from("aZßøŁıİÆςΣᾳé\u0301\u0308 \u3000-'’山田김기カﾞ☕🍕😀\U0002000b\u200d\ufe0fक्षि"),
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")),
)


@given(st.text(LETTERS, max_size=20))
@example("山田 太郎")
@example("a\u3000\u0301b")
def test_key_of_each_beginning_is_the_beginning_of_the_key(text: str) -> None:
    stored = Text(300).deserialize(text) if is_valid(text) else "-"
    for end in range(1, len(stored) + 1):
        assert search_key(stored).startswith(search_key(stored[:end].strip()))


def is_valid(text: str) -> bool:
    try:
        Text(300).deserialize(text)
    except marshmallow.ValidationError:
        return False
    return True


@given(st.text(LETTERS, max_size=20))
def test_keys_don_t_change_when_they_are_made_twice(text: str) -> None:
    assert search_key(search_key(text)) == search_key(text)
    assert email_key(email_key(text)) == email_key(text)


@pytest.mark.parametrize("length", [300, 500])
def test_keys_fit_into_their_columns(length: int) -> None:
    """Some characters become up to 18."""
    for letter in ("ﷺ", "a", "ß", "山", "🍕"):
        assert len(search_key(letter * length)) <= MAX_KEY


@pytest.mark.parametrize(
    "text",
    [
        *("ﷺ" * 300, "a b" * 200, "a" + "\u0301" * 20 + "b" * 400, "¨" * 300 + "ab" * 200),
        *("山 " * 300, "ß" * 300, "각" * 300, "a \u3000 " * 200, "\u200d" * 250 + "क" * 300),
    ],
)
def test_key_of_a_long_text_is_the_beginning_of_the_folded_text(text: str) -> None:
    """`fold` ends early, because a character can become 18."""
    assert search_key(text) == fold(text, 100_000)[:MAX_KEY].rstrip()


@pytest.mark.exhaustive
def test_email_keys_fit_into_their_column() -> None:
    """`email_key` has 512 characters: folding never makes more characters than bytes."""
    for code in itertools.chain(range(0x20, 0xD800), range(0xE000, sys.maxunicode + 1)):
        assert len(email_key(chr(code))) <= len(chr(code).encode())
    with pytest.raises(marshmallow.ValidationError):
        Email().deserialize("ﬃ" * 90 + "@example.com")  # its limit of 254 is one of bytes


# --- search on the engine ---------------------------------------------------------------------


def load(**parameters: str) -> Query:
    given_values = {name: [value] for name, value in parameters.items()}
    return lists.combine(**http_queries.load(GetCustomers, given_values))


def search(database: Database, **parameters: str) -> list[Customer]:
    page = lists.page(database, load(limit="100", **parameters), KEY)
    found: list[Customer] = json.loads(page.items)
    return found


def add(database: Database, number: int = 0, **fields: Any) -> Customer:
    fields = {"email": f"c{number}@example.com"} | fields
    new = schemas.load_customer({"given_name": None, "family_name": None, **ADA, **fields})
    return creates.create(database, CUSTOMERS, new).items[0]


FOUND = [
    ({"company_name": "Café☕ Wien"}, ["cafe", "café☕", "CAFÉ☕ W"], ["cafe🍕", "wien"]),
    ({"company_name": "Café🍕 Wien"}, ["cafe", "café🍕", "cafe🍕 wien"], ["café☕"]),
    ({"company_name": "Party🎉"}, ["party", "party🎉"], ["🎉", "pizza"]),
    ({"company_name": "🍕 pizza"}, ["🍕", "🍕 P"], ["pizza", "🎉"]),
    ({"given_name": "Łukasz"}, ["Lukasz", "łuk"], []),
    ({"given_name": "Ørjan"}, ["Orjan", "ørj"], []),
    ({"family_name": "Đặng"}, ["Dang", "đặ"], []),
    ({"family_name": "Groß"}, ["GROSS", "gros", "groß"], ["grot"]),
    ({"given_name": "Işık"}, ["ISIK", "isik", "ışık"], []),
    ({"given_name": None, "family_name": "王"}, ["王"], ["玉"]),
    ({"family_name": "김", "given_name": "철수"}, ["김", "김철수", "김 철수", "철수 김"], ["철김"]),
    (
        {"family_name": "山田", "given_name": "太郎"},
        ["山田太郎", "山田 太郎", "山田\u3000太郎", "太郎 山田", "太郎山田", "山", "太", "山田太"],
        ["田", "太田"],
    ),
    ({"family_name": "Kovács", "given_name": "János"}, ["kovacs j", "Janos Kov"], ["kovacsj"]),
    ({"family_name": "\U0002000b\U0002000c"}, ["\U0002000b"], ["\U0002000c"]),
    ({"given_name": "a\ud7fb"}, ["a\ud7fb"], []),  # the last character before the surrogates
]


@pytest.mark.parametrize(("fields", "found", "not_found"), FOUND)
def test_search_finds_names(
    database: Recorded, fields: dict[str, Any], found: list[str], not_found: list[str]
) -> None:
    customer = add(database, **fields)

    assert {q: [item["id"] for item in search(database, q=q)] for q in found} == {
        q: [customer["id"]] for q in found
    }
    assert {q: search(database, q=q) for q in not_found} == {q: [] for q in not_found}


@pytest.mark.parametrize("q", ["a", "Ø", "я", "ب", "क", "\u0301a", "Ａ", "7"])
def test_search_for_one_letter_is_rejected(q: str) -> None:
    with pytest.raises(ValidationError) as caught:
        load(q=q)
    assert [error["code"] for error in caught.value.errors] == ["too-short"]


@pytest.mark.parametrize("q", ["王", "김", "か", "ｱ", "🎉", "☕", "ab", "я1", "ß"])
def test_search_for_one_ideograph_or_two_letters_is_accepted(q: str) -> None:
    assert load(q=q).q == q


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("ab", "ac"),
        ("a~", "a\x7f"),
        ("\ud7ff", "\ue000"),  # no surrogates
        ("\uffff", "\U00010000"),
        ("a\U0010ffff\U0010ffff", "b"),
        ("\U0010ffff", "\U0010ffff" * 256),
    ],
)
def test_range_of_a_prefix_ends_before_the_next_text(prefix: str, end: str) -> None:
    assert lists._end_of_prefix(prefix) == end


WORDS = (
    *(
        "Café☕",
        "Café🍕",
        "Cafe",
        "Wien",
        "Party🎉",
        "😀",
        "😀😁",
        "\U0002000b山",
        "山田",
        "太郎",
        "山",
    ),
    *("Łukasz", "Lukas", "Ørjan", "Đặng", "Groß", "Gross", "Işık", "ISIK", "a%b", "a_b", "a!b"),
    *(
        "김",
        "철수",
        "기",
        "O’Neil",
        "O'Neil",
        "ヤマダ",
        "やまだ",
        "ЖУК",
        "жук",
        "é",
        "z\U0010fffd",
        "~~",
    ),
    *(
        "\uffee",
        "\ud7a3\ud7a3",
        "\ue000\ue000",
        "ﬁn",
        "fi",
        "İi",
        "ii",
        "100%",
        "က",
        "\U0001f9d1\u200d\U0001f680",
    ),
)


@pytest.mark.exhaustive
def test_prefixes_find_what_a_full_scan_finds(database: Recorded) -> None:
    """Also on characters beyond U+FFFF, whose weights the collations of the engines lack."""
    customers = list(random_customers(400))
    creates.create_all(database, CUSTOMERS, customers[:100])
    for start in range(100, 400, 100):
        creates.create_all(database, CUSTOMERS, customers[start : start + 100])
    texts = sorted({text for customer in customers for text in texts_of(customer)})
    prefixes = {text[:end].strip() for text in texts for end in range(1, 9)}
    prefixes = {q for q in prefixes if len(search_key(q)) > 1}
    sample = random.Random(17).sample(sorted(prefixes), 200)  # noqa: S311

    wrong = [q for q in sample if found_by_index(database, q) != scanned(customers, q)]

    assert wrong == []


def random_customers(size: int) -> Iterable[Customer]:
    chance = random.Random(16)  # noqa: S311
    for number in range(size):
        given_name, family_name = chance.choice(WORDS), chance.choice((None, *WORDS))
        company = " ".join(chance.choices(WORDS, k=2)) if chance.random() < 0.4 else None
        yield schemas.load_customer(
            {
                "email": f"c{number}@example.com",
                "given_name": given_name,
                "family_name": family_name,
                "company_name": company,
            }
        )


def texts_of(customer: Customer) -> list[str]:
    names = [name for name in (customer["given_name"], customer["family_name"]) if name]
    texts = [" ".join(names), " ".join(reversed(names)), customer["company_name"]]
    return [text for text in texts if text]


def found_by_index(database: Database, q: str) -> set[str]:
    query, emails = Query(q=q, limit=100, fields=("email",)), set[str]()
    while True:
        page = lists.page(database, query, KEY)
        emails |= {item["email"] for item in json.loads(page.items)}
        if page.cursor is None:
            return emails
        query = query._replace(cursor=page.cursor)


def scanned(customers: list[Customer], q: str) -> set[str]:
    """Return who has a text that begins with q, or whose key begins with q's key."""
    return {
        customer["email"]
        for customer in customers
        for text in (*texts_of(customer), customer["email"])
        if text.startswith(q) or search_key(text).startswith(search_key(q))
    }


# --- keys of customers ------------------------------------------------------------------------


def stored_keys(database: Database) -> list[tuple[object, ...]]:
    rows = database.fetch_all("SELECT name_key, family_name_key, company_name_key FROM customers")
    return [tuple(row[name] for name in KEYS) for row in rows]


def test_updates_change_the_keys(database: Recorded) -> None:
    customer = add(database, given_name="Ada", family_name="Lovelace", company_name="Zoë")
    customer_id = UUID(customer["id"])
    assert stored_keys(database) == [("ada lovelace", "lovelace ada", "zoe")]

    for fields, keys in (
        ({"family_name": "Byron"}, ("ada byron", "byron ada", "zoe")),
        ({"given_name": None}, ("byron", None, "zoe")),
        ({"company_name": None}, ("byron", None, None)),
        ({"given_name": "Łu", "family_name": None}, ("lu", None, None)),
        ({"status": "inactive"}, ("lu", None, None)),
    ):
        change(database, customer_id, fields)
        assert stored_keys(database) == [keys]


def change(database: Database, customer_id: UUID, fields: Customer) -> None:
    updates.change(database, CUSTOMERS, customer_id, lambda now: now | fields, Intent(None, b""))


def test_erasure_empties_the_keys(database: Recorded) -> None:
    customer = add(database, company_name="Zoë")
    assert None not in stored_keys(database)[0]

    erasure.erase(database, UUID(customer["id"]), Intent(None, b""))

    assert stored_keys(database) == [(None, None, None)]
    assert database.fetch_all("SELECT id FROM customers WHERE email_key IS NOT NULL") == []


def test_update_without_changes_does_not_fill_keys(database: Recorded) -> None:
    """A row that earlier code wrote lacks keys. A PUT of the same values creates no version."""
    customer = add(database)
    database.execute("UPDATE customers SET name_key = NULL")
    fields = {name: customer[name] for name in CUSTOMERS.writable}

    written = updates.replace(
        database, CUSTOMERS, UUID(customer["id"]), lambda _: fields, Intent([1], b"")
    )

    assert written["version"] == 1


# --- email addresses --------------------------------------------------------------------------

EQUAL = [
    ("νίκος.παππάς1@example.gr", "ΝΊΚΟΣ.ΠΑΠΠΆΣ1@example.gr"),
    ("Ada@example.com", "aDA@EXAMPLE.com"),
    ("straße@example.com", "STRASSE@example.com"),
    ("zoë@example.com", "ZOE\u0308@example.com"),
]


@pytest.mark.parametrize(("email", "other"), EQUAL)
def test_equal_email_addresses_conflict(database: Recorded, email: str, other: str) -> None:
    customer = add(database, email=email)

    with pytest.raises(EmailTaken):
        add(database, email=other)
    for text in (email, other):
        assert [item["id"] for item in search(database, email=text)] == [customer["id"]]
        assert [item["id"] for item in search(database, q=text)] == [customer["id"]]


@pytest.mark.parametrize(("email", "other"), EQUAL)
def test_equal_email_addresses_conflict_in_a_batch(email: str, other: str) -> None:
    items = [{"email": text, "given_name": "Ada"} for text in (email, other)]

    with pytest.raises(ValidationError):
        schemas.load_batch({"items": items})


def test_different_email_addresses_don_t_conflict(database: Recorded) -> None:
    for number, email in enumerate(("zoe@example.com", "zoë@example.com", "øa@example.com")):
        add(database, number, email=email)


# --- existing customers -----------------------------------------------------------------------


def insert_as_before(database: Database, number: int, **fields: str | None) -> None:
    """Create a customer as the code before the keys did."""
    email = fields.get("email") or f"c{number}@example.com"
    database.execute(
        "INSERT INTO customers (id, version, status, email, email_key, given_name, family_name,"
        " company_name, addresses, metadata, updated_at) VALUES (:id, 1, 'active', :email,"
        " :email_key, :given_name, :family_name, :company_name, '[]', '{}', :now)",
        id=values.lowest_id(number + 1),
        now=values.now(),
        **{name: fields.get(name) for name in ("given_name", "family_name", "company_name")},
        email=email,
        email_key=email.lower(),
    )


@pytest.mark.exhaustive
def test_existing_customers_are_found_after_the_migration(new_database: Connect) -> None:
    files, database = migrations.read(), new_database()
    apply(new_database, files[:5])
    insert_as_before(database, 1, given_name="太郎", family_name="山田")
    insert_as_before(database, 2, company_name="Café🍕", email="νίκος@example.gr")

    apply(new_database, files[:6])
    insert_as_before(database, 3, family_name="Łu")  # by code that is still running
    apply(new_database, files)

    assert [item["family_name"] for item in search(database, q="山田太郎")] == ["山田"]
    assert [item["company_name"] for item in search(database, q="cafe🍕")] == ["Café🍕"]
    assert [item["family_name"] for item in search(database, q="lu")] == ["Łu"]
    assert len(search(database, email="ΝΊΚΟΣ@example.gr")) == 1


@pytest.mark.parametrize(
    ("emails", "kept"),
    [
        (("\u03c2\u00df@example.gr", "\u03c2ss@example.gr"), 2),  # the first one gets the new key
        (("strasse@example.gr", "stra\u00dfe@example.gr"), 2),
        (("stra\u00dfe@example.gr", "strasse@example.gr"), 1),  # the other one has it already
    ],
)
@pytest.mark.exhaustive
def test_existing_customers_with_equal_addresses_keep_working(
    new_database: Connect, emails: tuple[str, str], kept: int
) -> None:
    """Only one of them can have the new key. The other one keeps its key, and is reported."""
    files, database = migrations.read(), new_database()
    apply(new_database, files[:6])
    for number, email in enumerate(emails, 1):
        insert_as_before(database, number, given_name="Ada", email=email)

    said = apply(new_database, files[:7])

    row_id = values.lowest_id(kept + 1)
    assert said == [
        f"0007_fill_search_keys: another row has the new email_key of {row_id.hex()}, kept the old",
        "applied 0007_fill_search_keys",
    ]
    rows = database.fetch_all("SELECT id, email, email_key, name_key FROM customers")
    assert {row["name_key"] for row in rows} == {"ada"}
    assert [row["email_key"] for row in rows if row["id"] == row_id] == [emails[kept - 1]]
    apply(new_database, files)
    assert len(search(database, email=emails[0])) == 1
    change(database, UUID(bytes=row_id), {"status": "inactive"})
    change(database, UUID(bytes=row_id), {"email": "other@example.gr"})
    assert len(search(database, email="other@example.gr")) == 1


@pytest.mark.exhaustive
def test_earlier_code_s_erasure_is_completed(new_database: Connect) -> None:
    """Earlier code doesn't know the keys, so its erasures leave them until the step is finished."""
    files, database = migrations.read(), new_database()
    apply(new_database, files[:6])
    insert_as_before(database, 1, given_name="Ada", family_name="Lovelace")
    migrations.apply(new_database(), new_database(), files, print, finish=False)
    assert stored_keys(database) == [("ada lovelace", "lovelace ada", None)]
    database.execute(
        "UPDATE customers SET given_name = NULL, family_name = NULL, email = NULL,"
        " email_key = NULL, version = 2, updated_at = :now, deleted_at = :now, erased_at = :now",
        now=values.now(),
    )

    apply(new_database, files)

    assert stored_keys(database) == [(None, None, None)]
