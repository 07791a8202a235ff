"""Validate customers in request bodies.

This module imports marshmallow, so it is imported by the first request about whose body `rules` is
unsure.
"""

from collections.abc import Mapping
from typing import Any

import marshmallow
from marshmallow import validate, validates_schema
from marshmallow.fields import Nested

from chalicelib.customers.fields import CUSTOMERS, MAX_SIZE, has_a_name, is_time_zone, size
from chalicelib.http import schemas
from chalicelib.http.fields import (
    MAX_METADATA,
    MAX_METADATA_BYTES,
    MESSAGES,
    Holds,
    Items,
    Metadata,
    Text,
)
from chalicelib.http.formats import Country, Email, Language, Phone
from chalicelib.http.schemas import CHOICE, JSONObject, Versioned

STATUSES = ("active", "inactive")


class Address(JSONObject):
    type = Text(
        20,
        load_default="other",
        validate=validate.OneOf(
            ("billing", "shipping", "home", "work", "other"),
            error=CHOICE,
        ),
        metadata={"description": "Purpose of the address."},
    )
    line1 = Text(200, required=True, metadata={"description": "First line of the address."})
    line2 = Text(
        200,
        allow_none=True,
        load_default=None,
        metadata={"description": "Second line of the address."},
    )
    city = Text(
        200, allow_none=True, load_default=None, metadata={"description": "City, town or village."}
    )
    region = Text(
        200,
        allow_none=True,
        load_default=None,
        metadata={"description": "State, province or county."},
    )
    postal_code = Text(
        200, allow_none=True, load_default=None, metadata={"description": "Postal code."}
    )
    country = Country(
        required=True,
        metadata={
            "description": "Country code: two capital letters (ISO 3166-1 alpha-2), such as GB; or"
            " XK for Kosovo."
        },
    )


class Customer(Versioned):
    status = Text(
        8,
        load_default="active",
        validate=validate.OneOf(STATUSES, error=CHOICE),
        metadata={
            "description": "Whether you do business with the customer. The service does not"
            " interpret the status."
        },
    )
    email = Email(
        required=True,
        metadata={"description": "Email address. Unique among customers, case-insensitive."},
    )
    phone = Phone(
        allow_none=True,
        load_default=None,
        metadata={
            "description": "International phone number (E.164), of a length that its country has."
            " The service removes spaces, dots, dashes, brackets and the trunk prefix, as in"
            " +44 (0)20 7946 0000."
        },
    )
    given_name = Text(
        300,
        allow_none=True,
        load_default=None,
        metadata={
            "description": "Given name. A customer requires a given name, a family name or a"
            " company name."
        },
    )
    family_name = Text(
        300,
        allow_none=True,
        load_default=None,
        metadata={
            "description": "Family name. A customer requires a given name, a family name or a"
            " company name."
        },
    )
    company_name = Text(
        500,
        allow_none=True,
        load_default=None,
        metadata={
            "description": "Company name. A customer requires a given name, a family name or a"
            " company name."
        },
    )
    external_id = Text(
        100,
        allow_none=True,
        load_default=None,
        metadata={"description": "The customer's id in your own system. Unique among customers."},
    )
    addresses = Items(
        Nested(Address, error_messages=MESSAGES),
        max_items=5,
        load_default=list,
        metadata={"description": "Postal addresses."},
    )
    locale = Language(
        allow_none=True,
        load_default=None,
        metadata={
            "description": "Language tag (BCP 47), such as en-GB. The service stores it in"
            " canonical case."
        },
    )
    time_zone = Text(
        64,
        allow_none=True,
        load_default=None,
        validate=Holds(
            is_time_zone, error="time-zone: Must be an IANA time zone, such as Europe/London."
        ),
        metadata={
            "description": "Name of a time zone in the IANA database, such as Europe/London.",
            "format": "time-zone",
        },
    )
    metadata = Metadata(
        load_default=dict,
        metadata={
            "description": f"Your own keys with text values. Maximum: {MAX_METADATA} keys,"
            f" {MAX_METADATA_BYTES:,} bytes as JSON."
        },
    )

    @validates_schema
    def _has_a_name(self, customer: dict[str, Any], *, partial: bool, **_: Any) -> None:
        if not partial and not has_a_name(customer):
            raise marshmallow.ValidationError(
                "name-required: Must have a given_name, a family_name or a company_name."
            )

    @validates_schema
    def _is_small_enough(self, customer: dict[str, Any], *, partial: bool, **_: Any) -> None:
        if not partial and size(customer) > MAX_SIZE:
            raise marshmallow.ValidationError(
                f"too-large: Must have at most {MAX_SIZE} bytes as JSON."
            )


class Batch(schemas.Batch):
    unique = CUSTOMERS.unique
    items = schemas.items_of(Customer, "The new customers.")


def load_customer(document: object, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all writable fields of a customer; see `schemas.load`. Raises ValidationError."""
    return schemas.load(Customer, document, current)


def load_batch(document: object) -> list[dict[str, Any]]:
    """Return all writable fields of each customer of a batch. Raises ValidationError."""
    return schemas.load_batch(Batch, document)


def load_patch(patch: object, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return all writable fields with the merge patch applied. Raises ValidationError."""
    return schemas.load_patch(Customer, patch, current)


def load_external_id(text: str) -> str:
    """Return the external id in a path. Raises ValidationError."""
    return schemas.load_parameter(Customer, "external_id", text)


def load_details(patch: object) -> dict[str, Any]:
    """Return the details that the merge patch sets. Raises ValidationError."""
    return schemas.load_details(Customer, CUSTOMERS.details, patch)
