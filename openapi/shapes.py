"""The JSON Schemas of requests and answers, made of the marshmallow schemas."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, cast

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema
from marshmallow.fields import Field
from marshmallow.validate import OneOf, Regexp

from chalicelib.customers import schemas
from chalicelib.http import fields
from openapi import examples
from openapi.components import ref
from openapi.texts import MEMBERS

JSONSchema = dict[str, Any]

# ECMA-262, without what only some engines know, such as lookahead and \p
_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_SPACE = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
LINE = f"^[^{_CONTROL}]*[^{_CONTROL}{_SPACE}][^{_CONTROL}]*$"
TRIMMED = f"^[^{_CONTROL}{_SPACE}]([^{_CONTROL}]*[^{_CONTROL}{_SPACE}])?$"
PHONE = r"^[ ().-]*\+[ ().-]*[1-9]([ ().-]*[0-9]){1,14}[ ().-]*$"
E164 = r"^\+[1-9][0-9]{1,14}$"

READ_ONLY: Mapping[str, JSONSchema] = {
    "id": {"type": "string", "format": "uuid"},
    "version": {"type": "integer", "minimum": 1},
    "created_at": {"type": "string", "format": "date-time"},
    "updated_at": {"type": "string", "format": "date-time"},
    "deleted_at": {"type": ["string", "null"], "format": "date-time"},
    "purge_at": {"type": ["string", "null"], "format": "date-time"},
}
NAMES = ("given_name", "family_name", "company_name")
# at least one of them; generators of clients do not know `anyOf` beside `properties`
NAMED = {
    "if": {"properties": {name: {"type": "null"} for name in NAMES[:-1]}},
    "then": {"required": [NAMES[-1]], "properties": {NAMES[-1]: {"type": "string"}}},
}


def customer_schemas() -> Iterator[tuple[str, JSONSchema]]:
    """Yield the schemas of customers and what they are made of, in requests and in answers."""
    new = _described("Customer", _json_schema(schemas.Customer()))
    members = new["properties"]
    read_only = {name: members.pop(name) for name in READ_ONLY if name in members}
    address = _described("Address", members["addresses"]["items"])
    members["addresses"]["items"] = ref("Address")
    yield "AddressType", _taken_out(address, "type", "AddressType")
    yield "CustomerStatus", _taken_out(new, "status", "CustomerStatus")
    metadata = _taken_out(new, "metadata", "Metadata")
    yield "Metadata", metadata
    yield "MetadataPatch", _metadata_patch(metadata)
    yield "Address", address
    yield "NewCustomer", new | NAMED
    yield "CustomerReplacement", new | NAMED | {"properties": {**members, **read_only}}
    yield "CustomerPatch", _patch(new, read_only)
    yield "CustomerAddress", _answered(address["properties"])
    customer = _customer(new, read_only)
    yield "Customer", customer
    yield "PartialCustomer", _partial(customer)


def list_schemas() -> Iterator[tuple[str, JSONSchema]]:
    new, one = ref("NewCustomer"), ref("Customer")
    some = {"anyOf": [one, ref("PartialCustomer")]}
    next_page = {
        "type": ["string", "null"],
        "format": "uri-reference",
        "description": "The path and query of the next page; null at the end.",
    }
    more = {"type": "boolean", "description": "Whether there is a next page."}
    yield "NewCustomerList", _object({"items": _array(new, 1, 100)})
    yield "CustomerList", _object({"items": _array(one, 1, 100)})
    yield (
        "CustomerPage",
        _object({"items": _array(some, 0, 100), "next": next_page, "has_more": more}),
    )


def query_parameters(schema: type[Schema]) -> dict[str, JSONSchema]:
    properties: dict[str, JSONSchema] = _json_schema(schema())["properties"]
    return properties


def _json_schema(schema: Schema) -> JSONSchema:
    found: JSONSchema = _converter().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
    return found


def _converter() -> OpenAPIConverter:
    """Return apispec's converter of marshmallow fields, which knows our own."""
    plugin = MarshmallowPlugin(schema_name_resolver=lambda _: None)  # type: ignore[arg-type, return-value]
    APISpec("", "", "3.1.0", plugins=[plugin])
    made = plugin.converter
    assert made is not None  # noqa: S101 (mypy: APISpec has just made it)
    made.add_attribute_function(_rules)  # type: ignore[no-untyped-call]
    made.add_attribute_function(_made_default)  # type: ignore[no-untyped-call]
    return made


def _rules(  # noqa: C901, PLR0911 (a table)
    _: OpenAPIConverter, field: Field[Any], ret: JSONSchema
) -> JSONSchema:
    """Return what JSON Schema can say of a field; apispec asks its own functions before."""
    validators = {type(each) for each in field.validators}
    match field:
        case fields.ReadOnly():
            return {**READ_ONLY[str(field.name)], "readOnly": True}
        case fields.Metadata():
            return _metadata()
        case fields.Email():
            return {"format": "email", "minLength": 3, "maxLength": field.most}
        case fields.Phone():
            return _text(field.most, PHONE)
        case fields.Text() if OneOf in validators:
            return {}
        case fields.Text() if Regexp in validators:
            return _text(field.most, f"^{ret['pattern']}")
        case fields.Text(name="time_zone"):
            return _text(field.most, LINE) | {"format": "time-zone"}
        case fields.Text():
            return _text(field.most, LINE) | {"minLength": ret.get("minLength", 1)}
        case fields.Items():
            return {"maxItems": field.most}
        case fields.CommaSeparated():
            return _comma_separated(ret.pop("items")["enum"])
    return {}


def _made_default(_: OpenAPIConverter, field: Field[Any], **__: Any) -> JSONSchema:
    """Return a default that a function makes: apispec leaves those out."""
    return {"default": field.load_default()} if callable(field.load_default) else {}


def _text(most: int, pattern: str) -> JSONSchema:
    return {"minLength": 1, "maxLength": most, "pattern": pattern}


def _comma_separated(names: list[str]) -> JSONSchema:
    """Return a text: generators of clients do not know arrays with commas."""
    name = f"({'|'.join(names)})"
    return {"type": "string", "pattern": f"^{name}(,{name})*$"}


def _metadata() -> JSONSchema:
    return {
        "type": "object",
        "maxProperties": 50,
        "propertyNames": {"minLength": 1, "maxLength": 40, "pattern": TRIMMED},
        "additionalProperties": {"type": "string", **_text(500, LINE)},
    }


def _taken_out(schema: JSONSchema, member: str, name: str) -> JSONSchema:
    """Make the rules of the member a component of that name, and return them."""
    rules = schema["properties"][member]
    own = {key: rules.pop(key) for key in ("description", "default") if key in rules}
    schema["properties"][member] = ref(name) | own
    return cast("JSONSchema", rules)


def _metadata_patch(metadata: JSONSchema) -> JSONSchema:
    values = metadata["additionalProperties"]
    return metadata | {"additionalProperties": values | {"type": ["string", "null"]}}


def _patch(new: JSONSchema, read_only: JSONSchema) -> JSONSchema:
    """Return the schema of a merge patch: null takes away what has an empty default."""
    properties = deepcopy(new["properties"])
    nullable = {name for name, rules in properties.items() if not rules.pop("default", True)}
    properties["metadata"] |= {"anyOf": [ref("MetadataPatch"), {"type": "null"}]}
    del properties["metadata"]["$ref"]
    for name in nullable - {"metadata"}:
        properties[name]["type"] = _nullable(properties[name]["type"])
    return {
        "type": "object",
        "properties": {**properties, **read_only},
        "additionalProperties": False,
    }


def _customer(new: JSONSchema, read_only: JSONSchema) -> JSONSchema:
    properties = {**read_only, **deepcopy(new["properties"])}
    properties["phone"]["pattern"] = E164
    properties["addresses"]["items"] = ref("CustomerAddress")
    order = {name: properties[name] for name in examples.CUSTOMER}
    return _answered(order)


def _answered(members: JSONSchema) -> JSONSchema:
    """Return the schema of an answer: every member is there, and more may come."""
    properties = deepcopy(members)
    for rules in properties.values():
        rules.pop("default", None)
        if rules.get("pattern") == LINE:
            del rules["pattern"], rules["minLength"]
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _partial(schema: JSONSchema) -> JSONSchema:
    return {
        **{name: value for name, value in schema.items() if name != "required"},
        "description": "The members of a customer that `fields` names.",
    }


def _described(name: str, schema: JSONSchema) -> JSONSchema:
    for member, text in MEMBERS[name].items():
        if member in schema["properties"]:
            schema["properties"][member]["description"] = text
    return schema


def _nullable(kind: str | list[str]) -> list[str]:
    return [kind, "null"] if isinstance(kind, str) else kind


def _object(properties: JSONSchema) -> JSONSchema:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _array(items: JSONSchema, least: int, most: int) -> JSONSchema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}
