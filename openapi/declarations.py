"""What an author writes to document a resource and its operations.

An operation's decorator refers to a `Documentation`. Its responses and its body name schemas of the
resource's components (`openapi.resources`), or contain a JSON Schema.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from marshmallow import Schema

from chalicelib.http.problems import Problem

JSONSchema = dict[str, Any]


class Resource(NamedTuple):
    """A kind of thing that operations are about: its tag, and what its components are made of.

    schema, batch: marshmallow schemas of the resource and of several new ones; None if there are
        none.
    example: the resource as a response has it.
    rules: JSON Schema of the rules between fields that a new resource must meet.
    problems: an example of each problem that only this resource has.
    components: further schemas, by name.
    accepted: the file for the rules of `openapi.accepted`, relative to the project's folder.
    """

    tag: str
    description: str
    schema: type[Schema] | None = None
    batch: type[Schema] | None = None
    example: Any = None
    rules: Mapping[str, Any] = MappingProxyType({})
    problems: Sequence[Problem] = ()
    components: Mapping[str, JSONSchema] = MappingProxyType({})
    accepted: str | None = None


class Body(NamedTuple):
    """A request body; its media types are the decorator's `consumes`."""

    schema: str
    example: Any = None


class Response(NamedTuple):
    """A response that is not a problem; `links` are names of operations that can follow."""

    description: str
    schema: str | JSONSchema | None = None
    example: Any = None
    headers: Sequence[str] = ()
    links: Sequence[str] = ()


class Documentation(NamedTuple):
    """The documentation of an operation, except its summary and description.

    responses: by status.
    problems: types of the problems, without the ones that every operation has.
    headers: request headers that the operation reads.
    required: the request headers that it requires.
    defaults: defaults of query parameters, where the schema does not have them.
    """

    resource: Resource
    responses: Mapping[int, Response]
    problems: Sequence[str] = ()
    headers: Sequence[str] = ()
    required: Sequence[str] = ()
    body: Body | None = None
    defaults: Mapping[str, Any] = MappingProxyType({})


def ref(schema: str) -> JSONSchema:
    """Return a reference to a schema among the components."""
    return {"$ref": f"#/components/schemas/{schema}"}
