"""Validate the document: OpenAPI 3.1 with unique operation ids, its references, its examples."""

from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from openapi.components import PREFIX, references

JSONObject = dict[str, Any]


def errors(document: JSONObject) -> list[str]:
    """Return what is wrong with the document, one line for each error; empty if it is valid."""
    dangling = sorted(set(_dangling_references(document)))
    if dangling:  # the other checks follow references
        return dangling
    return [*_violations(document), *_invalid_examples(document)]


def _violations(document: JSONObject) -> Iterator[str]:
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield f"{_pointer(error.absolute_path)}: {error.message.splitlines()[0]}".removeprefix(": ")


def _dangling_references(document: JSONObject) -> Iterator[str]:
    for reference in references(document):
        kind, _, name = reference.removeprefix(PREFIX).partition("/")
        if name not in document["components"].get(kind, {}):
            yield f"{reference}: there is no such component"


def _invalid_examples(document: JSONObject) -> Iterator[str]:
    resource = DRAFT202012.create_resource(document)
    registry = Registry[Any]().with_resource("document", resource)
    for pointer, schema, example in _examples(document):
        validator = Draft202012Validator(
            _anchored(schema), registry=registry, format_checker=FormatChecker()
        )
        for error in validator.iter_errors(example):
            place = _pointer(error.absolute_path) or "/"
            yield f"{pointer}: the example is invalid at {place}: {error.message}"


def _examples(node: Any, pointer: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the place, the schema and the value of each example."""
    if isinstance(node, dict):
        for example in _examples_of(node):
            yield pointer, node["schema"], example
        for name, below in node.items():
            yield from _examples(below, pointer + _pointer([name]))
    elif isinstance(node, list):
        for number, below in enumerate(node):
            yield from _examples(below, f"{pointer}/{number}")


def _examples_of(node: JSONObject) -> list[Any]:
    """Return the examples of a parameter, a header or a media type."""
    if "schema" not in node:
        return []
    several = [each["value"] for each in node.get("examples", {}).values()]
    return several + ([node["example"]] if "example" in node else [])


def _anchored(node: Any) -> Any:
    """Return the schema with absolute references to the document."""
    if isinstance(node, list):
        return [_anchored(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: f"document{value}" if key == "$ref" else _anchored(value)
        for key, value in node.items()
    }


def _pointer(path: Iterable[Any]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
