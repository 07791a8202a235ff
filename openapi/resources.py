"""The schemas of a resource in requests and responses, generated from its marshmallow schema.

For a schema `Order` with nested `Line` objects: `OrderCreation`, `OrderReplacement` and
`OrderPatch` in requests, with `Line`; `Order`, `PartialOrder` and `OrderPage` in responses, with
`OrderLine`; `OrderCreationList` and `OrderList` if there is a schema of a batch. Choices become
components, too, so that generated clients have one class for each. In Go, `NewOrder` would be the
constructor of `Order`.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from marshmallow import Schema
from marshmallow.fields import Field, List
from marshmallow.validate import OneOf

from chalicelib.http import fields, formats, phones
from chalicelib.http.schemas import Reference, References
from openapi.declarations import JSONSchema, Tag, ref
from openapi.fields import LINE, READ_ONLY, named_fields, nested_schema, object_schema

Named = tuple[str, JSONSchema]
OWN = ("description", "default")  # what a property has beside a reference
NEXT_PAGE = {
    "type": ["string", "null"],
    "format": "uri-reference",
    "description": "Path and query of the next page; null on the last page.",
}
HAS_MORE = {"type": "boolean", "description": "Whether there is a next page."}
AFTER = {
    "type": "string",
    "format": "uri-reference",
    "description": "Path and query of the changes after this page, now or later.",
}
MORE = {"type": "boolean", "description": "Whether there are further changes already."}


def components(tag: Tag, page_size: int) -> Iterator[Named]:
    """Yield the schemas that operations of the tag may refer to, by name."""
    yield from tag.components.items()
    if tag.schema is None:
        return
    noun = tag.schema.__name__
    *parts, (_, new) = _request_schemas(tag.schema)
    yield from ((name, _without_defaults(part)) for name, part in parts)
    read_only = _split_read_only(tag.schema, new)
    writable, rules = new["properties"], dict(tag.rules)
    yield f"{noun}Creation", _without_defaults(new | rules)
    both = {"properties": {**writable, **read_only}}
    yield f"{noun}Replacement", _without_defaults(new | rules | both)
    patch = _patch(writable, read_only)
    yield f"{noun}Patch", patch
    yield from _response_parts(tag.schema, noun, dict(parts))
    whole = _in_response(tag.schema, noun, both["properties"])
    yield noun, whole
    yield f"Partial{noun}", _partial(whole, noun)
    yield from _lists(tag, noun, page_size, patch)
    changed = whole | {"properties": READ_ONLY | whole["properties"]}
    yield from _changes(noun, changed, page_size)


def _request_schemas(schema: type[Schema]) -> Iterator[Named]:
    """Yield the schema as a request has it, after the schemas that it refers to."""
    rules = object_schema(schema)
    for name, field in named_fields(schema):
        yield from _extracted(schema, name, field, rules["properties"])
    yield schema.__name__, rules


def _extracted(
    schema: type[Schema], name: str, field: Field[Any], properties: JSONSchema
) -> Iterator[Named]:
    """Yield the parts that become separate components, and replace each by a reference."""
    rules = properties[name]
    own = {key: rules[key] for key in OWN if key in rules}
    component = {key: value for key, value in rules.items() if key not in OWN}
    if nested := nested_schema(field):
        yield from _request_schemas(nested)
        item = ref(nested.__name__)
        properties[name] = rules | {"items": item} if isinstance(field, List) else item | own
    elif isinstance(field, fields.Metadata):
        yield "Metadata", component
        yield "MetadataPatch", _metadata_patch(component)
        properties[name] = ref("Metadata") | own
    elif any(isinstance(validator, OneOf) for validator in field.validators):
        choice = schema.__name__ + name.title().replace("_", "")
        yield choice, component
        properties[name] = ref(choice) | own


def _split_read_only(schema: type[Schema], rules: JSONSchema) -> JSONSchema:
    """Remove the read-only properties from the schema's, and return them."""
    properties = rules["properties"]
    read_only = {name for name, each in properties.items() if each.get("readOnly")}
    return {name: properties.pop(name) for name, _ in named_fields(schema) if name in read_only}


def _without_defaults(rules: JSONSchema) -> JSONSchema:
    """Return the schema of a request; descriptions state the defaults.

    openapi-typescript makes every property with a default required.
    """
    properties = rules.get("properties", {}).items()
    kept = {name: {key: each[key] for key in each if key != "default"} for name, each in properties}
    return rules | ({"properties": kept} if kept else {})


def _metadata_patch(metadata: JSONSchema) -> JSONSchema:
    values = metadata["additionalProperties"]
    return metadata | {"additionalProperties": values | {"type": ["string", "null"]}}


def _patch(writable: JSONSchema, read_only: JSONSchema) -> JSONSchema:
    """Return the schema of a merge patch: null removes a value whose default is empty."""
    properties = deepcopy(writable)
    for rules in properties.values():
        if not rules.pop("default", True):
            _allow_null(rules)
    return {
        "type": "object",
        "properties": {**properties, **read_only},
        "additionalProperties": False,
    }


def _allow_null(rules: JSONSchema) -> None:
    if rules.get("$ref") == ref("Metadata")["$ref"]:
        rules["$ref"] += "Patch"
    if "$ref" in rules:
        rules["anyOf"] = [{"$ref": rules.pop("$ref")}, {"type": "null"}]
    elif isinstance(rules["type"], str):
        rules["type"] = [rules["type"], "null"]


def _response_parts(
    schema: type[Schema], noun: str, parts: dict[str, JSONSchema]
) -> Iterator[Named]:
    for _, field in named_fields(schema):
        if nested := nested_schema(field):
            yield from _response_parts(nested, noun, parts)
            name = nested.__name__
            yield noun + name, _in_response(nested, noun, parts[name]["properties"])


def _in_response(schema: type[Schema], noun: str, properties: JSONSchema) -> JSONSchema:
    """Return the schema of a response: it has every property, and clients may get new ones."""
    shown = {
        name: _value_in_response(field, noun, deepcopy(properties[name]))
        for name, field in named_fields(schema)
    }
    return {"type": "object", "properties": shown, "required": sorted(shown)}


def _value_in_response(field: Field[Any], noun: str, rules: JSONSchema) -> JSONSchema:
    rules.pop("default", None)
    if rules.get("pattern") == LINE:
        del rules["pattern"], rules["minLength"]
    if isinstance(field, formats.Phone):
        rules["pattern"] = f"^{phones.E164}$"
    if nested := nested_schema(field):
        holder = rules["items"] if isinstance(field, List) else rules
        holder |= ref(noun + nested.__name__)
    return rules


def _partial(whole: JSONSchema, noun: str) -> JSONSchema:
    optional = {name: value for name, value in whole.items() if name != "required"}
    return optional | {"description": f"The fields of {noun} that `fields` names."}


def _lists(tag: Tag, noun: str, page_size: int, patch: JSONSchema) -> Iterator[Named]:
    if tag.batch is not None:
        rules = object_schema(tag.batch)
        items = rules["properties"]["items"]
        yield f"{noun}CreationList", _object({"items": items | {"items": ref(f"{noun}Creation")}})
        yield f"{noun}List", _object({"items": items | {"items": ref(noun)}})
        outcomes = items | {"items": ref(f"{noun}Outcome"), "description": "One for each item."}
        yield f"{noun}Outcome", _outcome(noun)
        yield f"{noun}OutcomeList", _object({"items": outcomes})
        yield from _bulk(noun, patch)
    page = {"type": "array", "items": ref(noun), "minItems": 0, "maxItems": page_size}
    described = page | {"description": "The page, in the requested order."}
    yield f"{noun}Page", _object({"items": described, "next": NEXT_PAGE, "has_more": HAS_MORE})


def _outcome(noun: str) -> JSONSchema:
    """Return the schema of what became of an item; a union would be exact."""
    status = {"type": "integer", "format": "int32", "minimum": 200, "maximum": 599}
    return {
        "type": "object",
        "description": f"The new {noun} if the status is 201, and otherwise the problem.",
        "properties": {
            "status": status | {"description": "The status that the item alone would have had."},
            noun.lower(): ref(noun),
            "problem": ref("Problem"),
        },
        "required": ["status"],
    }


def _bulk(noun: str, patch: JSONSchema) -> Iterator[Named]:
    """Yield the schemas of requests that update and delete several resources."""
    reference = object_schema(Reference)
    changed = {"properties": patch["properties"] | reference["properties"]}
    yield f"{noun}Reference", reference
    yield f"{noun}PatchItem", reference | changed
    items = object_schema(References)["properties"]["items"]
    yield f"{noun}ReferenceList", _object({"items": items | {"items": ref(f"{noun}Reference")}})
    yield f"{noun}PatchList", _object({"items": items | {"items": ref(f"{noun}PatchItem")}})


def _changes(noun: str, whole: JSONSchema, page_size: int) -> Iterator[Named]:
    """Yield the schemas of the feed of changes.

    A union would be exact, but some client generators don't support it.
    """
    erased_at = READ_ONLY["updated_at"] | {"description": "Time of erasure, in UTC."}
    yield (
        f"{noun}Change",
        {
            "type": "object",
            "description": f"A whole {noun}, or only the id, the version and `deleted_at` or"
            " `erased_at` of one that was deleted or erased.",
            "properties": whole["properties"] | {"erased_at": erased_at},
            "required": ["id", "version"],
        },
    )
    page = {"type": "array", "items": ref(f"{noun}Change"), "minItems": 0, "maxItems": page_size}
    items = page | {"description": "In the order of the changes."}
    yield f"{noun}ChangePage", _object({"items": items, "next": AFTER, "has_more": MORE})


def _object(properties: JSONSchema) -> JSONSchema:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }
