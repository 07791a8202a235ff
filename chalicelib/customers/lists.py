"""The list of customers: filtered, ordered and paged by one SQL statement a page.

A page goes on behind the last customer of the one before it, by the order's own columns, so that
it costs the same anywhere in the list, and no customer is skipped or repeated because others come
and go. docs/decisions/0007 has the reasons and the figures.

A statement is made of branches. Each walks one range of one key in the order of the list and ends
after a page; several are united by their ids, and ordered again: that is at most a page of each.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, cast
from uuid import UUID

from chalicelib.customers.rows import MEMBERS, as_json, email_key, texts
from chalicelib.database import Database, Row, Value
from chalicelib.http import pagination
from chalicelib.http.pagination import Position
from chalicelib.http.problems import invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_FILTERS = {
    "email": "email_key = :email",
    "phone": "phone = :phone",
    "external_id": "external_id = :external_id",
    "status": "status = :status",
    "created_after": "id >= :created_after",
    "created_before": "id < :created_before",
    "updated_after": "updated_at > :updated_after",
}
# The keys for an order by creation and for one by update. The first filter that is given decides:
# the fewer customers one can leave, the earlier it stands. Deleted customers may share an email
# address or an external id, for as long as they are kept: so few that they may be sorted.
_KEYS = {
    "external_id": ("external_id", "external_id"),
    "email": ("email", "email"),
    "phone": ("phone", "phone_updated"),
    "status": ("status", "status_updated"),
}
_PREFIXES = {
    "name": "name LIKE :q ESCAPE '!'",
    "family_name": "family_name LIKE :q ESCAPE '!'",
    "company_name": "company_name LIKE :q ESCAPE '!'",
    "email": "email_key LIKE :q_email ESCAPE '!'",
}


class Query(NamedTuple):
    """What is asked of the list: its filters, its order, and which part of it.

    `parameters.GetCustomers` has the rules, of which these are relied on: `q` comes with an order
    by creation only, `updated_after` with one by update.
    """

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
    fields: Collection[str] = MEMBERS

    @property
    def order(self) -> tuple[str, ...]:
        """The columns that customers are ordered by: the id is the order of creation."""
        return ("updated_at", "id") if self.sort.endswith("updated_at") else ("id",)

    @property
    def filters(self) -> dict[str, Any]:
        """The filters that are given, but for `q` and `include_deleted`."""
        given = ((name, getattr(self, name)) for name in _FILTERS)
        return {name: value for name, value in given if value is not None}

    @property
    def listed(self) -> dict[str, str]:
        """What decides which customers are in the list, and in which order: not which page."""
        more = {"q": self.q or "", "deleted": self.include_deleted, "sort": self.sort}
        return {name: str(value) for name, value in (self.filters | more).items()}


class Page(NamedTuple):
    """The JSON text of customers, as the query orders them; `cursor` is None at the end."""

    items: str
    cursor: str | None


def page(database: Database, query: Query, key: bytes) -> Page:
    """Return a page of the list; `key` signs cursors. Raises ValidationError for the cursor."""
    after = _position(query, key) if query.cursor is not None else None
    parameters = _parameters(query, after) | {"rows": query.limit + 1}
    rows = database.fetch_all(_statement(_shape(query)), **parameters)
    items = f"[{texts(rows[: query.limit])}]"
    if len(rows) <= query.limit:
        return Page(items, None)
    last = _position_of(rows[query.limit - 1], query)
    return Page(items, pagination.encode(key, query.listed, last))


def _position(query: Query, key: bytes) -> Position:
    try:
        return pagination.decode(key, query.listed, query.cursor or "")
    except ValueError:
        message = "cursor: Must be the cursor of a page's `next`, with its other parameters."
        raise invalid("parameter", [("cursor", message)]) from None


def _position_of(row: Row, query: Query) -> Position:
    updated_at = cast("datetime", row["updated_at"]) if "updated_at" in query.order else None
    return Position(UUID(cast("str", row["hex_id"])), updated_at)


def _shape(query: Query) -> Query:
    """Return the query without its values: those of one shape are asked by one statement."""
    names = (*query.filters, "q", "cursor")
    given: dict[str, Any] = {name: "?" for name in names if getattr(query, name) is not None}
    return query._replace(**given, limit=0, fields=frozenset(query.fields))


@lru_cache(maxsize=256)
def _statement(query: Query) -> str:
    order = ", ".join(query.order)
    # as text, which costs a page less than bytes do
    wanted = f"{order.replace('id', 'HEX(id) AS hex_id')}, {as_json(query.fields)}"
    branches = [
        f"FROM customers FORCE INDEX (ix_customers_{key})"
        f" WHERE {' AND '.join(conditions)} {_order_and_limit(query)}"
        for key, conditions in _branches(query)
    ]
    if len(branches) == 1:
        return f"SELECT {wanted} {branches[0]}"
    # STRAIGHT_JOIN: the ids first. A table that looks small would be read from end to end.
    return (
        f"SELECT STRAIGHT_JOIN {wanted} FROM"
        f" ({' UNION '.join(f'(SELECT {order} {branch})' for branch in branches)}) AS found"
        f" JOIN customers USING ({order}) {_order_and_limit(query)}"
    )


def _branches(query: Query) -> Iterable[tuple[str, list[str]]]:
    """Yield the key and the conditions of each branch.

    The key is forced: by statistics of a table whose customers come and go, and of prefixes that
    it has not seen, an optimizer may well read the whole table in the order of the list.
    """
    common = [_FILTERS[name] for name in query.filters]
    if query.cursor is not None:
        common.append(_behind(query))
    for state in ("live", "deleted")[: 1 + query.include_deleted]:
        for key, more in _ranges(query):
            yield key, [f"state = '{state}'", *more, *common]


def _ranges(query: Query) -> Iterable[tuple[str, list[str]]]:
    """Yield the keys to walk, each with what it says of `q`.

    A prefix is looked for along the four keys that have it, unless another filter leaves few.
    """
    driving = next((name for name in _KEYS if name in query.filters), None)
    if query.q and driving in {None, "status"}:
        return [(key, [condition]) for key, condition in _PREFIXES.items()]
    keys = _KEYS[driving] if driving else ("created", "updated")
    prefix = [f"({' OR '.join(_PREFIXES.values())})"] if query.q else []
    return [(keys[len(query.order) - 1], prefix)]


def _behind(query: Query) -> str:
    beyond = "<" if query.sort.startswith("-") else ">"
    if query.order == ("id",):
        return f"id {beyond} :after_id"
    # not (updated_at, id) < (...): MySQL finds no range in that
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
        parameters["q"] = _escaped(query.q) + "%"
        parameters["q_email"] = _escaped(email_key(query.q)) + "%"
    if after:
        parameters["after_id"] = after.id.bytes
        if after.updated_at:
            parameters["after_updated_at"] = after.updated_at
    return parameters


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _same(value: Value) -> Value:
    return value


def _first_id_after(moment: datetime) -> bytes:
    """Return the lowest id of the first millisecond that is later than the moment."""
    return _lowest_id((moment - _EPOCH) // _MILLISECOND + 1)


def _first_id_since(moment: datetime) -> bytes:
    """Return the lowest id of the first millisecond that is not before the moment."""
    return _lowest_id(-((_EPOCH - moment) // _MILLISECOND))


def _lowest_id(milliseconds: int) -> bytes:
    return (max(0, milliseconds) << 80).to_bytes(16, "big")


def _whole_milliseconds(moment: datetime) -> datetime:
    """Return the moment's millisecond: a database might round it up. Nothing was before 1970."""
    return max(_EPOCH, moment - (moment - _EPOCH) % _MILLISECOND)


_STORED_AS: Mapping[str, Any] = {
    "email": email_key,
    "created_after": _first_id_after,
    "created_before": _first_id_since,
    "updated_after": _whole_milliseconds,
}
