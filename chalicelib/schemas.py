"""The rules of every field that a client may send.

A rule's message is `code: detail`; problem details carry the two apart. This module imports
marshmallow, so it is itself imported when a request first needs it: most cold starts are reads.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal
from uuid import UUID

import marshmallow
from email_validator import EmailNotValidError, validate_email
from marshmallow import Schema, fields, validate, validates_schema

from chalicelib import cursors
from chalicelib.problems import InputError, ValidationError

MAX_CUSTOMER_BYTES = 8_000  # of JSON: 100 customers then fit the Data API's answer of 1 MiB
MAX_METADATA_BYTES = 4_096

# Line breaks, other controls, and halves of surrogate pairs
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_MESSAGES: dict[str, Any] = {
    "required": "required: Must be given.",
    "null": "null: Must not be null.",
    "type": "type: Must be a JSON object.",
}


class Text(fields.String):
    """A line of text: trimmed, in Unicode's normal form C, without control characters."""

    default_error_messages = _MESSAGES | {
        "invalid": "type: Must be a string.",
        "control": "control-character: Must not have control characters or line breaks.",
        "blank": "blank: Must not be empty; null removes the value.",
        "too_long": "too-long: Must have at most {most} characters.",
    }

    def __init__(self, most: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.most = most

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        text = unicodedata.normalize("NFC", super()._deserialize(value, *arguments, **more)).strip()
        if len(text) > self.most:
            raise self.make_error("too_long", most=self.most)
        if _CONTROL.search(text):
            raise self.make_error("control")
        if not text:
            raise self.make_error("blank")
        return text


class Email(Text):
    default_error_messages = {
        "email": "email: Must be an email address, such as ada@example.com.",
    }

    def __init__(self, **arguments: Any) -> None:
        super().__init__(254, **arguments)

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        text = super()._deserialize(value, *arguments, **more)
        try:
            return validate_email(text, check_deliverability=False).normalized
        except EmailNotValidError:
            raise self.make_error("email") from None


class Phone(Text):
    default_error_messages = {
        "phone": "phone: Must be an international number, such as +442079460000 (E.164).",
    }

    def __init__(self, **arguments: Any) -> None:
        super().__init__(40, **arguments)

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        text = re.sub(r"[ ().-]", "", super()._deserialize(value, *arguments, **more))
        if not re.fullmatch(r"\+[1-9][0-9]{1,14}", text):
            raise self.make_error("phone")
        return text


class Metadata(fields.Field[dict[str, str]]):
    """The client's own: at most 50 members of text, 40 and 500 characters, 4,096 bytes in all."""

    default_error_messages = _MESSAGES | {
        "too_many": "too-many: Must have at most 50 members.",
        "too_large": f"too-large: Must take at most {MAX_METADATA_BYTES} bytes as JSON.",
    }
    _key = Text(40)
    _value = Text(500)

    def _deserialize(self, value: Any, *_arguments: Any, **_more: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise self.make_error("type")
        if len(value) > 50:  # noqa: PLR2004
            raise self.make_error("too_many")
        metadata = self._members(value)
        if _json_size(metadata) > MAX_METADATA_BYTES:
            raise self.make_error("too_large")
        return metadata

    def _members(self, value: dict[str, Any]) -> dict[str, str]:
        metadata, wrong = {}, {}
        for key, text in value.items():
            try:
                metadata[self._key.deserialize(key)] = self._value.deserialize(text)
            except marshmallow.ValidationError as error:
                wrong[key] = error.messages
        if wrong:
            raise marshmallow.ValidationError(wrong)
        return metadata


class ReadOnly(fields.Field[Any]):
    default_error_messages = {
        "read_only": "read-only: Is set by the service.",
    }

    def _deserialize(self, *_arguments: Any, **_more: Any) -> Any:
        raise self.make_error("read_only")


class JSONObject(Schema):
    error_messages = {
        "unknown": "unknown: There is no such member.",
        "type": "type: Must be a JSON object.",
    }


@cache
def _time_zones() -> frozenset[str]:
    import zoneinfo

    return frozenset(zoneinfo.available_timezones())


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
            error="choice: Must be one of {choices}.",
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
    created_at = ReadOnly()
    updated_at = ReadOnly()
    status = Text(
        8,
        load_default="active",
        validate=validate.OneOf(("active", "inactive"), error="choice: Must be one of {choices}."),
    )
    email = Email(required=True)
    phone = Phone(allow_none=True, load_default=None)
    given_name = Text(300, allow_none=True, load_default=None)
    family_name = Text(300, allow_none=True, load_default=None)
    company_name = Text(500, allow_none=True, load_default=None)
    external_id = Text(100, allow_none=True, load_default=None)
    addresses = fields.List(
        fields.Nested(Address, error_messages=_MESSAGES),
        load_default=list,
        validate=validate.Length(max=5, error="too-many: Must have at most {max} items."),
        error_messages={**_MESSAGES, "invalid": "type: Must be a JSON array."},
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

    @validates_schema
    def _has_a_name(self, customer: dict[str, Any], **_: Any) -> None:
        if not any(customer[name] for name in ("given_name", "family_name", "company_name")):
            raise marshmallow.ValidationError(
                "name-required: Must have a given_name, a family_name or a company_name."
            )

    @validates_schema
    def _fits(self, customer: dict[str, Any], **_: Any) -> None:
        if customer_size(customer) > MAX_CUSTOMER_BYTES:
            raise marshmallow.ValidationError(
                f"too-large: Must take at most {MAX_CUSTOMER_BYTES} bytes as JSON."
            )


class WholeNumber(fields.Integer):
    default_error_messages = {
        "invalid": "type: Must be a whole number.",
    }

    def _validated(self, value: Any) -> int:
        if not (value.isascii() and value.isdigit()):
            raise self.make_error("invalid")
        return super()._validated(value)


class Cursor(fields.Field[UUID]):
    default_error_messages = {
        "cursor": "cursor: Must be the cursor of a page's `next`.",
    }

    def _deserialize(self, value: Any, *_arguments: Any, **_more: Any) -> UUID:
        try:
            return cursors.decode(value)
        except ValueError:
            raise self.make_error("cursor") from None


class Parameters(Schema):
    error_messages = {"unknown": "unknown: There is no such parameter."}


class GetCustomers(Parameters):
    limit = WholeNumber(
        validate=validate.Range(1, 100, error="range: Must be from {min} to {max}.")
    )
    cursor = Cursor(attribute="after")


class GetHealth(Parameters):
    deep = fields.Boolean(
        truthy={"true"},
        falsy={"false"},
        error_messages={"invalid": "choice: Must be true or false."},
    )


_JSON_MEMBERS = ("addresses", "metadata")
_READ_ONLY = [name for name, field in Customer().fields.items() if isinstance(field, ReadOnly)]


def load_customer(document: object, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the members of a customer that a client may set, every one of them.

    `current` is the customer as it is: read-only members that equal it may stay in the document.
    Raises problems.ValidationError.
    """
    if current and isinstance(document, Mapping):
        unchanged = {name for name in _READ_ONLY if document.get(name) == current[name]}
        document = {name: value for name, value in document.items() if name not in unchanged}
    try:
        return _schema(Customer).load(document)  # type: ignore[arg-type, no-any-return]
    except marshmallow.ValidationError as error:
        raise _problem("pointer", _errors(error.messages)) from None


def load_parameters(schema: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the parameters of `query`, which has every value of each, as the schema reads them.

    Raises problems.ValidationError.
    """
    repeated = [(name, "repeated: Must be given once.") for name in query if len(query[name]) > 1]
    if repeated:
        raise _problem("parameter", repeated)
    try:
        given = {name: values[0] for name, values in query.items()}
        return _schema(globals()[schema]).load(given)  # type: ignore[no-any-return]
    except marshmallow.ValidationError as error:
        wrong: dict[str, list[str]] = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise _problem("parameter", ((name, wrong[name][0]) for name in wrong)) from None


@cache
def _schema(schema: type[Schema]) -> Schema:
    return schema()


def customer_size(customer: Mapping[str, Any]) -> int:
    """Return how many bytes of JSON the Data API sends for the customer.

    It sends the two JSON columns as text: their quotes count twice.
    """
    as_text = {name: json.dumps(customer[name], ensure_ascii=False) for name in _JSON_MEMBERS}
    return _json_size({**customer, **as_text})


def _json_size(document: object) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def _errors(messages: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Flatten marshmallow's tree of messages to JSON pointers (RFC 6901) and messages."""
    if isinstance(messages, dict):
        for name, below in messages.items():
            part = str(name).replace("~", "~0").replace("/", "~1")
            yield from _errors(below, pointer if name == "_schema" else f"{pointer}/{part}")
    else:
        yield from ((pointer, message) for message in messages)


def _problem(
    place: Literal["pointer", "parameter"], messages: Iterable[tuple[str, str]]
) -> ValidationError:
    errors: list[InputError] = []
    for where, message in messages:
        code, detail = message.split(": ", 1)
        errors.append({place: where, "code": code, "detail": detail})  # type: ignore[misc]
    return ValidationError("See `errors` for what to change.", errors)
