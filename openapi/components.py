"""The components of the document: what its paths refer to, and nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.http.routing import DeclarationError
from openapi import problems, resources
from openapi.declarations import JSONSchema, Tag
from openapi.references import Table, page_size

JSONObject = dict[str, Any]
PREFIX = "#/components/"


def schemas(table: Table, tags: Iterable[Tag]) -> dict[str, JSONSchema]:
    """Return the schemas of problems and resources, by name.

    Raises DeclarationError if two resources have different schemas of the same name.
    """
    found = dict(problems.schemas())
    for tag in tags:
        for name, schema in resources.components(tag, page_size(table, tag)):
            if found.setdefault(name, schema) != schema:
                raise DeclarationError(
                    f"{tag.name}: there are two different schemas of the name {name}: rename"
                    " one of the marshmallow schemas"
                )
    return found


def used(paths: JSONObject, components: JSONObject) -> JSONObject:
    """Return the components that the paths refer to, directly or indirectly."""
    reachable: set[str] = set()
    unseen = set(references(paths))
    while unseen:
        reachable |= unseen
        found = (_component(components, reference) for reference in unseen)
        unseen = {each for node in found for each in references(node)} - reachable
    return {
        kind: {name: each for name, each in named.items() if f"{PREFIX}{kind}/{name}" in reachable}
        for kind, named in components.items()
    }


def _component(components: JSONObject, reference: str) -> Any:
    """Return the component; None if it does not exist, which the validation reports."""
    kind, name = reference.removeprefix(PREFIX).split("/")
    return components[kind].get(name)


def references(node: Any) -> Iterator[str]:
    """Yield the references in a part of the document, except those in examples."""
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key == "$ref":
                yield value
            elif key not in ("example", "examples"):
                yield from references(value)
