"""Load the query parameters of a request with the operation's marshmallow schema.

Imported by the first request with a query string about which `rules` is unsure.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import marshmallow
from marshmallow import Schema, validate
from marshmallow.fields import Boolean, Integer, String

from chalicelib.http.problems import invalid


class Query(Schema):
    """Base of the schemas of query parameters; by itself, it rejects all of them."""

    error_messages = {"unknown": "unknown: Unknown parameter."}


class WholeNumber(Integer):
    default_error_messages = {
        "invalid": "type: Must be a whole number.",
    }

    def _validated(self, value: Any) -> int:
        if not (value.isascii() and value.isdigit()):
            raise self.make_error("invalid")
        return super()._validated(value)


class Page(Query):
    """Base of the schemas of lists."""

    limit = WholeNumber(
        validate=validate.Range(1, 100, error="range: Must be from {min} to {max}."),
        metadata={"description": "Number of items per page."},
    )
    cursor = String(
        metadata={"description": "Position of the page, from `next` of the previous page."},
    )


class TrueOrFalse(Boolean):
    default_error_messages = {"invalid": "choice: Must be true or false."}

    def __init__(self, **arguments: Any) -> None:
        super().__init__(truthy={"true"}, falsy={"false"}, **arguments)


class GetHealth(Query):
    deep = TrueOrFalse(
        metadata={"description": "Whether to check the database, too. No effect if it pauses."}
    )


def load(schema: type[Schema], query: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the parameters as the schema loads them; `query` has all values of each.

    Raises problems.ValidationError.
    """
    repeated = [(name, "repeated: Must be sent once.") for name in query if len(query[name]) > 1]
    if repeated:
        raise invalid("parameter", repeated)
    try:
        given = {name: values[0] for name, values in query.items()}
        return _part(schema, frozenset(given)).load(given)  # type: ignore[no-any-return]
    except marshmallow.ValidationError as error:
        wrong: dict[str, list[str]] = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise invalid("parameter", ((name, wrong[name][0]) for name in wrong)) from None


@lru_cache(maxsize=64)
def _part(schema: type[Schema], names: frozenset[str]) -> Schema:
    """Return the schema with only those fields that a query with these names can have."""
    declared = schema().fields.items()
    return schema(only={name for name, field in declared if (field.data_key or name) in names})
