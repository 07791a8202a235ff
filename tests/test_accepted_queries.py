"""The fast path accepts only query strings that the marshmallow schemas accept, with one result."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app import operation
from chalicelib.customers import queries
from chalicelib.http import queries as http_queries
from chalicelib.http import rules
from chalicelib.http.problems import ValidationError
from chalicelib.http.references import resolve
from chalicelib.http.rules import Unsure
from tests.test_acceptance import EMAILS, LONG, TEXTS

LIST = "chalicelib.customers.queries:GetCustomers"
SCHEMAS = [each.query for each in operation.table.values() if each.query]

MOMENTS = st.from_regex(
    r"20[0-9]{2}-(0[1-9]|1[0-3])-(0[1-9]|31)[T ]2[0-4]:[0-6]0:[06]0(\.[0-9]{0,8})?"
    r"(Z|[ +-]0[0-9]:?30)?",
    fullmatch=True,
)
NUMBERS = st.integers(-1, 102).map(str) | st.sampled_from(["007", "1.0", "1_0", "٣", "+1", "1e1"])
BOOLEANS = st.sampled_from(["true", "false", "True", "1", "on"])
SOME: dict[str, st.SearchStrategy[str]] = {
    "fields": st.lists(st.sampled_from(["id", "email", "phone", "unknown", " id"])).map(",".join),
    "limit": NUMBERS,
    "sort": st.sampled_from([*queries.SORTS, "+created_at", "id"]),
    "email": EMAILS,
    "phone": st.from_regex(r"[+ ]?44[0-9 ()-]{1,17}", fullmatch=True),
    "status": st.sampled_from(["active", "inactive", "Active"]),
    **dict.fromkeys(("created_after", "created_before", "updated_after"), MOMENTS),
    "q": st.sampled_from(["a", "ad", "日", "é", "e\u0301", "aé", "ß", "🎉", "\u200bab"]) | LONG,
    "include_deleted": BOOLEANS,
    "deep": BOOLEANS,
}
NAMES = [*queries.GetCustomers().fields, "fields", "deep", "unknown"]
VALUES = {name: SOME.get(name, TEXTS) | TEXTS for name in NAMES}
QUERIES = st.fixed_dictionaries(
    {}, optional={name: st.lists(value, min_size=1, max_size=1) for name, value in VALUES.items()}
)
FEW = st.builds(
    lambda query, names: {name: query[name] for name in query if name in names},
    QUERIES,
    st.sets(st.sampled_from(NAMES), max_size=3),
)


def both(schema: str, query: dict[str, list[str]]) -> tuple[Any, Any]:
    """Return the results of the fast path and of the schema; None for a rejected query."""
    try:
        accepted = rules.load_query(schema, query)
    except Unsure:
        accepted = None
    try:
        loaded = http_queries.load(resolve(schema), query)
    except ValidationError:
        loaded = None
    return accepted, loaded


@pytest.mark.exhaustive
@given(st.sampled_from(SCHEMAS), FEW)
@settings(max_examples=1_000)
@example(LIST, {"limit": ["1", "1"]})
@example(LIST, {"limit": ["1" * 5_000]})
@example(LIST, {"fields": [""]})
@example(LIST, {"fields": ["email,id,email"]})
@example(LIST, {"created_after": ["2026-01-31T23:59:60Z"]})
@example(LIST, {"created_after": ["0001-01-01T00:00:00+01:00"]})
@example(LIST, {"created_after": ["2026-01-31T12:00:00.0000000001 01:00"]})
def test_fast_path_accepts_only_what_the_schema_accepts(
    schema: str, query: dict[str, list[str]]
) -> None:
    accepted, loaded = both(schema, query)

    if accepted is not None:
        assert accepted == loaded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fields", "id,email"),
        ("limit", "100"),
        ("cursor", "a.b"),
        ("sort", "-updated_at"),
        ("email", "ada@example.com"),
        ("phone", "+442079460000"),
        ("external_id", "A-1"),
        ("status", "active"),
        ("created_after", "2026-01-31T12:00:00Z"),
        ("created_before", "2026-01-31t12:00:00.123+0100"),
        ("updated_after", "2026-01-31 12:00:00.123456789z"),
        ("q", "ad"),
        ("q", "日"),
        ("include_deleted", "true"),
    ],
)
def test_fast_path_accepts_usual_parameters(name: str, value: str) -> None:
    accepted, loaded = both(LIST, {name: [value]})

    assert accepted == loaded
    assert accepted.keys() == {name}


def test_every_query_schema_has_rules() -> None:
    for schema in SCHEMAS:
        assert rules.load_query(schema, {}) == {}
    with pytest.raises(Unsure):
        rules.load_query("chalicelib.http.queries:Query", {})
    with pytest.raises(Unsure):
        rules.load_query(None, {"a": ["b"]})
