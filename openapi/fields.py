"""JSON Schemas of marshmallow fields."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema
from marshmallow.fields import Field, Integer, List, Nested
from marshmallow.validate import OneOf, Regexp

from chalicelib.http import fields, formats
from chalicelib.http.routing import DeclarationError
from openapi import unicode
from openapi.declarations import JSONSchema

# ECMA-262, without lookahead and \p, which not every engine knows
_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_SPACE = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BLANK = r"\u2800"
# invisible characters that are valid in some places: joiners and variation selectors
_IN_PLACES = r"\u180b-\u180f\u200c\u200d\ufe00-\ufe0f"
_INVALID = _CONTROL + unicode.ecma_class(
    f"[[{unicode.SETS['invisible']}{unicode.SETS['noncharacter']}]--[{_IN_PLACES}]]"
)
_UNSEEN = _INVALID + _SPACE + _BLANK + _IN_PLACES
LINE = f"^[^{_INVALID}]*[^{_UNSEEN}][^{_INVALID}]*$"
TRIMMED = f"^[^{_INVALID}{_SPACE}]([^{_INVALID}]*[^{_INVALID}{_SPACE}])?$"
PHONE = rf"^[^0-9A-Za-z+\uff0b{_CONTROL}]*[+\uff0b][^A-Za-z+\uff0b{_CONTROL}]*$"
LANGUAGE = "^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$"
COUNTRY = "^[A-Z]{2}$"
UUID = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
KINDS = {"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf"}

# The read-only fields that every resource has. Others have `metadata={"type": ...}`.
READ_ONLY: dict[str, JSONSchema] = {
    "id": {"type": "string", "format": "uuid"},
    "version": {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**32 - 1},
    "created_at": {"type": "string", "format": "date-time"},
    "updated_at": {"type": "string", "format": "date-time"},
    "deleted_at": {"type": ["string", "null"], "format": "date-time"},
    "purge_at": {"type": ["string", "null"], "format": "date-time"},
}


def object_schema(
    schema: type[Schema], defaults: Mapping[str, Any] = MappingProxyType({})
) -> JSONSchema:
    """Return the JSON Schema of an object, with the schemas of nested objects in it.

    `defaults` has defaults by field that the marshmallow schema lacks. Raises DeclarationError if a
    field lacks a description, or JSON Schema can't express it.
    """
    rules: JSONSchema = _converter().schema2jsonschema(schema())  # type: ignore[no-untyped-call]
    for name, field in named_fields(schema):
        own = rules["properties"][name]
        _check(f"{schema.__name__}.{name}", field, own)
        own |= {"default": defaults[name]} if name in defaults else {}
        own["description"] += _limits(own)
    return rules


def named_fields(schema: type[Schema]) -> list[tuple[str, Field[Any]]]:
    """Return the fields of a schema by their names in JSON."""
    return [(field.data_key or name, field) for name, field in schema().fields.items()]


def nested_schema(field: Field[Any]) -> type[Schema] | None:
    """Return the schema of the object, or of the objects, that a field has."""
    inner = field.inner if isinstance(field, List) else field
    return type(inner.schema) if isinstance(inner, Nested) else None


def _limits(rules: JSONSchema) -> str:
    """Return sentences that state the default and the maximum of a value."""
    default = rules.get("default")
    is_shown = default not in (None, [], {})
    return (
        (f" Default: `{json.dumps(default)}`." if is_shown else "")
        + (f" Maximum: {rules['maximum']}." if "maximum" in rules else "")
        + (f" Maximum: {rules['maxItems']} items." if "maxItems" in rules else "")
    )


def _check(name: str, field: Field[Any], rules: JSONSchema) -> None:
    if rules.keys().isdisjoint(KINDS):
        raise DeclarationError(
            f"{name}: JSON Schema can't express a field of the class {type(field).__name__}: add"
            ' metadata={"type": ...} to it, or the class to _rules in openapi/fields.py'
        )
    if not field.metadata.get("description"):
        raise DeclarationError(f'{name} has no description: add metadata={{"description": ...}}')


def _converter() -> OpenAPIConverter:
    """Return apispec's converter of marshmallow fields, extended for our own fields."""
    plugin = MarshmallowPlugin(schema_name_resolver=lambda _: None)  # type: ignore[arg-type, return-value]
    APISpec("", "", "3.1.0", plugins=[plugin])
    converter = plugin.converter
    assert converter is not None  # noqa: S101 (mypy: APISpec has just created it)
    converter.add_attribute_function(_rules)  # type: ignore[no-untyped-call]
    converter.add_attribute_function(_computed_default)  # type: ignore[no-untyped-call]
    return converter


def _rules(  # noqa: C901, PLR0911, PLR0912 (a table)
    _: OpenAPIConverter, field: Field[Any], ret: JSONSchema
) -> JSONSchema:
    """Return the rules of a field; apispec calls this after its own functions."""
    validators = {type(validator) for validator in field.validators}
    match field:
        case fields.ReadOnly():
            return {**READ_ONLY.get(str(field.name), {}), "readOnly": True}
        case fields.Metadata():
            return _metadata(field)
        case formats.Email():
            return {"format": "idn-email", "minLength": 3, "maxLength": field.max_length}
        case formats.Phone():
            return _text(field.max_length, PHONE)
        case formats.Country():
            return _text(field.max_length, COUNTRY)
        case formats.Language():
            return _text(field.max_length, LANGUAGE)
        case fields.Identifier():
            return {"format": "uuid"}
        case fields.Text() if OneOf in validators:
            return {}
        case fields.Text() if Regexp in validators:
            return _text(field.max_length, f"^{ret['pattern']}")
        case fields.Text():
            return _text(field.max_length, LINE) | {"minLength": ret.get("minLength", 1)}
        case fields.Items():
            return {"maxItems": field.max_items}
        case Integer():
            return {"format": "int32"}
        case fields.CommaSeparated():
            return _comma_separated(ret.pop("items"), field.max_items)
    return {}


def _computed_default(_: OpenAPIConverter, field: Field[Any], **__: Any) -> JSONSchema:
    """Return the default that a function computes: apispec omits these."""
    return {"default": field.load_default()} if callable(field.load_default) else {}


def _text(maximum: int, pattern: str) -> JSONSchema:
    return {"minLength": 1, "maxLength": maximum, "pattern": pattern}


def _comma_separated(item: JSONSchema, max_items: int) -> JSONSchema:
    """Return a text: client generators don't support arrays with commas."""
    each = f"({'|'.join(item['enum'])})" if "enum" in item else UUID
    return {"type": "string", "pattern": f"^{each}(,{each}){{0,{max_items - 1}}}$"}


def _metadata(field: fields.Metadata) -> JSONSchema:
    return {
        "type": "object",
        "maxProperties": fields.MAX_METADATA,
        "propertyNames": _text(field.name_of.max_length, TRIMMED),
        "additionalProperties": {"type": "string", **_text(field.value_of.max_length, LINE)},
    }
