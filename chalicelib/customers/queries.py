"""The rules of the parameters of each operation's query.

As `schemas`, it is imported when a request first has one.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import marshmallow
from marshmallow import Schema, post_load, validate, validates_schema
from marshmallow.fields import Boolean, String

from chalicelib.customers.rows import MEMBERS
from chalicelib.customers.schemas import CHOICE, STATUSES
from chalicelib.http.fields import CommaSeparated, Email, Moment, PhoneInQuery, Text, WholeNumber
from chalicelib.http.problems import invalid

_CREATED_SORTS = ("-created_at", "created_at")
_UPDATED_SORTS = ("-updated_at", "updated_at")


class NoParameters(Schema):
    error_messages = {"unknown": "unknown: There is no such parameter."}


class GetCustomer(NoParameters):
    members = CommaSeparated(  # by another name: marshmallow has `fields` of its own
        Text(
            20,
            validate=validate.OneOf(
                MEMBERS, error="choice: Must be names of a customer's members."
            ),
        ),
        data_key="fields",
        attribute="fields",
        metadata={"description": "The members to answer, separated by commas; all without it."},
    )


class GetCustomers(GetCustomer):
    limit = WholeNumber(
        validate=validate.Range(1, 100, error="range: Must be from {min} to {max}."),
        metadata={"description": "How many customers a page has at most; 20 without it."},
    )
    cursor = String(
        metadata={"description": "Where the page begins: leave that to `next`, which has it."},
    )
    sort = Text(
        20,
        validate=validate.OneOf(_CREATED_SORTS + _UPDATED_SORTS, error=CHOICE),
        metadata={
            "description": "The order, newest first with a minus: `-created_at` without it, and"
            " `updated_at` with `updated_after`."
        },
    )
    email = Email(metadata={"description": "Only who has this address, whatever its case."})
    phone = PhoneInQuery(metadata={"description": "Only those with this number."})
    external_id = Text(100, metadata={"description": "Only who has exactly this external id."})
    status = Text(
        8,
        validate=validate.OneOf(STATUSES, error=CHOICE),
        metadata={"description": "Only those with this status."},
    )
    created_after = Moment(metadata={"description": "Only who was created later than this."})
    created_before = Moment(metadata={"description": "Only who was created earlier than this."})
    updated_after = Moment(
        metadata={
            "description": "Only who was changed later than this; in an order by `updated_at`."
        }
    )
    q = Text(
        100,
        validate=validate.Length(min=2, error="too-short: Must have at least {min} characters."),
        metadata={
            "description": "Only those whose full name, family name, company name or email address"
            " begins so, whatever its case and, in names, its accents; in an order by `created_at`."
        },
    )
    include_deleted = Boolean(
        truthy={"true"},
        falsy={"false"},
        error_messages={"invalid": "choice: Must be true or false."},
        metadata={"description": "With `true`, deleted customers, too, until they are erased."},
    )

    @validates_schema
    def _can_be_combined(self, query: dict[str, Any], **_: Any) -> None:
        sort = query.get("sort")
        if "updated_after" in query and sort in _CREATED_SORTS:
            _refuse_combination("sort", "Must be an order by updated_at with updated_after.")
        if "q" in query and sort in _UPDATED_SORTS:
            _refuse_combination("sort", "Must be an order by created_at with q.")
        if "q" in query and "updated_after" in query:
            _refuse_combination("q", "Must not be given with updated_after.")

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
    """Return the parameters of an operation's query, which has every value of each.

    Raises problems.ValidationError.
    """
    repeated = [(name, "repeated: Must be given once.") for name in query if len(query[name]) > 1]
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
    """Return a schema that looks at no more than what may be given."""
    whole = QUERIES.get(operation, NoParameters)
    declared = whole().fields.items()
    return whole(only={name for name, field in declared if (field.data_key or name) in names})


def _refuse_combination(parameter: str, detail: str) -> None:
    raise marshmallow.ValidationError(f"combination: {detail}", parameter)
