"""Validate customers in request bodies.

This module imports marshmallow, so it is imported when a request first needs it: most cold starts
are reads.
"""

import importlib.resources
from collections.abc import Mapping
from functools import cache
from typing import Any

import marshmallow
from marshmallow import validate, validates_schema
from marshmallow.fields import Nested

from chalicelib.customers.fields import CUSTOMERS, MAX_SIZE, has_a_name, size
from chalicelib.http import schemas
from chalicelib.http.fields import MESSAGES, Email, Items, Metadata, Phone, ReadOnly, Text
from chalicelib.http.schemas import CHOICE, JSONObject

STATUSES = ("active", "inactive")


@cache
def _time_zones() -> frozenset[str]:
    # not zoneinfo's, which adds the machine's own time zones
    names = importlib.resources.files("tzdata").joinpath("zones").read_text()
    return frozenset(names.split()) - {"Factory"}


def _is_time_zone(name: str) -> None:
    if name not in _time_zones():
        raise marshmallow.ValidationError(
            "time-zone: Must be an IANA time zone, such as Europe/London."
        )


class Address(JSONObject):
    type = Text(
        20,
        load_default="other",
        validate=validate.OneOf(
            ("billing", "shipping", "home", "work", "other"),
            error=CHOICE,
        ),
    )
    line1 = Text(200, required=True)
    line2 = Text(200, allow_none=True, load_default=None)
    city = Text(200, allow_none=True, load_default=None)
    region = Text(200, allow_none=True, load_default=None)
    postal_code = Text(200, allow_none=True, load_default=None)
    country = Text(
        2,
        required=True,
        validate=validate.Regexp(
            "[A-Z]{2}$", error="country: Must be two capital letters, such as GB (ISO 3166-1)."
        ),
    )


class Customer(JSONObject):
    id = ReadOnly()
    version = ReadOnly()
    status = Text(
        8,
        load_default="active",
        validate=validate.OneOf(STATUSES, error=CHOICE),
    )
    email = Email(required=True)
    phone = Phone(allow_none=True, load_default=None)
    given_name = Text(300, allow_none=True, load_default=None)
    family_name = Text(300, allow_none=True, load_default=None)
    company_name = Text(500, allow_none=True, load_default=None)
    external_id = Text(100, allow_none=True, load_default=None)
    addresses = Items(
        Nested(Address, error_messages=MESSAGES),
        most=5,
        load_default=list,
    )
    locale = Text(
        35,
        allow_none=True,
        load_default=None,
        validate=validate.Regexp(
            "[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
            error="locale: Must be a language tag, such as en-GB (BCP 47).",
        ),
    )
    time_zone = Text(64, allow_none=True, load_default=None, validate=_is_time_zone)
    metadata = Metadata(load_default=dict)
    created_at = ReadOnly()
    updated_at = ReadOnly()
    deleted_at = ReadOnly()
    purge_at = ReadOnly()

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
    items = schemas.items_of(Customer)


def load_customer(document: object, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all writable fields of a customer; see `schemas.load`. Raises ValidationError."""
    return schemas.load(Customer, document, current)


def load_batch(document: object) -> list[dict[str, Any]]:
    """Return all writable fields of each customer of a batch. Raises ValidationError."""
    return schemas.load_batch(Batch, document)


def load_patch(patch: object, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return all writable fields with the merge patch applied. Raises ValidationError."""
    return schemas.load_patch(Customer, patch, current)


def load_details(patch: object) -> dict[str, Any]:
    """Return the details that the merge patch sets. Raises ValidationError."""
    return schemas.load_details(Customer, CUSTOMERS.details, patch)


def is_of_details(patch: object) -> bool:
    """Return whether the merge patch can be validated without the current customer."""
    return schemas.is_of_details(CUSTOMERS.details, patch)
