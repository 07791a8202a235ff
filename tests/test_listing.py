"""The list, compared with a simple filter over all rows, and the cost of its statements."""

import itertools
import json
import random
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pymysql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import migrations
from chalicelib.customers import lists, schemas
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.customers.lists import Query
from chalicelib.customers.queries import GetCustomers
from chalicelib.database import Database, Row, Value, connect, mysql
from chalicelib.http import creates, pagination, reads, updates
from chalicelib.http import queries as http_queries
from chalicelib.http.pagination import Position
from chalicelib.http.preconditions import Intent
from chalicelib.http.problems import ValidationError
from chalicelib.http.resources import Document as Customer
from chalicelib.settings import Settings
from local import seed
from local.database_server import DatabaseServer
from tests.api import ADA
from tests.mysql8 import refusal
from tests.recorded import Recorded

KEY = b"signs the cursors"
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def new_database(database_server: DatabaseServer) -> Iterator[Callable[[str], Database]]:
    """Return a function that creates a private database with the schema and no customers."""
    made: list[str] = []
    with pymysql.connect(**mysql.connection_arguments(database_server.url)) as session:

        def new(purpose: str) -> Database:
            made.append(f"customers_listing_{purpose}")
            session.cursor().execute(f"DROP DATABASE IF EXISTS {made[-1]}")
            session.cursor().execute(f"CREATE DATABASE {made[-1]}")
            url = database_server.url.rsplit("/", 1)[0] + f"/{made[-1]}"
            database = connect(Settings(database_url=url))
            migrations.apply(
                database, connect(Settings(database_url=url)), migrations.read(), print
            )
            return database

        yield new
        for name in made:
            session.cursor().execute(f"DROP DATABASE {name}")


# --- contents of the list ---------------------------------------------------------------------


def generate_rows() -> list[dict[str, Any]]:
    """Return customers with many equal values, most of them created within milliseconds."""
    chance = random.Random(4)  # noqa: S311
    return [generate_row(chance, number) for number in range(160)]


def generate_row(chance: random.Random, number: int) -> dict[str, Any]:
    created = int(START.timestamp() * 1000) + chance.randrange(12)
    deleted_at, erased_at = chance.choice(
        [(None, None)] * 5 + [(START, None)] * 3 + [(START, START)]
    )
    local = chance.choice(["a", "A", "ab", "a_b", "a!b", "Ba", "á", "ába"])
    return {
        "id": created << 80 | 0x7 << 76 | chance.randrange(3) << 64 | 0b10 << 62 | number,
        "version": 1,
        "status": chance.choice(["active", "inactive"]),
        # unique among live customers, shared among deleted ones
        "email": f"{local}{chance.randrange(4) if deleted_at else number}@Example.com",
        "phone": chance.choice([None, "+442079460000", "+442079460001"]),
        "given_name": chance.choice([None, "a", "Ab", "á", "b%", "B_c", "a!b", "a\\b", "\u3042b"]),
        "family_name": chance.choice([None, "ab", "ÁB", "b%a", "b_", "c'd", "Cd"]),
        "company_name": chance.choice([None, None, "ab %", 'a"b', "B"]),
        "external_id": chance.choice(["x", "X", "%"]) if deleted_at else f"x{number}",
        "updated_at": START + timedelta(milliseconds=chance.randrange(12)),
        "deleted_at": deleted_at,
        "erased_at": erased_at,
    }


ROWS = generate_rows()
INSERT = (
    "INSERT INTO customers (id, version, status, email, email_key, phone, given_name, family_name,"
    " company_name, external_id, updated_at, deleted_at, erased_at, addresses, metadata, name_key,"
    " family_name_key, company_name_key) VALUES"
    " (:id, :version, :status, :email, :email_key, :phone, :given_name, :family_name,"
    " :company_name, :external_id, :updated_at, :deleted_at, :erased_at, '[]', '{}', :name_key,"
    " :family_name_key, :company_name_key)"
)


@pytest.fixture(scope="module")
def rows_database(new_database: Callable[[str], Database]) -> Database:
    database = new_database("small")
    for row in ROWS:
        stored = {"id": row["id"].to_bytes(16, "big"), **CUSTOMERS.to_row(row, CUSTOMERS.derived)}
        database.execute(INSERT, **row | stored)
    return database


def folded(text: str | None) -> str:
    """Return the text in lower case, without accents."""
    letters = unicodedata.normalize("NFD", text or "").casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def nanoseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def is_match(row: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Return whether the customer matches the parameters, evaluated in the simplest way."""
    created, updated = (row["id"] >> 80) * 10**6, nanoseconds(row["updated_at"])
    names = (row["given_name"], row["family_name"])
    return (
        not row["erased_at"]
        and (not row["deleted_at"] or asked.get("include_deleted", False))
        and row["email"].lower() == asked.get("email", row["email"]).lower()
        and all(row[name] == asked.get(name, row[name]) for name in EXACT)
        and created > asked.get("created_after", 0)
        and created < asked.get("created_before", created + 1)
        and updated > asked.get("updated_after", 0)
        and has_prefix(row, [*filter(None, names)], asked.get("q", ""))
    )


EXACT = ("phone", "external_id", "status")


def has_prefix(row: Mapping[str, Any], names: list[str], q: str) -> bool:
    texts = (" ".join(names), " ".join(reversed(names)), row["company_name"])
    return row["email"].lower().startswith(q.lower()) or any(
        folded(text).startswith(folded(q)) for text in texts
    )


def order_of(row: Mapping[str, Any], asked: Mapping[str, Any]) -> Any:
    sort = asked.get("sort", "updated_at" if "updated_after" in asked else "-created_at")
    return (row["updated_at"], row["id"]) if "updated" in sort else row["id"]


def expected(asked: Mapping[str, Any]) -> list[str]:
    sort = asked.get("sort", "updated_at" if "updated_after" in asked else "-created_at")
    wanted = [row for row in ROWS if is_match(row, asked)]
    wanted.sort(key=lambda row: order_of(row, asked), reverse=sort.startswith("-"))
    return [str(UUID(int=row["id"])) for row in wanted]


def rfc3339(moment: int) -> str:
    """Format nanoseconds since the epoch in another time zone, with nine decimals."""
    elsewhere = datetime.fromtimestamp(moment // 10**9, UTC) - timedelta(hours=7, minutes=30)
    return f"{elsewhere:%Y-%m-%dT%H:%M:%S}.{moment % 10**9:09}-07:30"


MOMENTS = st.builds(
    lambda milliseconds, more: nanoseconds(START) + milliseconds * 10**6 + more,
    st.integers(-2, 14),
    st.sampled_from([0, 1, 999, 1000, 1001, 500_000, 999_000, 999_999]),
)
PREFIXES = [
    *("a", "ab", "a b", "AB", "áb", "b%", "%", "_", "b_", "ab %", "a!b", "!", "a\\b", "\\"),
    *("c'", 'a"', "a_b", "a!b1", "ba", "ab a", "\u3042b", "\u3042", "zz"),
]
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from([row["email"] for row in ROWS]).map(str.swapcase),
        "phone": st.sampled_from(["+442079460000", "+442079460001", "+442079460002"]),
        "external_id": st.sampled_from(["x", "X", "x7", "X7", "%", "none"]),
        "status": st.sampled_from(["active", "inactive"]),
        "created_after": MOMENTS,
        "created_before": MOMENTS,
        "updated_after": MOMENTS,
        "q": st.sampled_from([prefix for prefix in PREFIXES if len(prefix.strip()) > 1]),
        "include_deleted": st.booleans(),
        "sort": st.sampled_from(["created_at", "-created_at", "updated_at", "-updated_at"]),
    },
)


def is_allowed(asked: Mapping[str, Any]) -> bool:
    by_update = "updated" in asked.get("sort", "updated" if "updated_after" in asked else "")
    return (
        by_update or "updated_after" not in asked
        if "q" not in asked
        else not (by_update or "updated_after" in asked)
    )


def sent(asked: Mapping[str, Any]) -> dict[str, str]:
    """Return the query parameters as a client sends them."""
    return {name: as_sent(value) for name, value in asked.items()}


def as_sent(value: str | bool | int) -> str:  # noqa: FBT001
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else rfc3339(value)


def load(query: Mapping[str, str]) -> Query:
    values = {name: [value] for name, value in query.items()}
    return lists.combine(**http_queries.load(GetCustomers, values))


def pages(database: Database, query: Query, limits: Iterator[int]) -> list[list[str]]:
    found = []
    for limit in limits:
        page = lists.page(database, query._replace(limit=limit), KEY)
        found.append([customer["id"] for customer in json.loads(page.items)])
        assert len(found[-1]) == limit or page.cursor is None
        if page.cursor is None:
            break
        assert found[-1]
        assert len(found) <= len(ROWS), "the cursors form a cycle"
        query = query._replace(cursor=page.cursor)
    return found


@pytest.mark.exhaustive
@given(asked=ASKED.filter(is_allowed), limits=st.lists(st.integers(1, 100), min_size=1))
@settings(max_examples=400)
def test_pages_equal_a_simple_filter(
    rows_database: Database, asked: dict[str, Any], limits: list[int]
) -> None:
    """For any query and any page sizes, each customer is listed once and in order."""
    found = pages(rows_database, load(sent(asked)), itertools.cycle(limits))

    assert list(itertools.chain(*found)) == expected(asked)
    assert found[-1] or len(found) == 1, "has_more was true, but the next page is empty"


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "updated_at", "-updated_at"])
def test_each_order_lists_every_customer(rows_database: Database, sort: str) -> None:
    """Also proves that the rows have equal times, which the previous test relies on."""
    asked = {"sort": sort, "include_deleted": True}
    found = pages(rows_database, load(sent(asked)), itertools.repeat(1))

    assert list(itertools.chain(*found)) == expected(asked)
    assert len(expected(asked)) > 130
    assert len({row["updated_at"] for row in ROWS}) == 12


@pytest.mark.parametrize("q", [prefix for prefix in PREFIXES if len(prefix.strip()) > 1])
def test_search_equals_a_simple_prefix_match(rows_database: Database, q: str) -> None:
    asked = {"q": q, "include_deleted": True}

    assert [item["id"] for item in whole_list(rows_database, q=q, include_deleted="true")] == (
        expected(asked)
    )


def test_prefixes_match_some_customers_but_not_all() -> None:
    found = [len(expected({"q": q, "include_deleted": True})) for q in PREFIXES]

    assert sum(0 < number < len(ROWS) / 2 for number in found) > len(PREFIXES) / 2


def whole_list(database: Database, **parameters: str) -> list[Customer]:
    page = lists.page(database, load({"limit": "100", **parameters}), KEY)
    customers: list[Customer] = json.loads(page.items)
    return customers


def new(database: Database, **fields: Any) -> str:
    (customer,) = creates.create(database, CUSTOMERS, schemas.load_customer(ADA | fields)).items
    return str(customer["id"])


@pytest.mark.parametrize(
    ("fields", "parameters", "is_found"),
    [
        ({"email": "Zoë@Example.com"}, {"email": "ZOË@example.COM"}, True),
        ({"email": "zoe@example.com"}, {"email": "zoë@example.com"}, False),
        ({"email": "ada.x@example.com"}, {"email": "ada_x@example.com"}, False),
        ({"phone": "+44 20 7946 0000"}, {"phone": " 442079460000"}, True),
        ({"phone": "+44 20 7946 0000"}, {"phone": " 44 (20) 7946-0000"}, True),
        ({"phone": "+44 20 7946 0000"}, {"phone": " +442079460000"}, True),
        ({"phone": "+44 20 7946 0000"}, {"phone": "+44207946000"}, False),
        ({"external_id": "CRM-é"}, {"external_id": "CRM-é"}, True),
        ({"external_id": "CRM-é"}, {"external_id": "CRM-e\u0301"}, True),
        ({"external_id": "CRM-é"}, {"external_id": "crm-é"}, False),
        ({"external_id": "CRM-é"}, {"external_id": "CRM-e"}, False),
        ({"external_id": "1"}, {"external_id": "01"}, False),
        ({}, {"created_after": "1969-12-31T23:59:59Z"}, True),
        ({}, {"created_before": "1969-12-31T23:59:59Z"}, False),
        ({}, {"updated_after": "1969-12-31T23:59:59Z"}, True),
        ({}, {"q": "ada"}, True),
        ({}, {"q": "  ADA  "}, True),
        ({}, {"q": "Ada Lovelace"}, True),
        ({}, {"q": "ada lövé"}, True),
        ({}, {"q": "Love"}, True),
        ({}, {"q": "adalovelace"}, False),
        ({}, {"q": "lovelace ada"}, True),
        ({}, {"q": "lovelaceada"}, False),
        ({}, {"q": "velace"}, False),
        ({}, {"q": "ada@EXAMPLE.com"}, True),
        ({}, {"q": "ada@example.comx"}, False),
        ({}, {"q": "example.com"}, False),
        ({"given_name": None}, {"q": "lovelace"}, True),
        ({"family_name": None}, {"q": "ada"}, True),
        ({"email": "q@example.com", "company_name": "Ångström & Co"}, {"q": "angstrom &"}, True),
        ({"email": "q@example.com", "given_name": "Müller"}, {"q": "mu\u0308ll"}, True),
        ({"email": "q@example.com", "given_name": "100%"}, {"q": "100%"}, True),
        ({"email": "q@example.com", "given_name": "100x"}, {"q": "100%"}, False),
        ({"email": "q@example.com", "given_name": "田中"}, {"q": "田中"}, True),
        ({"email": "q@example.com", "given_name": "👩🏽‍🚀 x"}, {"q": "👩🏽‍🚀"}, True),
    ],
)
def test_filter_matches(
    database: Recorded, fields: dict[str, Any], parameters: dict[str, str], *, is_found: bool
) -> None:
    customer_id = new(database, **fields)

    found = [customer["id"] for customer in whole_list(database, **parameters)]

    assert found == [customer_id] * is_found


@pytest.mark.parametrize(
    ("name", "milliseconds", "is_found"),
    [
        ("created_after", -1, True),
        ("created_after", 0, False),
        ("created_before", 0, False),
        ("created_before", 1, True),
    ],
)
def test_filters_by_creation_exclude_the_moment_itself(
    database: Recorded, name: str, milliseconds: int, *, is_found: bool
) -> None:
    new(database)
    (customer,) = whole_list(database)
    created = datetime.fromisoformat(str(customer["created_at"]))
    moment = created + timedelta(milliseconds=milliseconds)

    assert len(whole_list(database, **{name: moment.isoformat()})) == is_found


def test_page_takes_one_statement(database: Recorded) -> None:
    new(database)
    for asked in ({}, {"q": "ada", "include_deleted": "true"}, {"sort": "updated_at"}):
        database.statements.clear()

        assert len(whole_list(database, **asked)) == 1
        assert len(database.statements) == 1


def test_deleted_customers_are_listed_on_request_and_erased_never(database: Recorded) -> None:
    first, second, third = (new(database, email=f"ada{n}@example.com") for n in range(3))
    for customer_id in (second, third):
        updates.delete(
            database, CUSTOMERS, UUID(customer_id), timedelta(days=30), Intent(None, b"")
        )
    database.execute(
        "UPDATE customers SET erased_at = :now WHERE id = :id",
        now=datetime.now(UTC),
        id=UUID(third).bytes,
    )

    for asked in ({}, {"q": "ada"}, {"status": "active"}, {"sort": "-updated_at"}):
        assert [customer["id"] for customer in whole_list(database, **asked)] == [first]
        found = whole_list(database, include_deleted="true", **asked)
        assert {customer["id"] for customer in found} == {first, second}


@pytest.mark.parametrize("field", CUSTOMERS.names)
@pytest.mark.parametrize("more", [{}, {"sort": "updated_at"}, {"q": "ada"}])
def test_only_the_selected_field_is_read(
    database: Recorded, field: str, more: dict[str, str]
) -> None:
    """The statement reads the selected field, and the columns that the cursor needs."""
    new(database)
    whole = whole_list(database)[0]
    database.statements.clear()

    assert whole_list(database, fields=field, **more) == [{field: whole[field]}]
    read = database.statements[0].partition(" FROM")[0]
    assert {other for other in CUSTOMERS.names if f'"{other}":' in read} == {field}


def test_selected_fields_have_the_usual_order(database: Recorded) -> None:
    customer_id = UUID(new(database))
    whole = json.loads(reads.get(database, CUSTOMERS, customer_id).text)

    assert list(whole_list(database)[0]) == list(whole)
    (some,) = whole_list(database, fields="updated_at,email,id,email")
    assert list(some.items()) == [(name, whole[name]) for name in ("id", "email", "updated_at")]
    found = reads.get(database, CUSTOMERS, customer_id, ("email", "created_at"))
    assert json.loads(found.text) == {name: whole[name] for name in ("email", "created_at")}


def test_fields_equal_those_of_the_schema() -> None:
    assert set(CUSTOMERS.names) == set(schemas.Customer().fields)


@pytest.mark.parametrize(
    "other",
    [
        {"sort": "created_at"},
        {"sort": "-updated_at"},
        {"include_deleted": "true"},
        {"status": "inactive"},
        {"q": "ad"},
        {"q": "ada", "created_after": "2026-01-31T12:00:00Z"},
    ],
)
def test_cursor_from_other_query_is_rejected(database: Recorded, other: dict[str, str]) -> None:
    for n in range(2):
        new(database, email=f"ada{n}@example.com")
    given_ = {"q": "ada"} if "q" in other else {}
    cursor = lists.page(database, load({"limit": "1", **given_}), KEY).cursor
    assert cursor

    with pytest.raises(ValidationError) as caught:
        whole_list(database, **given_ | other, cursor=cursor)
    assert [(e["parameter"], e["code"]) for e in caught.value.errors] == [("cursor", "cursor")]
    assert len(whole_list(database, **given_, cursor=cursor, fields="id", limit="7")) == 1


# --- cost of the list -------------------------------------------------------------------------


class Explained(Recorded):
    """Records the plan of the last statement, and the number of index entries that it read."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.plan: list[Row] = []
        self.entries = 0

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        self.plan = self._database.fetch_all(f"EXPLAIN {sql}", **parameters)
        before = self._read()
        result = super()._run(sql, parameters)
        self.entries = self._read() - before
        return result

    def _read(self) -> int:
        rows = self._database.fetch_all(
            "SHOW SESSION STATUS WHERE Variable_name IN"
            " ('Handler_read_next', 'Handler_read_prev', 'Handler_icp_attempts')"
        )
        next_or_prev = {str(row["Variable_name"]): int(str(row["Value"])) for row in rows}
        # also counts entries whose condition is checked before the row is read
        checked = next_or_prev.pop("Handler_icp_attempts", 0)  # only MariaDB has it
        return max(checked, sum(next_or_prev.values()))


@pytest.fixture(scope="module")
def explained(new_database: Callable[[str], Database]) -> Explained:
    """Return a database of thousands of customers, many with the same phone, with statistics."""
    database = new_database("large")
    seed.load(database, 4000)
    database.execute(
        "UPDATE customers SET phone = '+442079460000' WHERE RIGHT(HEX(id), 1) IN ('3', '7')"
    )
    database.execute(
        "UPDATE customers SET deleted_at = :now, updated_at = :now WHERE RIGHT(HEX(id), 1) < '3'",
        now=datetime.now(UTC),
    )
    database.execute("UPDATE customers SET erased_at = deleted_at WHERE RIGHT(HEX(id), 1) = '0'")
    database.fetch_all("ANALYZE TABLE customers")
    return Explained(database)


CREATED, UPDATED = ("-created_at", "created_at"), ("-updated_at", "updated_at")
# When sorting by update time, the index isn't ordered by id, so these filters read more entries.
LOOSE = {"created_after", "created_before"}


def filters(database: Database) -> dict[str, Any]:
    """Return a value for each filter that matches customers on both sides of the middle."""
    row = database.fetch_one(
        "SELECT email, phone, external_id, status FROM customers WHERE state = 'live'"
        " AND phone = '+442079460000' AND status = 'inactive' AND external_id IS NOT NULL"
        " ORDER BY id LIMIT 1 OFFSET 5"
    )
    ends = database.fetch_one("SELECT MIN(id) AS first, MAX(id) AS last FROM customers")
    assert row
    assert ends
    first, last = (
        datetime.fromtimestamp((int.from_bytes(ends[end], "big") >> 80) / 1000, UTC)  # type: ignore[arg-type]
        for end in ("first", "last")
    )
    return row | {
        "created_after": first + timedelta(milliseconds=5),
        "created_before": last - timedelta(milliseconds=5),
        "updated_after": first + timedelta(milliseconds=5),
        "q": str(row.get("email"))[:2],
    }


def sorts(names: tuple[str, ...]) -> tuple[str, ...]:
    if "q" in names:
        return () if "updated_after" in names else CREATED
    return UPDATED if "updated_after" in names else CREATED + UPDATED


def is_searched(names: tuple[str, ...]) -> bool:
    return "q" in names and not {"email", "phone", "external_id"} & set(names)


PREFIX_KEYS = {f"ix_customers_{key}" for key in lists._PREFIXES}
UNIQUE_KEYS = {"ix_customers_external_id", "ix_customers_email"}


def find_inefficient_steps(plan: list[Row], *sortable: str) -> list[Row]:
    """Return the steps of a plan that read or sort the whole table, or more than necessary.

    `sortable` are indexes whose entries may be sorted, because they are few or need no rows.
    """
    return [row for row in plan if row["table"] == "customers" and not uses_index(row, sortable)]


def uses_index(row: Row, sortable: Collection[str]) -> bool:
    extra = str(row["Extra"]).split("; ")
    may_be_sorted = row["key"] in sortable and ("Using index" in extra or row["key"] in UNIQUE_KEYS)
    reads_all = row["type"] in {"ALL", "index"} or row["key"] is None
    return not reads_all and ("Using filesort" not in extra or may_be_sorted)


def sortable(names: tuple[str, ...], sort: str) -> set[str]:
    """Return the indexes whose entries may be sorted: of a prefix or of one exact value."""
    if is_searched(names):
        return PREFIX_KEYS
    unique = [name for name in ("external_id", "email") if name in names]
    return {f"ix_customers_{name}" for name in unique[:1] if sort in UPDATED}


CHOICES = [names for n in (0, 1, 2) for names in itertools.combinations(
    [*lists._FILTERS, "q"], n
)] + [("phone", "status", "q"), ("status", "created_after", "created_before", "q")]  # fmt: skip


@pytest.mark.parametrize("names", CHOICES, ids="+".join)
@pytest.mark.parametrize("include_deleted", [False, True])
@pytest.mark.exhaustive
def test_every_list_uses_an_index(
    explained: Explained, names: tuple[str, ...], *, include_deleted: bool
) -> None:
    values = filters(explained._database)
    for sort in sorts(names):
        asked = Query(
            **{name: values[name] for name in names}, sort=sort, include_deleted=include_deleted
        )
        for query in (asked, asked._replace(cursor=middle(explained, asked))):
            page = lists.page(explained, query, KEY)

            assert "customers" in {row["table"] for row in explained.plan}
            assert find_inefficient_steps(explained.plan, *sortable(names, sort)) == []
            assert refusal(explained.statements[-1]) is None
            assert page.items or query.cursor
            # one page of each branch, and the customers of its ids
            if is_bounded(names, sort):
                assert explained.entries <= (1 + include_deleted) * (asked.limit + 2)


def test_search_within_a_status_reads_only_what_begins_with_the_prefix(
    explained: Explained,
) -> None:
    values = filters(explained._database)

    page = lists.page(explained, Query(q=values["email"], status=values["status"]), KEY)

    assert len(json.loads(page.items)) == 1
    assert explained.entries <= 10  # four indexes, and one customer


def is_bounded(names: tuple[str, ...], sort: str) -> bool:
    """Return whether the index covers all filters, so that a page reads only what it returns."""
    if is_searched(names) or (LOOSE & set(names) and sort in UPDATED):
        return False
    exact = {"email", "phone", "external_id", "status"} & set(names)
    return (
        len(exact) <= 1 and "q" not in names and (sort in CREATED or exact <= {"phone", "status"})
    )


def middle(database: Database, query: Query) -> str:
    """Return a cursor from the middle of the table."""
    row = database.fetch_one(
        "SELECT HEX(id) AS hex_id, updated_at FROM customers WHERE phone = '+442079460000'"
        " ORDER BY id LIMIT 1 OFFSET 250"
    )
    assert row
    position = lists._position_of(row, query)
    return pagination.encode(KEY, query.listed, position)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM customers WHERE given_name = 'Ada'",
        "SELECT id FROM customers WHERE email = 'ada@example.com'",
        "SELECT id FROM customers ORDER BY id DESC LIMIT 20",
        "SELECT id FROM customers WHERE state = 'live' ORDER BY version LIMIT 20",
        """SELECT id FROM customers FORCE INDEX (ix_customers_created)
           WHERE state = 'live' ORDER BY updated_at, id LIMIT 20""",
        """SELECT id FROM customers FORCE INDEX (ix_customers_phone)
           WHERE state = 'live' AND phone = '+442079460000' ORDER BY updated_at, id LIMIT 20""",
        """SELECT * FROM customers FORCE INDEX (ix_customers_name_key)
           WHERE state = 'live' AND name_key LIKE 'a%' ORDER BY id LIMIT 20""",
    ],
)
def test_statement_without_an_index_is_detected(explained: Explained, sql: str) -> None:
    explained.fetch_all(sql)

    assert find_inefficient_steps(explained.plan, *PREFIX_KEYS)


def test_statement_that_reads_too_much_is_detected(explained: Explained) -> None:
    """A plan may look efficient and still read many customers that aren't in the list."""
    explained.fetch_all(
        "SELECT id FROM customers FORCE INDEX (ix_customers_created)"
        " WHERE state = 'live' AND version > 1 ORDER BY id LIMIT 20"
    )

    assert find_inefficient_steps(explained.plan) == []
    assert explained.entries > 1000


@pytest.mark.parametrize(
    ("moment", "bound"),
    [
        (START + timedelta(microseconds=1_999), START + timedelta(milliseconds=1)),
        (START + timedelta(milliseconds=2), START + timedelta(milliseconds=2)),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_rounded_before_the_database_rounds(moment: datetime, bound: datetime) -> None:
    """MySQL rounds a constant to the precision of its column; DATETIME begins in the year 1000."""
    query = Query(sort="updated_at", updated_after=moment)

    assert lists._parameters(query, None) == {"updated_after": bound}


def test_position_contains_only_the_sort_columns() -> None:
    row: Row = {"hex_id": bytes(16).hex(), "updated_at": START, "email": "ada@example.com"}

    assert lists._position_of(row, Query()) == Position(UUID(int=0))
    assert lists._position_of(row, Query(sort="updated_at")) == Position(UUID(int=0), START)
