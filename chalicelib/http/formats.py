"""Marshmallow fields whose values have the format of a standard, such as email addresses.

A message has the form `code: Detail.`; problem details contain the two separately.
"""

import re
from collections.abc import Collection
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from email_validator import EmailNotValidError, validate_email
from marshmallow import fields

from chalicelib.http import moments, phones
from chalicelib.http.fields import Pasted, Text

MAX_LOCAL_PART = 64  # bytes before the @ (RFC 5321, section 4.5.3.1.1)
MAX_LABEL = 63  # characters between two dots of a domain (RFC 1035, section 2.3.4)
MAX_INTERNATIONAL, MAX_INTERNATIONAL_LABELS = 100, 10
"""Characters and labels of a domain with a label that is not ASCII, or is encoded (`xn--`)."""
MAX_CONTEXTUAL = 20
"""Characters of a domain that IDNA compares with all others of their label (RFC 5892, appendix A):
joiners, Arabic digits, and some punctuation."""
_DOTS = "[.\u3002\uff0e\uff61]"  # all that IDNA takes for one
_CONTEXTUAL = "[\u200c\u200d\u00b7\u0375\u05f3\u05f4\u30fb\u0660-\u0669\u06f0-\u06f9]"

# in use, but not assigned by ISO 3166-1: the code of Kosovo
_USER_ASSIGNED = frozenset({"XK"})
_CORRECTIONS = {"UK": "GB", "EL": "GR"}

# RFC 5646, section 2.1; without regard to case
_LANGUAGE = (
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})"  # language, and extended language
    r"(?:-[a-z]{4})?"  # script
    r"(?:-(?:[a-z]{2}|[0-9]{3}))?"  # region
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"  # variants
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*"  # extensions
    r"(?:-x(?:-[a-z0-9]{1,8})+)?"  # private use
)
_VARIANT = r"[a-z0-9]{5,8}|[0-9][a-z0-9]{3}"
_PRIVATE_LANGUAGE = r"x(?:-[a-z0-9]{1,8})+"
_IRREGULAR_LANGUAGES = (  # which the grammar lists by name
    r"en-gb-oed|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)"
    r"|sgn-(?:be-fr|be-nl|ch-de)"
)


class Email(Pasted):
    default_error_messages = {
        "email": "email: Must be an email address, such as ada@example.com. {reason}",
    }

    def __init__(self, **arguments: Any) -> None:
        super().__init__(254, **arguments)

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        text = super()._deserialize(value, *arguments, **more)
        # before the validator, whose checks of domains take time
        if reason := _exceeds_a_limit(text):
            raise self.make_error("email", reason=reason)
        try:
            return validate_email(text, check_deliverability=False).normalized
        except EmailNotValidError as error:
            raise self.make_error("email", reason=_without_details(error)) from None


def _exceeds_a_limit(email: str) -> str | None:
    local, _, domain = email.rpartition("@")
    if len(local.encode()) > MAX_LOCAL_PART:
        return f"The part before the @-sign must have at most {MAX_LOCAL_PART} bytes."
    labels = re.split(_DOTS, domain)
    if any(len(label) > MAX_LABEL for label in labels):
        return (
            f"Each part between the dots after the @-sign must have at most {MAX_LABEL} characters."
        )
    is_long = len(domain) > MAX_INTERNATIONAL or len(labels) > MAX_INTERNATIONAL_LABELS
    if is_long and any(map(_is_international, labels)):
        return (
            f"An international domain must have at most {MAX_INTERNATIONAL} characters, and"
            f" {MAX_INTERNATIONAL_LABELS} parts between dots."
        )
    if len(re.findall(_CONTEXTUAL, domain)) > MAX_CONTEXTUAL:
        return (
            f"The part after the @-sign must have at most {MAX_CONTEXTUAL} Arabic digits, joiners"
            " and punctuation marks within words."
        )
    return None


def _is_international(label: str) -> bool:
    return not label.isascii() or label[:4].lower() == "xn--"


def _without_details(error: EmailNotValidError) -> str:
    """Return the reason without what follows a colon or a parenthesis: parts of the address."""
    reason, *_ = re.split(r":| \(", str(error))
    return f"{reason.removesuffix('.')}."


class EmailInQuery(Email):
    """An email address in a query string, where `+` is decoded to a space."""

    def _trim(self, text: str) -> str:
        return super()._trim(text).replace(" ", "+")


class Phone(Text):
    default_error_messages = {
        "phone": "phone: Must be an international number, such as +442079460000 (E.164). {reason}",
    }

    def __init__(self, **arguments: Any) -> None:
        super().__init__(40, **arguments)

    def _check_characters(self, text: str) -> None:
        """Accept the invisible characters that copying adds: `phones` removes them."""

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        try:
            return phones.normalize(super()._deserialize(value, *arguments, **more))
        except phones.InvalidPhone as error:
            raise self.make_error("phone", reason=str(error)) from None


class PhoneInQuery(Phone):
    """A phone number in a query string, where `+` is decoded to a space."""

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        return super()._deserialize(re.sub("^ (?=[0-9])", "+", value), *arguments, **more)


class Country(Text):
    """The code of a country in ISO 3166-1 alpha-2."""

    default_error_messages = {
        "country": "country: Must be the code of a country, such as GB (ISO 3166-1 alpha-2).{hint}",
    }

    def __init__(self, **arguments: Any) -> None:
        super().__init__(2, **arguments)

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        code = super()._deserialize(value, *arguments, **more)
        if code in countries():
            return code
        correct = _CORRECTIONS.get(code.upper(), code.upper())
        hint = f" Use {correct}." if correct in countries() else ""
        raise self.make_error("country", hint=hint)


@cache
def countries() -> Collection[str]:
    """Return the codes in ISO 3166-1, as the package tzdata lists them, and XK (Kosovo)."""
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return frozenset(code for code, _ in rows) | _USER_ASSIGNED


class Language(Text):
    """A language tag that is well-formed by RFC 5646 (BCP 47), in canonical case."""

    default_error_messages = {
        "locale": "locale: Must be a language tag, such as en-GB (BCP 47).",
    }

    def __init__(self, **arguments: Any) -> None:
        super().__init__(35, **arguments)

    def _deserialize(self, value: Any, *arguments: Any, **more: Any) -> str:
        tag = super()._deserialize(value, *arguments, **more).lower()
        if not _is_well_formed(tag):
            raise self.make_error("locale")
        return _in_canonical_case(tag)


def _is_well_formed(tag: str) -> bool:
    if re.fullmatch(f"{_IRREGULAR_LANGUAGES}|{_PRIVATE_LANGUAGE}", tag):
        return True
    if not re.fullmatch(_LANGUAGE, tag):
        return False
    public, _, _ = tag.partition("-x-")
    main, *extensions = re.split("-(?=[a-z0-9]-)", public)
    singletons = [extension[0] for extension in extensions]
    variants = [part for part in main.split("-")[1:] if re.fullmatch(_VARIANT, part)]
    return all(len(set(each)) == len(each) for each in (singletons, variants))


def _in_canonical_case(tag: str) -> str:
    """Return the tag with the case of RFC 5646, section 2.1.1: en-GB, zh-Hant, en-x-gb."""
    first, *others = tag.split("-")
    parts, is_after_singleton = [first], len(first) == 1
    for part in others:
        is_cased = part.isalpha() and not is_after_singleton
        written = {2: part.upper(), 4: part.title()}.get(len(part), part) if is_cased else part
        parts.append(written)
        is_after_singleton = is_after_singleton or len(part) == 1
    return "-".join(parts)


class Moment(fields.AwareDateTime):
    """A time with its offset (RFC 3339), of any precision, converted to UTC."""

    default_error_messages = {
        "time": "time: Must be a time with its offset, such as 2026-01-31T12:00:00Z (RFC 3339).",
    }

    def _deserialize(self, value: Any, *_arguments: Any, **_more: Any) -> datetime:
        try:
            return moments.parse(value)
        except ValueError:
            raise self.make_error("time") from None
