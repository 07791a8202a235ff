"""Declare a resource: its names, its fields, its problems, and how it is stored.

    ORDERS = Resource(
        "order",
        "orders",
        OrderNotFound,
        fields=[Field("buyer_id", IDENTIFIER), Field("lines", DOCUMENT), Field("status")],
    )

The table is named like the plural. Besides a column for each field it has the columns that
`chalicelib.database.tables` names. The id is a UUIDv7 that this service generates, and it encodes
the creation time. A new resource is therefore completely known before the INSERT, and no
statement reads back what another one wrote.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import Any, NamedTuple, cast
from uuid import UUID

from chalicelib.database import Row, Value
from chalicelib.http.problems import PreconditionFailed, Problem
from chalicelib.http.values import (
    CREATED_AT_SQL,
    IDENTIFIER,
    TEXT,
    TIME,
    UUID_TEXT,
    VERSION,
    Codec,
    format_time,
    same,
)
from chalicelib.observability.logs import format_timestamp

Document = dict[str, Any]
"""A resource as a JSON object, with all of its fields."""
Fields = Mapping[str, Any]
"""The fields of a resource that a client may set, or some of them."""

MAX_BATCH = 100
MAX_VERSION = 2**32 - 1
DELETION_TIMES = ("deleted_at", "purge_at")
ERASED_AT = "erased_at"  # a column of which only the feed of changes has the value
TIMES = ("updated_at", *DELETION_TIMES)
DELETE_CHARACTER = "\x7f"


class Field(NamedTuple):
    """A field that a client may set. The column has the same name.

    `is_detail` fields are validated on their own, so an update of them does not need the other
    fields. `erased` is the SQL of the value that remains after erasure.
    """

    name: str
    codec: Codec = TEXT
    is_detail: bool = False
    erased: str = "NULL"


class Unique(NamedTuple):
    """A field whose value only one resource that is not deleted may have.

    Values are compared by `key`, whose result is stored in `column`. The table enforces this with a
    unique key on the generated column `<field>_live`, which is NULL in deleted rows.
    """

    field: str
    problem: type[Problem]
    column: str
    key: Callable[[str], str] = str

    @property
    def live_column(self) -> str:
        return f"{self.field}_live"

    def to_column(self, value: str | None) -> str | None:
        return None if value is None else self.key(value)

    def place(self, value: str) -> "Place":
        """Return the place of the resource that has the value."""
        return Place(self, self.key(value))

    def derive(self) -> "Derived":
        """Return the column of keys, which is derived from the field."""
        return Derived(self.column, {self.field}, _column_of(self.field, self.to_column))


class Place(NamedTuple):
    """Where to find the one resource that is not deleted and has a unique value, by its key."""

    unique: Unique
    key: str

    @property
    def field(self) -> str:
        return self.unique.field

    @property
    def column(self) -> str:
        return self.unique.live_column


class Derived(NamedTuple):
    """A column that no response contains: `compute` returns its value from these fields."""

    column: str
    fields: AbstractSet[str]
    compute: Callable[[Fields], Value]


class Resource:
    """A kind of resource, such as orders.

    `name` and `plural` appear in problems and in the audit. `fields` are in the order of the JSON
    document, and `unique` in the order of precedence of their problems. `derived` are columns
    besides those of `unique`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (the parts of a declaration)
        self,
        name: str,
        plural: str,
        not_found: type[Problem],
        fields: Sequence[Field],
        unique: Sequence[Unique] = (),
        derived: Sequence[Derived] = (),
    ) -> None:
        self.name, self.plural, self.table = name, plural, plural
        self.fields, self.unique = fields, unique
        self.writable = tuple(field.name for field in fields)
        self.columns = ("id", "version", *self.writable, *TIMES)
        self.names = ("id", "version", *self.writable, "created_at", *TIMES)
        self.details = frozenset(field.name for field in fields if field.is_detail)
        keys = [one.derive() for one in unique if one.column != one.field]
        self.derived = {one.column: one for one in (*keys, *derived)}
        self.stored = (*self.columns, *self.derived)
        self._inserted = [name for name in self.stored if name not in DELETION_TIMES]
        self.not_found = not_found
        codecs = {"id": IDENTIFIER, "version": VERSION, **dict.fromkeys(TIMES, TIME)}
        codecs |= {field.name: field.codec for field in fields}
        used = {name: codecs[name] for name in self.columns}
        self._from_column = {
            name: codec.from_column for name, codec in used.items() if codec.from_column is not same
        }
        self._to_column = {
            **{name: _column_of(name, codec.to_column) for name, codec in used.items()},
            **{name: one.compute for name, one in self.derived.items()},
        }
        codecs[ERASED_AT] = TIME
        sql = {name: codec.sql.format(column=f"`{name}`") for name, codec in codecs.items()}
        sql["created_at"] = CREATED_AT_SQL
        self._sql = {name: sql[name] for name in (*self.names, ERASED_AT)}

    def parse_id(self, text: str) -> UUID:
        """Return the id in a path. Raises `not_found` for text that is not a UUID."""
        if not UUID_TEXT.fullmatch(text):
            raise self.not_found(f"No {self.name} has this id, because it is not a UUID.")
        return UUID(text)

    def build(
        self, resource_id: UUID, version: int, fields: Fields, updated_at: Any = None
    ) -> Document:
        """Return the document of a resource that is not deleted.

        Without `updated_at`, the resource was not updated since its creation.
        """
        created = format_timestamp(resource_id.int >> 80)
        return {
            "id": str(resource_id),
            "version": version,
            **fields,
            "created_at": created,
            "updated_at": format_time(updated_at) if updated_at else created,
            "deleted_at": None,
            "purge_at": None,
        }

    def build_known(self, resource_id: UUID, version: int) -> Document:
        """Return the read-only fields that are known without reading the resource."""
        document = self.build(resource_id, version, {})
        del document["updated_at"]
        return document

    def from_row(self, row: Row) -> Document:
        """Return the document of a row that has all `columns`."""
        converted: Document = {name: read(row[name]) for name, read in self._from_column.items()}
        milliseconds = int.from_bytes(cast("bytes", row["id"])[:6])
        converted["created_at"] = format_timestamp(milliseconds)
        return {name: converted[name] if name in converted else row[name] for name in self.names}

    def to_row(self, document: Fields, columns: Iterable[str]) -> dict[str, Value]:
        """Return the values of the columns, from a document that has the fields for them."""
        return {column: self._to_column[column](document) for column in columns}

    def derived_from(self, fields: Collection[str]) -> list[str]:
        """Return the derived columns that depend on any of the fields."""
        return [name for name, one in self.derived.items() if not one.fields.isdisjoint(fields)]

    def to_new_row(self, document: Document) -> dict[str, Value]:
        """Return the values of the columns of a new row, without those that are null."""
        to_column = self._to_column
        return {
            column: value
            for column in self._inserted
            if (value := to_column[column](document)) is not None
        }

    def select(self, names: Collection[str]) -> str:
        """Return the SQL of a resource's JSON text, limited to the named fields, AS `document`.

        The database builds the text. Reading 50 rows and writing them as JSON in Python took six
        times as long as all other work of a list. `read_texts` makes JSON of the result.
        """
        return self._document(self._json(names))

    def select_change(self, names: Collection[str]) -> str:
        """Return the SQL of the JSON text of a resource in the feed of changes, AS `document`.

        Of a deleted or erased resource, it has the id, the version and the time. Without `names`, a
        live one is whole.
        """
        deleted, erased = (
            self._json(("id", "version", time)) for time in ("deleted_at", ERASED_AT)
        )
        live = self._json(names or self.names)
        return self._document(
            f"CASE WHEN {ERASED_AT} IS NOT NULL THEN {erased}"
            f" WHEN deleted_at IS NOT NULL THEN {deleted} ELSE {live} END"
        )

    def _json(self, names: Collection[str]) -> str:
        pairs = [f"""'"{name}":', {self._sql[name]}""" for name in self._sql if name in names]
        return f"""CONCAT('{{', {", ',', ".join(pairs)}, '}}')"""

    @staticmethod
    def _document(json_sql: str) -> str:
        return f"""REPLACE({json_sql}, '"', CHAR(127 USING utf8mb4)) AS document"""

    def missing(self, field: str = "id") -> Problem:
        """Return the problem for an id, or a value of a unique field, that no resource has."""
        return self.not_found(f"No {self.name} has this {field}, or it was deleted.")

    def erased(self) -> Problem:
        """Return the problem for an id that no resource has, not even a deleted one."""
        return self.not_found(f"No {self.name} has this id, or it was erased.")

    def changed(self, *, has_weak_tag: bool = False) -> Problem:
        """Return the problem for an `If-Match` that does not name the current version."""
        if has_weak_tag:
            return PreconditionFailed(
                "If-Match names a weak ETag (W/), which never matches. A proxy that compresses"
                " responses may have added W/. Send the ETag without W/."
            )
        return PreconditionFailed(
            f"The {self.name} has changed: its version doesn't match If-Match."
            f" Fetch the {self.name} and reapply your change."
        )


def _column_of(field: str, to_column: Callable[[Any], Value]) -> Callable[[Fields], Value]:
    """Return a function that returns the value of the field's column from a document."""
    if to_column is same:
        return itemgetter(field)  # faster than Python code; a create calls it for most columns
    return lambda document: to_column(document[field])


def read_texts(rows: Iterable[Row], separator: str = ",") -> str:
    """Return the JSON texts that `Resource.select` selected, with the separator between them.

    In the rows, the character DEL stands for quotation marks. No text of a resource contains it.
    The Data API would escape each quotation mark, which would be most of the cost of a page.
    """
    texts: list[Any] = [row["document"] for row in rows]
    return separator.join(texts).replace(DELETE_CHARACTER, '"')
