"""Schemas of the query parameters.

Imported by the first request with a query string about which `rules` is unsure. `lists.combine`
checks which parameters can be combined.
"""

from marshmallow import validate

from chalicelib.customers.fields import CUSTOMERS, MIN_LETTERS, is_selective
from chalicelib.customers.schemas import STATUSES
from chalicelib.http.fields import CommaSeparated, Holds, Identifier, Pasted, Text
from chalicelib.http.formats import EmailInQuery, Moment, PhoneInQuery
from chalicelib.http.queries import Page, Query, TrueOrFalse
from chalicelib.http.schemas import CHOICE

MAX_IDS = 100
SORTS = ("-created_at", "created_at", "-updated_at", "updated_at")


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
    sort = Text(
        20,
        validate=validate.OneOf(SORTS, error=CHOICE),
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
        validate=Holds(
            is_selective,
            error=f"too-short: Must have at least {MIN_LETTERS} characters, or one ideograph,"
            " syllable or emoji.",
        ),
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
    id = CommaSeparated(
        Identifier(),
        max_items=MAX_IDS,
        metadata={
            "description": f"Read up to {MAX_IDS} customers by their ids, separated by commas, in"
            " the order of creation. Unknown ids are ignored. Only `fields` may be added."
        },
    )
