"""Load request bodies with marshmallow schemas: new resources, replacements, patches, batches.

This module imports marshmallow, so it is imported by the first request about whose body `rules` is
unsure.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, ClassVar

import marshmallow
from marshmallow import INCLUDE, Schema, missing, validate, validates_schema
from marshmallow.fields import Nested

from chalicelib.http import edits
from chalicelib.http.fields import MESSAGES, Identifier, Integer, Items, Member, ReadOnly
from chalicelib.http.problems import invalid
from chalicelib.http.resources import MAX_BATCH, MAX_VERSION, Unique

CHOICE = "choice: Must be one of {choices}."
AT_LEAST_ONE = validate.Length(min=1, error="too-few: Must have at least {min} item.")


class JSONObject(Schema):
    error_messages = {
        "unknown": "unknown: Unknown field.",
        "type": "type: Must be a JSON object.",
    }


class Versioned(JSONObject):
    """Base of the schemas of resources: the fields that only the service sets."""

    id = ReadOnly(metadata={"description": "Unique identifier: a UUID, version 7."})
    version = ReadOnly(
        metadata={"description": "Starts at 1, and increases by 1 with each update."}
    )
    created_at = ReadOnly(metadata={"description": "Time of creation, in UTC, in milliseconds."})
    updated_at = ReadOnly(
        metadata={"description": "Time of the last update, in UTC, in milliseconds."}
    )
    deleted_at = ReadOnly(metadata={"description": "Time of deletion; null unless deleted."})
    purge_at = ReadOnly(
        metadata={"description": "Time after which the service erases it; null unless deleted."}
    )


class Batch(JSONObject):
    """Base of the schemas of `{"items": [...]}`, which declare `items = items_of(...)`."""

    unique: ClassVar[Collection[Unique]] = ()

    @validates_schema
    def _has_no_duplicates(self, batch: dict[str, Any], **_: Any) -> None:
        errors: dict[int, dict[str, list[str]]] = {}
        for unique in self.unique:
            keys = [unique.to_column(item[unique.field]) for item in batch["items"]]
            for n, first in _find_duplicates(keys):
                errors.setdefault(n, {})[unique.field] = [f"repeated: Duplicates item {first}."]
        if errors:
            raise marshmallow.ValidationError({"items": errors})


def items_of(schema: type[Schema], description: str) -> Items:
    """Return the field of a batch's items."""
    return Items(
        Nested(schema, error_messages=MESSAGES),
        max_items=MAX_BATCH,
        required=True,
        validate=AT_LEAST_ONE,
        metadata={"description": description},
    )


class Reference(JSONObject):
    """A resource that a client has read."""

    id = Identifier(required=True, metadata={"description": "The id."})
    version = Integer(
        1,
        MAX_VERSION,
        required=True,
        metadata={"description": "The version that you have read. If it has changed: 409."},
    )


class Change(Reference):
    """A reference, and beside it the fields of a merge patch."""

    class Meta:
        unknown = INCLUDE


class References(JSONObject):
    """Several resources, each named once."""

    items = items_of(Reference, "The resources, each named once.")

    @validates_schema
    def _has_no_duplicates(self, batch: dict[str, Any], **_: Any) -> None:
        found = _find_duplicates(item["id"] for item in batch["items"])
        if errors := {n: {"id": [f"repeated: Duplicates item {first}."]} for n, first in found}:
            raise marshmallow.ValidationError({"items": errors})


class Changes(References):
    items = items_of(Change, "The changed resources, each named once.")


def load(
    schema: type[Schema], document: object, current: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return all writable fields of a new resource, or of a replacement of `current`.

    Read-only fields that equal those of `current`, as far as it is known, may be sent. Raises
    problems.ValidationError.
    """
    if current:
        document = edits.without_unchanged(document, current, _read_only(schema))
    return _load(_instance(schema), document)


def load_batch(schema: type[Batch], document: object) -> list[dict[str, Any]]:
    """Return what `load` returns, for each item of a batch. Raises problems.ValidationError."""
    batch: list[dict[str, Any]] = _load(_instance(schema), document)["items"]
    return batch


def load_references(document: object) -> list[dict[str, Any]]:
    """Return id and version of each item. Raises problems.ValidationError."""
    items: list[dict[str, Any]] = _load(_instance(References), document)["items"]
    return items


def load_changes(document: object) -> list[dict[str, Any]]:
    """Return each item, of which only id and version are valid. Raises ValidationError."""
    items: list[dict[str, Any]] = _load(_instance(Changes), document)["items"]
    return items


def load_patch(schema: type[Schema], patch: object, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return all writable fields of `current` with the merge patch applied.

    Null removes the value of an optional field; it is invalid for the others. Raises
    problems.ValidationError.
    """
    merged = edits.patched(patch, current, _optional(schema))
    return load(schema, merged, current)


def load_details(schema: type[Schema], details: AbstractSet[str], patch: object) -> dict[str, Any]:
    """Return the fields that the merge patch sets, all of which are details.

    Raises problems.ValidationError.
    """
    return _load(schema(only=details, partial=True), patch)


def load_parameter(schema: type[Schema], name: str, text: str) -> str:
    """Return the value of the field, given in a path. Raises problems.ValidationError."""
    try:
        value: str = schema(only=[name], partial=True).load({name: text})[name]
    except marshmallow.ValidationError as error:
        messages = (message for _, message in _flatten(error.messages))
        raise invalid("parameter", [(name, message) for message in messages]) from None
    return value


def _load(schema: Schema, document: object) -> dict[str, Any]:
    try:
        return schema.load(document)  # type: ignore[arg-type, no-any-return]
    except marshmallow.ValidationError as error:
        raise invalid("pointer", _flatten(error.messages)) from None


def _find_duplicates(values: Iterable[str | None]) -> Iterator[tuple[int, int]]:
    """Yield the index of each value that an earlier one equals, and the index of that one."""
    first: dict[str, int] = {}
    for n, value in enumerate(values):
        if value is not None and first.setdefault(value, n) != n:
            yield n, first[value]


@cache
def _instance(schema: type[Schema]) -> Schema:
    return schema()


@cache
def _read_only(schema: type[Schema]) -> frozenset[str]:
    fields = _instance(schema).fields
    return frozenset(name for name, field in fields.items() if isinstance(field, ReadOnly))


@cache
def _optional(schema: type[Schema]) -> frozenset[str]:
    """Return the fields whose default is empty: null, [] or {}."""
    fields = _instance(schema).fields
    defaults = {name: field.load_default for name, field in fields.items()}
    return frozenset(
        name
        for name, default in defaults.items()
        if default is not missing and not (default() if callable(default) else default)
    )


def _flatten(messages: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Flatten marshmallow's tree of messages to JSON pointers (RFC 6901) and messages."""
    if not isinstance(messages, dict):
        yield from ((pointer, message) for message in messages)
        return
    for name, nested in messages.items():
        part = str(name).replace("~", "~0").replace("/", "~1")
        is_about_the_whole = name == "_schema" and not isinstance(name, Member)
        yield from _flatten(nested, pointer if is_about_the_whole else f"{pointer}/{part}")
