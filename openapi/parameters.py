"""The parameters of an operation: in its path, its query string and its headers."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.http.routing import DeclarationError, Operation
from openapi import fields, headers
from openapi.declarations import Tag, ref
from openapi.references import documentation, query_schema

JSONObject = dict[str, Any]

TEXT_RULES = ("minLength", "maxLength", "pattern")


def describe(operation: Operation, tags: Iterable[Tag]) -> Iterator[JSONObject]:
    """Yield the parameters; ids in the path are those of the resources of the tags."""
    for name in in_path(operation.path):
        yield _path_parameter(operation, name, tags)
    yield from _in_query(operation)
    documented = documentation(operation)
    for name in (*documented.headers, "Request-Id"):
        required = {"required": True} if name in documented.required else {}
        header = headers.request(operation.name, name)
        yield {"name": name.partition(":")[0], "in": "header", **required, **header}


def in_path(path: str) -> list[str]:
    """Return the names of the parameters in a path."""
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _path_parameter(operation: Operation, name: str, tags: Iterable[Tag]) -> JSONObject:
    noun = name.removesuffix("_id")
    for tag in tags:
        if tag.schema and tag.schema.__name__.lower() == noun.replace("_", ""):
            return {
                "name": name,
                "in": "path",
                "required": True,
                "description": f"The {noun}'s `id`, a UUID. Unknown and malformed ids: 404.",
                "schema": fields.READ_ONLY["id"],
                "example": _example_id(tag),
            }
    if unique := _unique_field(documentation(operation).tag, name):
        return {"name": name, "in": "path", "required": True, **unique}
    raise DeclarationError(
        f"{operation.name}: the path parameter {name} is neither the id of a resource nor a field"
        " of one: call it <resource>_id, where <Resource> is the schema of the Tag that an"
        " operation has, or like the field"
    )


def _unique_field(tag: Tag, name: str) -> JSONObject | None:
    """Return the description of a field as a path has it; None if the resource has no such field.

    Required and without null, as the path always has it.
    """
    properties = fields.object_schema(tag.schema)["properties"] if tag.schema else {}
    if name not in properties:
        return None
    rules = {key: properties[name][key] for key in TEXT_RULES if key in properties[name]}
    return {
        "description": f"{properties[name]['description']} Encode every character except letters,"
        " digits and `-._~`: a slash is `%2F`, a percent sign `%25`. Clients remove the segments"
        " `.` and `..` from a path, so use the id for these two values.",
        "schema": {"type": "string", **rules},
        "example": "crm-4711",
    }


def _example_id(tag: Tag) -> str:
    if "id" not in (tag.example or {}):
        raise DeclarationError(f"{tag.name}: the Tag has no example with an id: add one")
    return str(tag.example["id"])


def _in_query(operation: Operation) -> Iterator[JSONObject]:
    schema = query_schema(operation)
    if schema is None:
        return
    rules = fields.object_schema(schema, _defaults(operation))
    for name, rule in rules["properties"].items():
        text = rule.pop("description")
        parameter = {"name": name, "in": "query", "description": text, "schema": rule}
        yield parameter | (_partial(operation) if name == "fields" else {})


def _partial(operation: Operation) -> JSONObject:
    """Return what the document says about a response with selected fields.

    OpenAPI has one schema for each status and media type. A union would make each field optional in
    generated clients, so the response's schema is that of the whole resource.
    """
    tag = documentation(operation).tag
    if tag.schema is None:
        raise DeclarationError(f"{operation.name}: fields are those of a schema: add it to the Tag")
    return {"x-response-schema": ref(f"Partial{tag.schema.__name__}")}


def _defaults(operation: Operation) -> Mapping[str, bool | int]:
    """Return the defaults of query parameters that are constants in JSON."""
    arguments = inspect.signature(operation.view).parameters.items()
    own = {name: argument.default for name, argument in arguments}
    defaults = own | dict(documentation(operation).defaults)
    return {name: value for name, value in defaults.items() if isinstance(value, bool | int)}
