"""The fast path accepts only what the marshmallow schemas accept, with the same result."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.customers import acceptance, schemas
from chalicelib.customers.fields import MAX_SIZE, size
from chalicelib.http.documents import json_size
from chalicelib.http.fields import Text
from chalicelib.http.problems import ValidationError
from chalicelib.http.resources import MAX_BATCH
from chalicelib.http.rules import Unsure
from tests.api import ADA

NAMES = ("given_name", "family_name", "company_name")
ADDRESS = {"line1": "1 Main St", "country": "GB"}
WHOLE: dict[str, Any] = {
    "status": "inactive",
    "email": "ada.lovelace+1@mail-2.example.co",
    "phone": "+442079460000",
    "given_name": "José",
    "family_name": "Œuvre-Ñandú",
    "company_name": 'Søn & "Co" \\ Ltd',
    "external_id": "A-1",
    "addresses": [ADDRESS | {"type": "home", "line2": None}, ADDRESS | {"city": "Łódź"}],
    "locale": "zh-Hant-TW",
    "time_zone": "Europe/London",
    "metadata": {"b": "2", "a": "1"},
}

# --- values that are almost valid ---------------------------------------------------------------

ALPHABET = 'aZé\u0301ﬁ0_.@+- ()"\\\x7f\x00\n\xa0\u200b\u2028\ud800\u0130ßK'
TEXTS = st.text(st.sampled_from(ALPHABET), max_size=6) | st.text(max_size=4)
LONG = st.builds(
    lambda text, times: text * times, st.sampled_from("aé\u0301 \U0001f600"), st.integers(30, 502)
)
LABELS = st.from_regex(r"[a-z0-9-]{1,5}|xn--[a-z0-9]{1,4}|test|local|A|é|b{62,65}", fullmatch=True)
LOCALS = st.from_regex(r"[a-z0-9._+-]{1,6}|[A-Z]{1,2}|INFO|a{63,65}|é|\"a\"", fullmatch=True)
TOPS = st.sampled_from(["com", "co", "c", "c0", "test", "local", "onion", "arpa", "invalid", "zw"])
EMAILS = st.builds(
    lambda local, labels, top: f"{local}@{'.'.join([*labels, top])}",
    LOCALS,
    st.lists(LABELS, max_size=3),
    TOPS,
)
OTHERS = st.none() | st.booleans() | st.integers() | st.lists(TEXTS, max_size=2)
SOME: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(["active", "inactive", "Active", "deleted"]),
    "email": EMAILS,
    "phone": st.from_regex(r"\+[0-9 ()-]{1,17}|[0-9]{3}", fullmatch=True),
    "locale": st.from_regex(r"[a-zA-Z0-9-]{1,10}", fullmatch=True),
    "time_zone": st.sampled_from(["Europe/London", "UTC", "utc", "Factory"]),
    "country": st.from_regex(r"[A-Za-z]{1,3}", fullmatch=True),
    "type": st.sampled_from(["billing", "other", "Home"]),
    "metadata": st.dictionaries(TEXTS | LONG, TEXTS | LONG, max_size=3)
    | st.integers(45, 55).map(lambda size: {f"k{n}": "v" for n in range(size)})
    | st.integers(5, 10).map(lambda size: {f"k{n}": "é" * 240 for n in range(size)}),
}


def almost_valid(names: list[str], likely: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for objects with at most two invalid fields, and some fields left out."""
    of_each = {name: SOME.get(name, TEXTS | LONG) for name in names}
    changes = st.one_of(
        [st.fixed_dictionaries({name: value | OTHERS}) for name, value in of_each.items()]
    )
    left_out = st.sets(st.sampled_from([*names, "nothing"]), max_size=3)
    return st.builds(
        lambda one, two, out: {
            name: value for name, value in (likely | one | two).items() if name not in out
        },
        changes | st.just({}),
        changes | st.just({}),
        left_out,
    )


ADDRESSES = almost_valid([*schemas.Address().fields, "unknown"], ADDRESS)
SOME["addresses"] = st.lists(ADDRESSES | st.just(ADDRESS | {"line1": "é" * 200}), max_size=6)
DOCUMENTS = almost_valid([*schemas.Customer().fields, "unknown"], WHOLE)
SOME_NAMES = list(WHOLE)


CURRENT: dict[str, Any] = {
    "id": "01a2043a-b5d2-7386-b484-33764a732a70",
    "version": 3,
    **schemas.load_customer(WHOLE),
    "created_at": "2026-03-02T09:30:00.000Z",
    "updated_at": "2026-03-02T09:30:00.123Z",
    "deleted_at": None,
    "purge_at": None,
}
KNOWN = CURRENT.keys() - WHOLE.keys() - {"updated_at"}
TIMES = st.sampled_from([*(CURRENT[name] for name in ("created_at", "updated_at")), "yesterday"])
READ_ONLY = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from([CURRENT["id"], CURRENT["id"].upper(), 7]),
        "version": st.sampled_from([3, 3.0, 4, "3"]),
        "created_at": TIMES | st.just("2026-03-02T10:30:00+01:00"),
        "updated_at": TIMES | OTHERS,
        "deleted_at": TIMES | st.none(),
        "purge_at": st.none(),
    },
)
PATCHES = st.builds(
    lambda document, names, read_only: {
        **{name: value for name, value in document.items() if name in names},
        **read_only,
    },
    almost_valid([*SOME_NAMES, "unknown"], dict.fromkeys(SOME_NAMES) | WHOLE),
    st.sets(st.sampled_from([*SOME_NAMES, "unknown"]), max_size=3),
    READ_ONLY | st.just({}),
)
BATCHES = st.lists(DOCUMENTS | st.just(ADA) | st.just(ADA | {"email": "b@example.com"}), max_size=3)


def results(fast: Callable[..., Any], slow: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
    """Return the results of the fast path and of the schemas; None for rejected input."""
    try:
        accepted = fast(*arguments)
    except Unsure:
        accepted = None
    try:
        loaded = slow(*arguments)
    except ValidationError:
        loaded = None
    return accepted, loaded


def both(document: object) -> tuple[Any, Any]:
    return results(acceptance.accept, schemas.load_customer, document)


def assert_agreement(accepted: Any, loaded: Any) -> None:
    if accepted is not None:
        assert loaded is not None
        assert json.dumps(accepted) == json.dumps(loaded)  # in the same order, too


@pytest.mark.exhaustive
@given(DOCUMENTS)
@settings(max_examples=1_000)
@example(WHOLE)
@example(ADA | {"given_name": "a" + "\u0316" * 31})
@example(ADA | {"addresses": [ADDRESS] * 6})
@example(ADA | {"phone": "+44 20"})
@example(ADA | {"addresses": [dict.fromkeys(ADDRESS, "é" * 200) | {"country": "GB"}] * 5})
def test_fast_path_accepts_only_what_the_schemas_accept(document: object) -> None:
    assert_agreement(*both(document))


@pytest.mark.exhaustive
@given(DOCUMENTS, READ_ONLY, st.sampled_from([CURRENT, {name: CURRENT[name] for name in KNOWN}]))
@settings(max_examples=500)
@example(CURRENT, {}, CURRENT)
@example(WHOLE, {"created_at": "2026-03-02T09:30:00.001Z"}, CURRENT)
def test_fast_path_agrees_about_replacements(
    document: dict[str, Any], read_only: dict[str, Any], current: dict[str, Any]
) -> None:
    sent = document | read_only

    assert_agreement(*results(acceptance.accept, schemas.load_customer, sent, current))


@pytest.mark.exhaustive
@given(PATCHES)
@settings(max_examples=500)
@example({"email": None})
@example({"status": None, "unknown": None})
@example({"phone": None, "addresses": None, "deleted_at": None})
@example({"given_name": None, "family_name": None, "company_name": None})
@example({"metadata": {"a": None, "b": 7}})
@example([])
@example(None)
def test_fast_path_agrees_about_patches(patch: object) -> None:
    assert_agreement(*results(acceptance.accept_patch, schemas.load_patch, patch, CURRENT))
    details, loaded = results(acceptance.accept_details, schemas.load_details, patch)
    assert details in (None, loaded)


@pytest.mark.exhaustive
@given(BATCHES.map(lambda items: {"items": items}) | BATCHES | st.just({"items": [ADA], "more": 1}))
@settings(max_examples=200)
@example({"items": [ADA, ADA]})
@example({"items": [ADA, {**ADA, "email": ADA["email"].upper()}]})
@example({"items": [WHOLE, WHOLE | {"email": "other@example.com"}]})
@example({"items": [{**ADA, "email": f"{n}@example.com"} for n in range(101)]})
@example({"items": {"0": ADA}})
def test_fast_path_agrees_about_batches(document: object) -> None:
    assert_agreement(*results(acceptance.accept_batch, schemas.load_batch, document))


def test_fast_path_accepts_usual_edits_and_batches() -> None:
    details = {"email": "new@example.com", "phone": None}

    whole = acceptance.accept(WHOLE)
    assert acceptance.accept(CURRENT, CURRENT) == whole
    assert acceptance.accept_patch(details, CURRENT) == whole | details
    assert acceptance.accept_patch({**details, "version": CURRENT["version"]}, CURRENT) == (
        whole | details
    )
    assert acceptance.accept_patch({"metadata": {"a": None}}, CURRENT)["metadata"] == {"b": "2"}
    assert acceptance.accept_details(details) == details
    assert acceptance.accept_batch({"items": [ADA, WHOLE]}) == [
        acceptance.accept(ADA),
        whole,
    ]


@pytest.mark.parametrize("patch", [{}, {"given_name": "Ada"}, {"metadata": {"a": "1"}}])
def test_details_need_no_other_fields(patch: dict[str, Any]) -> None:
    """A name or a document can only be validated with the rest of the customer."""
    with pytest.raises(Unsure):
        acceptance.accept_details(patch)


def test_fast_path_accepts_a_batch_of_the_maximum_size() -> None:
    items = [ADA | {"email": f"{n}@example.com"} for n in range(MAX_BATCH)]

    assert len(acceptance.accept_batch({"items": items})) == MAX_BATCH


@pytest.mark.exhaustive
@given(EMAILS)
@settings(max_examples=1_000)
@example("info@example.com")
@example("-a@0.example.zw")
@example("a@example.test")
@example(f"{'a' * 63}@b.co")
def test_accepted_emails_equal_those_of_the_schemas(email: str) -> None:
    accepted, loaded = both({"email": email, "given_name": "Ada"})

    if accepted is not None:
        assert accepted == loaded


@pytest.mark.parametrize(
    "document",
    [
        {"email": "ada@example.com", "given_name": "Ada"},
        {"email": "a@b.co", "company_name": "日本 株式会社"},
        {"email": "ada_l-o.v+e@x-1.example.museum", "family_name": "x" * 300},
        WHOLE,
        ADA | {"metadata": {f"k{n}": "v" for n in range(50)}},
        ADA | {"addresses": [ADDRESS] * 5},
    ],
)
def test_fast_path_accepts_usual_customers(document: dict[str, Any]) -> None:
    assert acceptance.accept(document) == schemas.load_customer(document)


@pytest.mark.parametrize("name", schemas.Customer().fields)
@pytest.mark.parametrize(
    "value", [7, None, True, {}, [], "", " a", "a ", "e\u0301", "\u212b", "a\x7f", {"a": "b"}]
)
def test_unusual_values_are_left_to_the_schemas(name: str, value: object) -> None:
    accepted, loaded = both(ADA | {name: value})

    assert accepted in (None, loaded)
    if isinstance(value, str) or loaded is None:
        assert accepted is None


def metadata(size: int) -> dict[str, str]:
    """Return metadata of this size in bytes."""
    values = {f"k{n}": "v" * 500 for n in range(8)} | {"last": ""}
    return values | {"last": "v" * (size - json_size(values))}


@pytest.mark.parametrize(
    ("name", "largest", "too_large"),
    [
        ("given_name", "a" * 300, "a" * 301),
        ("company_name", "a" * 500, "a" * 501),
        ("external_id", "a" * 100, "a" * 101),
        ("metadata", metadata(4_096), metadata(4_097)),
        ("metadata", {f"k{n}": "v" for n in range(50)}, {f"k{n}": "v" for n in range(51)}),
    ],
)
def test_largest_valid_value_is_accepted(name: str, largest: object, too_large: object) -> None:
    accepted, loaded = both(ADA | {name: largest})

    assert accepted == loaded
    assert accepted[name] == largest
    assert both(ADA | {name: too_large}) == (None, None)


@pytest.mark.parametrize(
    "documents",
    [
        {"metadata": {f"k{n}": '"' * 500 for n in range(3)}},
        {
            "addresses": [dict.fromkeys(("line1", "line2", "city"), '"' * 200) | {"country": "GB"}]
            * 3
        },
    ],
)
def test_size_limit_counts_documents_and_names(documents: dict[str, Any]) -> None:
    names = dict.fromkeys(NAMES, '"' * 300) | {"company_name": '"' * 500}

    assert acceptance.accept(ADA | documents)
    assert both(ADA | documents | names) == (None, None)


def test_customer_of_the_maximum_size_is_accepted() -> None:
    quotes = {"metadata": {f"k{n}": '"' * 500 for n in range(3)}}
    most = ADA | quotes | {"company_name": '"' * 500, "given_name": '"' * 300}
    unused = MAX_SIZE - size(schemas.load_customer(most | {"family_name": "x"}))
    largest = most | {"family_name": "x" * (1 + unused)}

    accepted, loaded = both(largest)

    assert accepted == loaded
    assert size(accepted) == MAX_SIZE
    assert both(largest | {"family_name": "x" * (2 + unused)}) == (None, None)


@pytest.mark.parametrize("document", [None, [], "a", {}, {"email": "a@b.co"}, ADA | {"id": None}])
def test_rejected_document_has_the_errors_of_the_schemas(document: object) -> None:
    with pytest.raises(ValidationError) as expected:
        schemas.load_customer(document)
    with pytest.raises(ValidationError) as raised:
        acceptance.load_customer(document)

    assert raised.value.errors == expected.value.errors


def test_customers_do_not_share_default_documents() -> None:
    one, other = (acceptance.accept(ADA) for _ in range(2))

    assert one["addresses"] is not other["addresses"]
    assert one["metadata"] is not other["metadata"]


def test_customer_without_documents_always_fits() -> None:
    """The fast path doesn't check the size of such customers."""
    empty: dict[str, Any] = {"addresses": [], "metadata": {}}
    texts = {
        name: field.max_length
        for name, field in schemas.Customer().fields.items()
        if isinstance(field, Text)
    }

    for character in ('"', "😀"):  # the largest as JSON
        largest = {name: character * length for name, length in texts.items()}
        assert set(NAMES) < largest.keys()
        assert size(largest | empty) <= MAX_SIZE


def test_fast_path_imports_no_marshmallow() -> None:
    program = (
        "import sys; from chalicelib.customers import acceptance;"
        "from chalicelib.http import rules;"
        "query = {'q': ['ad'], 'limit': ['7'], 'created_after': ['2026-01-31T12:00:00Z']};"
        "rules.load_query('chalicelib.customers.queries:GetCustomers', query);"
        f"acceptance.load_patch({{'time_zone': 'Europe/London'}}, {CURRENT!r});"
        f"acceptance.load_batch({{'items': [{WHOLE!r}]}});"
        "assert not {'marshmallow', 'email_validator', 'importlib.resources'} & sys.modules.keys()"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
