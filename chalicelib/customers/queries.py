"""Schemas of the query parameters.

Imported by the first request that has a query string.
"""

from typing import Any

import marshmallow
from marshmallow import post_load, validate, validates_schema

from chalicelib.customers.fields import CUSTOMERS, search_key
from chalicelib.customers.schemas import STATUSES
from chalicelib.http.fields import CommaSeparated, Identifier, Pasted, Text
from chalicelib.http.formats import EmailInQuery, Moment, PhoneInQuery
from chalicelib.http.queries import Page, Query, TrueOrFalse
from chalicelib.http.schemas import CHOICE

MAX_IDS = 100
MIN_LETTERS = 2
_CREATED_SORTS = ("-created_at", "created_at")
_UPDATED_SORTS = ("-updated_at", "updated_at")


def _is_selective(text: str) -> None:
    """Reject a letter: too many names begin with it. Few begin with an ideograph."""
    from chalicelib.http.folding import is_wide  # only a search needs its tables of Unicode

    key = search_key(text)
    if len(key) < MIN_LETTERS and not is_wide(key):
        raise marshmallow.ValidationError(
            f"too-short: Must have at least {MIN_LETTERS} characters, or one ideograph, syllable or"
            " emoji."
        )


class GetCustomer(Query):
    members = CommaSeparated(  # not `fields`, which marshmallow uses itself
        Text(
            20,
            validate=validate.OneOf(
                CUSTOMERS.names, error="choice: Must be names of a customer's fields."
            ),
        ),
        data_key="fields",
        attribute="fields",
        metadata={
            "description": "Fields to return, separated by commas: a `PartialCustomer` instead of"
            " a `Customer`. Default: all fields."
        },
    )


class GetChanges(Page, GetCustomer):
    """The query parameters of the feed of changes."""


class GetCustomers(Page, GetCustomer):
    ids = CommaSeparated(
        Identifier(),
        data_key="id",
        validate=validate.Length(max=MAX_IDS, error="range: Must have at most {max} ids."),
        metadata={
            "description": f"Read up to {MAX_IDS} customers by their ids, separated by commas, in"
            " the order of creation. Unknown ids are ignored. Only `fields` may be added."
        },
    )
    sort = Text(
        20,
        validate=validate.OneOf(_CREATED_SORTS + _UPDATED_SORTS, error=CHOICE),
        metadata={
            "description": "Sort order; a minus sorts the newest first. Default: `-created_at`, or"
            " `updated_at` if `updated_after` is set."
        },
    )
    email = EmailInQuery(metadata={"description": "Filter by email address (case-insensitive)."})
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
            "description": "Filter by time of the last update: later than this. Requires sorting by"
            " `updated_at`."
        }
    )
    q = Pasted(  # a prefix may end with a joiner
        100,
        validate=_is_selective,
        metadata={
            "description": "Search for customers whose full name, in either order, company name or"
            " email address starts with this text: at least two characters, or one ideograph,"
            " syllable or emoji. Ignores case and, in names, accents. Requires sorting by"
            " `created_at`."
        },
    )
    include_deleted = TrueOrFalse(
        metadata={
            "description": "Whether to include deleted customers that are not erased. `true`"
            " requires the scope `customers:write`."
        },
    )

    @validates_schema
    def _can_be_combined(self, query: dict[str, Any], **_: Any) -> None:
        if "ids" in query and query.keys() - {"ids", "fields"}:
            _reject_combination("id", "id must not be combined with other parameters than fields.")
        sort = query.get("sort")
        if "updated_after" in query and sort in _CREATED_SORTS:
            _reject_combination("sort", "updated_after requires sorting by updated_at.")
        if "q" in query and sort in _UPDATED_SORTS:
            _reject_combination("sort", "q requires sorting by created_at.")
        if "q" in query and "updated_after" in query:
            _reject_combination("q", "Must not be combined with updated_after.")

    @post_load
    def _sorted(self, query: dict[str, Any], **_: Any) -> dict[str, Any]:
        if "ids" in query:
            return query
        default = "updated_at" if "updated_after" in query else "-created_at"
        return {"sort": default, **query}


def _reject_combination(parameter: str, detail: str) -> None:
    raise marshmallow.ValidationError(f"combination: {detail}", parameter)
