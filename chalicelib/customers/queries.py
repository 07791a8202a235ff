"""Validate the query parameters of customers' operations.

This module imports marshmallow, so it is imported by the first request with a query string.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import marshmallow
from marshmallow import Schema, post_load, validate, validates_schema
from marshmallow.fields import Boolean, String

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.customers.schemas import STATUSES
from chalicelib.http.fields import CommaSeparated, Email, Moment, PhoneInQuery, Text, WholeNumber
from chalicelib.http.problems import invalid
from chalicelib.http.schemas import CHOICE

_CREATED_SORTS = ("-created_at", "created_at")
_UPDATED_SORTS = ("-updated_at", "updated_at")


class NoParameters(Schema):
    error_messages = {"unknown": "unknown: Unknown parameter."}


class GetCustomer(NoParameters):
    members = CommaSeparated(  # by another name: marshmallow has `fields` of its own
        Text(
            20,
            validate=validate.OneOf(
                CUSTOMERS.names, error="choice: Must be names of a customer's fields."
            ),
        ),
        data_key="fields",
        attribute="fields",
        metadata={"description": "Fields to return, separated by commas. Default: all."},
    )


class GetCustomers(GetCustomer):
    limit = WholeNumber(
        validate=validate.Range(1, 100, error="range: Must be from {min} to {max}."),
        metadata={"description": "Maximum number of customers per page. Default: 20."},
    )
    cursor = String(
        metadata={"description": "Start of the page. Follow `next`, which contains it."},
    )
    sort = Text(
        20,
        validate=validate.OneOf(_CREATED_SORTS + _UPDATED_SORTS, error=CHOICE),
        metadata={
            "description": "Sort field; a minus sorts in descending order."
            " Default: `-created_at`, or `updated_at` with `updated_after`."
        },
    )
    email = Email(metadata={"description": "Filter by email address (case-insensitive)."})
    phone = PhoneInQuery(metadata={"description": "Filter by phone number."})
    external_id = Text(100, metadata={"description": "Filter by external id (exact match)."})
    status = Text(
        8,
        validate=validate.OneOf(STATUSES, error=CHOICE),
        metadata={"description": "Filter by status."},
    )
    created_after = Moment(metadata={"description": "Filter by creation time: later than this."})
    created_before = Moment(metadata={"description": "Filter by creation time: earlier than this."})
    updated_after = Moment(
        metadata={
            "description": "Filter by update time: later than this."
            " Requires sorting by `updated_at`."
        }
    )
    q = Text(
        100,
        validate=validate.Length(min=2, error="too-short: Must have at least {min} characters."),
        metadata={
            "description": "Filter by prefix of the full name, family name, company name or email"
            " address (case-insensitive; in names also accent-insensitive). Requires sorting by"
            " `created_at`."
        },
    )
    include_deleted = Boolean(
        truthy={"true"},
        falsy={"false"},
        error_messages={"invalid": "choice: Must be true or false."},
        metadata={
            "description": "Whether to include deleted customers until they are erased."
            " Default: `false`."
        },
    )

    @validates_schema
    def _can_be_combined(self, query: dict[str, Any], **_: Any) -> None:
        sort = query.get("sort")
        if "updated_after" in query and sort in _CREATED_SORTS:
            _reject_combination("sort", "updated_after requires sorting by updated_at.")
        if "q" in query and sort in _UPDATED_SORTS:
            _reject_combination("sort", "q requires sorting by created_at.")
        if "q" in query and "updated_after" in query:
            _reject_combination("q", "Must not be combined with updated_after.")

    @post_load
    def _sorted(self, query: dict[str, Any], **_: Any) -> dict[str, Any]:
        default = "updated_at" if "updated_after" in query else "-created_at"
        return {"sort": default, **query}


class GetHealth(NoParameters):
    deep = Boolean(
        truthy={"true"},
        falsy={"false"},
        error_messages={"invalid": "choice: Must be true or false."},
    )


QUERIES: Mapping[str, type[Schema]] = {
    "get_customer": GetCustomer,
    "get_customers": GetCustomers,
    "get_health": GetHealth,
}


def load(operation: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the parameters as the schema loads them; `query` has all values of each.

    Raises problems.ValidationError.
    """
    repeated = [(name, "repeated: Must be sent once.") for name in query if len(query[name]) > 1]
    if repeated:
        raise invalid("parameter", repeated)
    try:
        given = {name: values[0] for name, values in query.items()}
        schema = _schema(operation, frozenset(given))
        return schema.load(given)  # type: ignore[no-any-return]
    except marshmallow.ValidationError as error:
        wrong: dict[str, list[str]] = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise invalid("parameter", ((name, wrong[name][0]) for name in wrong)) from None


@lru_cache(maxsize=64)
def _schema(operation: str, names: frozenset[str]) -> Schema:
    """Return the schema with only those fields that a query with these names can have."""
    whole = QUERIES.get(operation, NoParameters)
    declared = whole().fields.items()
    return whole(only={name for name, field in declared if (field.data_key or name) in names})


def _reject_combination(parameter: str, detail: str) -> None:
    raise marshmallow.ValidationError(f"combination: {detail}", parameter)
