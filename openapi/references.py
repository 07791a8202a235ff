"""Resolve the references in the declarations of operations."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from chalicelib.http.references import resolve
from chalicelib.http.routing import DeclarationError, Operation
from openapi import fields
from openapi.declarations import Documentation, Tag

Table = Mapping[str, Operation]


def documentation(operation: Operation) -> Documentation:
    """Return the operation's documentation. Raises DeclarationError if it is incomplete."""
    found = _resolved(operation, "documentation")
    if found is None:
        raise DeclarationError(
            f"{operation.name} has no documentation: pass documentation="
            f'"openapi.<resource>:<NAME>" to its decorator, and declare the Documentation there'
        )
    _check_body(operation, found)
    return found  # type: ignore[no-any-return]


def query_schema(operation: Operation) -> type[Schema] | None:
    """Return the schema of the query parameters. Raises DeclarationError if it does not exist."""
    return _resolved(operation, "query")  # type: ignore[no-any-return]


def tags(table: Table) -> list[Tag]:
    """Return the tags of the operations, each once."""
    found = [documentation(operation).tag for operation in table.values()]
    return list({tag.name: tag for tag in found}.values())


def page_size(table: Table, tag: Tag) -> int:
    """Return the maximum of the parameter `limit` of the tag's operations; 0 without one.

    Raises DeclarationError if the parameter has no maximum.
    """
    tagged = [each for each in table.values() if documentation(each).tag.name == tag.name]
    schemas = [query_schema(operation) for operation in tagged]
    parameters = [fields.object_schema(schema)["properties"] for schema in schemas if schema]
    limits = [each["limit"] for each in parameters if "limit" in each]
    if not all("maximum" in limit for limit in limits):
        raise DeclarationError(
            f"{tag.name}: the query parameter limit has no maximum: add"
            " validate=Range(1, 100) to it"
        )
    return max((limit["maximum"] for limit in limits), default=0)


def _resolved(operation: Operation, argument: str) -> Any:
    reference = getattr(operation, argument)
    if reference is None:
        return None
    try:
        return resolve(reference)
    except (ImportError, AttributeError, ValueError) as error:
        raise DeclarationError(
            f'{operation.name}: {argument}="{reference}" does not exist ({error}): correct the'
            " reference, or declare what it refers to"
        ) from None


def _check_body(operation: Operation, documented: Documentation) -> None:
    if documented.body and not operation.consumes:
        raise DeclarationError(
            f"{operation.name}: its documentation has a request body: pass its media types as"
            " consumes=... to the decorator, or remove the body"
        )
    if operation.consumes and not (documented.body and documented.body.example is not None):
        raise DeclarationError(
            f"{operation.name}: the request body has no example: add body=Body(schema, example) to"
            f" {operation.documentation}"
        )
