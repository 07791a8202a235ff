"""List customers: filters, sorting, prefix search and keyset pagination.

Each page is one SQL statement. A page starts after the last row of the previous page, so its cost
does not grow with its position, and concurrent inserts and deletes neither skip nor repeat
customers. docs/decisions/0007 gives reasons and measurements.

The statement is a UNION of branches. Each branch scans one range of one index in list order and
stops after one page of rows. The outer query merges the branches and sorts the result.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast
from uuid import UUID

from chalicelib.customers.fields import CUSTOMERS, MAX_KEY, email_key, search_key
from chalicelib.database import Database, Row, Value
from chalicelib.http import pagination
from chalicelib.http.pagination import Page, Position
from chalicelib.http.problems import invalid
from chalicelib.http.values import EPOCH, MILLISECOND, lowest_id

_FILTERS = {
    "email": "email_key = :email",
    "phone": "phone = :phone",
    "external_id": "external_id = :external_id",
    "status": "status = :status",
    "created_after": "id >= :created_after",
    "created_before": "id < :created_before",
    "updated_after": "updated_at > :updated_after",
}
# The indexes for sorting by creation, and by update. The first filter of a query selects the entry:
# more selective filters are listed first. Deleted customers may share an email address or an
# external id, but so few of them that sorting is cheap.
_INDEXES = {
    "external_id": ("external_id", "external_id"),
    "email": ("email", "email"),
    "phone": ("phone", "phone_updated"),
    "status": ("status", "status_updated"),
}
# Not LIKE: the range that an engine derives from a pattern depends on the collation, and may end
# below characters beyond U+FFFF.
_PREFIXES = {
    "name_key": "(name_key >= :q AND name_key < :q_end)",
    "family_name_key": "(family_name_key >= :q AND family_name_key < :q_end)",
    "company_name_key": "(company_name_key >= :q AND company_name_key < :q_end)",
    "email": "(email_key >= :q_email AND email_key < :q_email_end)",
}
_FIRST_SURROGATE, _LAST_CHARACTER = 0xD800, "\U0010ffff"

# For a time of creation and sorting by update, MySQL would read the whole index, skipping from one
# time of update to the next, and sort. MariaDB takes the hint for a comment.
_HINT = "/*+ NO_SKIP_SCAN(customers) */"


class Query(NamedTuple):
    """The filters, sorting and page of a list.

    `q` requires sorting by creation, and `updated_after` sorting by update: `combine` checks this.
    """

    id: Collection[str] = ()
    email: str | None = None
    phone: str | None = None
    external_id: str | None = None
    status: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    updated_after: datetime | None = None
    q: str | None = None
    include_deleted: bool = False
    sort: str = "-created_at"
    limit: int = 20
    cursor: str | None = None
    fields: Collection[str] = frozenset(CUSTOMERS.names)

    @property
    def order(self) -> tuple[str, ...]:
        """The columns to sort by. Sorting by id is sorting by creation."""
        return ("updated_at", "id") if self.sort.endswith("updated_at") else ("id",)

    @property
    def filters(self) -> dict[str, Any]:
        """The given filters, except `q` and `include_deleted`."""
        return {name: v for name in _FILTERS if (v := getattr(self, name)) is not None}

    @property
    def listed(self) -> dict[str, str]:
        """What determines the list and its order, but not the page; cursors are signed for it."""
        more = {"q": self.q or "", "deleted": self.include_deleted, "sort": self.sort}
        return {name: str(value) for name, value in (self.filters | more).items()}


def combine(**parameters: Any) -> Query:
    """Return the query with these parameters, each of which is valid.

    Raises ValidationError if they can't be combined.
    """
    if conflict := _find_conflict(parameters):
        name, detail = conflict
        raise invalid("parameter", [(name, f"combination: {detail}")])
    default = "updated_at" if "updated_after" in parameters else "-created_at"
    return Query(**{"sort": default, **parameters})


def _find_conflict(parameters: Mapping[str, Any]) -> tuple[str, str] | None:
    if "id" in parameters and parameters.keys() - {"id", "fields"}:
        return "id", "id must not be combined with other parameters than fields."
    is_by_update = parameters["sort"].endswith("updated_at") if "sort" in parameters else None
    if "updated_after" in parameters and is_by_update is False:
        return "sort", "updated_after requires sorting by updated_at."
    if "q" in parameters and is_by_update:
        return "sort", "q requires sorting by created_at."
    if "q" in parameters and "updated_after" in parameters:
        return "q", "Must not be combined with updated_after."
    return None


def page(database: Database, query: Query, key: bytes) -> Page:
    """Return a page of the list; `key` signs cursors. Raises ValidationError for the cursor."""
    listed = query.listed
    after = pagination.parse(key, listed, query.cursor)
    parameters = _parameters(query, after) | {"rows": query.limit + 1}
    rows = database.fetch_all(_statement(_shape(query)), **parameters)
    return pagination.make_page(
        rows,
        query.limit,
        lambda row: pagination.encode(key, listed, _position_of(row, query)),
    )


def _position_of(row: Row, query: Query) -> Position:
    updated_at = cast("datetime", row["updated_at"]) if "updated_at" in query.order else None
    return Position(UUID(cast("str", row["hex_id"])), updated_at)


def _shape(query: Query) -> Query:
    """Return the query without values: queries of the same shape have the same statement."""
    names = (*query.filters, "q", "cursor")
    given: dict[str, Any] = {name: "?" for name in names if getattr(query, name) is not None}
    return query._replace(**given, limit=0, fields=frozenset(query.fields))


@lru_cache(maxsize=256)
def _statement(query: Query) -> str:
    order = ", ".join(query.order)
    # as text, which costs less than bytes
    selected = f"{order.replace('id', 'HEX(id) AS hex_id')}, {CUSTOMERS.select(query.fields)}"
    branches = [
        f"FROM customers FORCE INDEX (ix_customers_{index})"
        f" WHERE {' AND '.join(conditions)} {_order_and_limit(query)}"
        for index, conditions in _branches(query)
    ]
    if len(branches) == 1:
        return f"SELECT {_HINT} {selected} {branches[0]}"
    # STRAIGHT_JOIN: find the ids first; the optimizer might scan a table that looks small
    return (
        f"SELECT STRAIGHT_JOIN {selected} FROM"
        f" ({' UNION '.join(f'(SELECT {_HINT} {order} {branch})' for branch in branches)}) AS found"
        f" JOIN customers USING ({order}) {_order_and_limit(query)}"
    )


def _branches(query: Query) -> Iterable[tuple[str, list[str]]]:
    """Yield the index and the conditions of each branch.

    The index is forced. With outdated statistics, or for an unknown prefix, the optimizer might
    scan the whole table in list order.
    """
    common = [_FILTERS[name] for name in query.filters]
    if query.cursor is not None:
        common.append(_after_cursor(query))
    for state in ("live", "deleted")[: 1 + query.include_deleted]:
        for index, conditions in _ranges(query):
            yield index, [f"state = '{state}'", *conditions, *common]


def _ranges(query: Query) -> Iterable[tuple[str, list[str]]]:
    """Yield the indexes to scan, each with its condition on `q`.

    A prefix search scans four indexes, unless a more selective filter is given.
    """
    driving = next((name for name in _INDEXES if name in query.filters), None)
    if query.q and driving in {None, "status"}:
        return [(index, [condition]) for index, condition in _PREFIXES.items()]
    indexes = _INDEXES[driving] if driving else ("created", "updated")
    prefix = [f"({' OR '.join(_PREFIXES.values())})"] if query.q else []
    return [(indexes[len(query.order) - 1], prefix)]


def _after_cursor(query: Query) -> str:
    beyond = "<" if query.sort.startswith("-") else ">"
    if query.order == ("id",):
        return f"id {beyond} :after_id"
    # not (updated_at, id) < (...): MySQL can't use a range scan for that
    return (
        f"(updated_at {beyond} :after_updated_at"
        f" OR (updated_at = :after_updated_at AND id {beyond} :after_id))"
    )


def _order_and_limit(query: Query) -> str:
    direction = "DESC" if query.sort.startswith("-") else "ASC"
    order = ", ".join(f"{column} {direction}" for column in query.order)
    return f"ORDER BY {order} LIMIT :rows"


def _parameters(query: Query, after: Position | None) -> dict[str, Value]:
    parameters = {name: _STORED_AS.get(name, _same)(v) for name, v in query.filters.items()}
    if query.q:
        for name, key in (("q", search_key(query.q)), ("q_email", email_key(query.q))):
            parameters |= {name: key, f"{name}_end": _end_of_prefix(key)}
    if after:
        parameters["after_id"] = after.id.bytes
        if after.time:
            parameters["after_updated_at"] = after.time
    return parameters


def _end_of_prefix(prefix: str) -> str:
    """Return the lowest text after all texts that begin with the prefix, by code points."""
    rest = prefix.rstrip(_LAST_CHARACTER)
    if not rest:
        return _LAST_CHARACTER * (MAX_KEY + 1)
    after = ord(rest[-1]) + 1
    return rest[:-1] + chr(0xE000 if after == _FIRST_SURROGATE else after)


def _same(value: Value) -> Value:
    return value


def _first_id_after(moment: datetime) -> bytes:
    """Return the lowest id of the first millisecond after the moment."""
    return lowest_id((moment - EPOCH) // MILLISECOND + 1)


def _first_id_since(moment: datetime) -> bytes:
    """Return the lowest id of the first millisecond at or after the moment."""
    return lowest_id(-((EPOCH - moment) // MILLISECOND))


def _whole_milliseconds(moment: datetime) -> datetime:
    """Truncate to milliseconds, because the database would round. Nothing was before 1970."""
    return max(EPOCH, moment - (moment - EPOCH) % MILLISECOND)


_STORED_AS: Mapping[str, Any] = {
    "email": email_key,
    "created_after": _first_id_after,
    "created_before": _first_id_since,
    "updated_after": _whole_milliseconds,
}
