"""The rules of every member and parameter that a client may send.

This module imports marshmallow, so it is itself imported when a request first needs it: most
cold starts are reads.
"""

import importlib.resources
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import marshmallow
from marshmallow import Schema, missing, validate, validates_schema
from marshmallow.fields import Nested

from chalicelib.customers import rows
from chalicelib.customers.rows import DETAILS, email_key
from chalicelib.http.documents import merge_patch
from chalicelib.http.fields import (
    MAX_METADATA,
    MAX_METADATA_BYTES,
    MESSAGES,
    Email,
    Items,
    Member,
    Metadata,
    Phone,
    ReadOnly,
    Text,
)
from chalicelib.http.problems import invalid

STATUSES = ("active", "inactive")
CHOICE = "choice: Must be one of {choices}."


class JSONObject(Schema):
    error_messages = {
        "unknown": "unknown: There is no such member.",
        "type": "type: Must be a JSON object.",
    }


@cache
def _time_zones() -> frozenset[str]:
    # not zoneinfo's: that adds what the machine has, and no two have the same
    names = importlib.resources.files("tzdata").joinpath("zones").read_text()
    return frozenset(names.split()) - {"Factory"}


def _is_time_zone(name: str) -> None:
    if name not in _time_zones():
        raise marshmallow.ValidationError(
            "time-zone: Must be a time zone of the IANA database, such as Europe/London."
        )


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
    country = Text(
        2,
        required=True,
        validate=validate.Regexp(
            "[A-Z]{2}$", error="country: Must be two capital letters, such as GB (ISO 3166-1)."
        ),
        metadata={
            "description": "Country code: two capital letters (ISO 3166-1 alpha-2), such as GB."
        },
    )


class Customer(JSONObject):
    id = ReadOnly(metadata={"description": "Identifies the customer: a UUID, version 7."})
    version = ReadOnly(
        metadata={"description": "Starts at 1, and increases by 1 with each update."}
    )
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
            "description": "International phone number (E.164). The service removes spaces, dots,"
            " dashes and parentheses."
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
        most=5,
        load_default=list,
        metadata={"description": "Postal addresses."},
    )
    locale = Text(
        35,
        allow_none=True,
        load_default=None,
        validate=validate.Regexp(
            "[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
            error="locale: Must be a language tag, such as en-GB (BCP 47).",
        ),
        metadata={"description": "Language tag (BCP 47), such as en-GB."},
    )
    time_zone = Text(
        64,
        allow_none=True,
        load_default=None,
        validate=_is_time_zone,
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
    created_at = ReadOnly(metadata={"description": "Time of creation, in UTC, in milliseconds."})
    updated_at = ReadOnly(
        metadata={"description": "Time of the last update, in UTC, in milliseconds."}
    )
    deleted_at = ReadOnly(
        metadata={"description": "Time of deletion; null unless the customer is deleted."}
    )
    purge_at = ReadOnly(
        metadata={
            "description": "Time after which the service erases the customer; null unless the"
            " customer is deleted."
        }
    )

    @validates_schema
    def _has_a_name(self, customer: dict[str, Any], *, partial: bool, **_: Any) -> None:
        if not partial and not rows.has_a_name(customer):
            raise marshmallow.ValidationError(
                "name-required: Must have a given_name, a family_name or a company_name."
            )

    @validates_schema
    def _fits(self, customer: dict[str, Any], *, partial: bool, **_: Any) -> None:
        if not partial and rows.size(customer) > rows.MAX_SIZE:
            raise marshmallow.ValidationError(
                f"too-large: Must take at most {rows.MAX_SIZE} bytes as JSON."
            )


class Batch(JSONObject):
    items = Items(
        Nested(Customer, error_messages=MESSAGES),
        most=100,
        required=True,
        validate=validate.Length(min=1, error="too-few: Must have at least {min} item."),
        metadata={"description": "The new customers."},
    )

    @validates_schema
    def _has_no_customer_twice(self, batch: dict[str, Any], **_: Any) -> None:
        emails = [email_key(each["email"]) for each in batch["items"]]
        external_ids = [each["external_id"] for each in batch["items"]]
        wrong: dict[int, dict[str, list[str]]] = {}
        for name, values in (("email", emails), ("external_id", external_ids)):
            for n, first in _repetitions(values):
                wrong.setdefault(n, {})[name] = [f"repeated: Is item {first}'s, too."]
        if wrong:
            raise marshmallow.ValidationError({"items": wrong})


def load_customer(document: object, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the members of a customer that a client may set, every one of them.

    `current` is the customer as it is, as far as that is known: read-only members that equal it
    may stay in the document. Raises problems.ValidationError.
    """
    if current and isinstance(document, Mapping):
        document = {
            name: value
            for name, value in document.items()
            if name not in _read_only() or not _is_the_same(value, current.get(name, value))
        }
    return _load(_schema(Customer), document)


def load_batch(document: object) -> list[dict[str, Any]]:
    """Return what `load_customer` does, for each of a batch. Raises problems.ValidationError."""
    batch: list[dict[str, Any]] = _load(_schema(Batch), document)["items"]
    return batch


def is_of_details(patch: object) -> bool:
    """Whether the merge patch can be made without knowing the customer."""
    return isinstance(patch, dict) and bool(patch) and patch.keys() <= set(DETAILS)


def load_details(patch: object) -> dict[str, Any]:
    """Return the members that the merge patch names. Raises problems.ValidationError."""
    return _load(Customer(only=DETAILS, partial=True), patch)


def load_patch(patch: object, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of the customer with the merge patch applied, as `load_customer` does.

    Null removes what may be empty; anywhere else it is as wrong as it is in a new customer.
    """
    merged = merge_patch(current, patch)
    if isinstance(merged, dict) and isinstance(patch, Mapping):
        nulls = {name for name, value in patch.items() if value is None}
        merged |= dict.fromkeys(nulls - _may_be_empty())
    return load_customer(merged, current)


def _load(schema: Schema, document: object) -> dict[str, Any]:
    try:
        return schema.load(document)  # type: ignore[arg-type, no-any-return]
    except marshmallow.ValidationError as error:
        raise invalid("pointer", _errors(error.messages)) from None


def _repetitions(values: Iterable[str | None]) -> Iterator[tuple[int, int]]:
    """Give the place of each value that came before, and the place where it did."""
    first: dict[str, int] = {}
    for n, value in enumerate(values):
        if value is not None and first.setdefault(value, n) != n:
            yield n, first[value]


@cache
def _schema(schema: type[Schema]) -> Schema:
    return schema()


def _is_the_same(value: object, current: object) -> bool:
    """Whether a read-only member is as it is; a client may write its times in another way."""
    if value == current or not (isinstance(value, str) and isinstance(current, str)):
        return value == current
    try:
        return datetime.fromisoformat(value) == datetime.fromisoformat(current)
    except (ValueError, TypeError):
        return False


@cache
def _read_only() -> frozenset[str]:
    members = _schema(Customer).fields
    return frozenset(name for name, field in members.items() if isinstance(field, ReadOnly))


@cache
def _may_be_empty() -> frozenset[str]:
    members = _schema(Customer).fields
    defaults = {name: field.load_default for name, field in members.items()}
    return frozenset(
        name
        for name, default in defaults.items()
        if default is not missing and not (default() if callable(default) else default)
    )


def _errors(messages: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Flatten marshmallow's tree of messages to JSON pointers (RFC 6901) and messages."""
    if not isinstance(messages, dict):
        yield from ((pointer, message) for message in messages)
        return
    for name, below in messages.items():
        part = str(name).replace("~", "~0").replace("/", "~1")
        is_about_the_whole = name == "_schema" and not isinstance(name, Member)
        yield from _errors(below, pointer if is_about_the_whole else f"{pointer}/{part}")
