"""The declarations with which an author documents a resource and its operations.

An operation's decorator refers to a `Documentation`. Its responses and its body name schemas of the
resource's components (`openapi.resources`), or contain a JSON Schema.
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from marshmallow import Schema

from chalicelib.http.problems import Problem

JSONSchema = dict[str, Any]


class Tag(NamedTuple):
    """A group of operations: those of a resource, or of the service itself.

    schema: the marshmallow schema; None for operations without a resource.
    batch: the marshmallow schema of several new resources; None if there is no such operation.
    example: the resource in a response.
    rules: JSON Schema of rules between the fields of a new resource.
    problems: an example of each problem that only this resource has.
    components: additional schemas by name.
    fast_path: methods of the schema, decorated with `validates_schema`, whose rules the fast path
        (`chalicelib.http.rules`) repeats. None: no fast path validates request bodies.
    """

    name: str
    description: str
    schema: type[Schema] | None = None
    batch: type[Schema] | None = None
    example: Any = None
    rules: Mapping[str, Any] = MappingProxyType({})
    problems: Sequence[Problem] = ()
    components: Mapping[str, JSONSchema] = MappingProxyType({})
    fast_path: Collection[str] | None = None


class Body(NamedTuple):
    """A request body; its media types are the decorator's `consumes`.

    are_items_separate: whether one invalid item may leave the others valid. The gateway then must
    not reject the body because of an item.
    """

    schema: str
    example: Any = None
    are_items_separate: bool = False


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

    tag: Tag
    responses: Mapping[int, Response]
    problems: Sequence[str] = ()
    headers: Sequence[str] = ()
    required: Sequence[str] = ()
    body: Body | None = None
    defaults: Mapping[str, Any] = MappingProxyType({})


def ref(schema: str) -> JSONSchema:
    """Return a reference to a schema among the components."""
    return {"$ref": f"#/components/schemas/{schema}"}
