"""International phone numbers (E.164), by the data of libphonenumber.

The library `phonenumbers` is imported only for numbers that it might reject or change. For all
others, `calling_codes.json` suffices, which `make openapi` generates from the library.
docs/decisions/0025 explains the rules.
"""

import json
import re
from functools import cache
from unicodedata import category, decimal

from chalicelib import http
from chalicelib.http import packaged

E164 = r"\+[1-9][0-9]{1,14}"
_SEPARATORS = {"Zs", "Pd", "Ps", "Pe"}  # categories: spaces, dashes, opening and closing brackets
_OTHER_SEPARATORS = ".\uff0e\u2212\u30fc"  # dots, the minus, and a Japanese dash
_FULL_WIDTH_PLUS = "\uff0b"

_UNKNOWN_CODE = "No country has this calling code."
_WRONG_LENGTH = "It has too many or too few digits for its country."


class InvalidPhone(ValueError):
    """The text is not a phone number; the message says why, and does not quote the text."""


def is_certain(number: str) -> bool:
    """Return whether libphonenumber accepts the number in E.164 and leaves it unchanged."""
    codes = _calling_codes()
    # no calling code is the beginning of another one
    known = codes.get(number[1:3]) or codes.get(number[1:2]) or codes.get(number[1:4])
    if known is None:
        return False
    size, first, lengths = _parsed(known)
    return (
        len(number) in lengths
        and number[size] in first
        and number[0] == "+"
        and number.isascii()
        and number[1:].isdecimal()
    )


def normalize(text: str) -> str:
    """Return the number in E.164. Raises InvalidPhone."""
    number = text if text.isascii() and text[1:].isdecimal() else _without_separators(text)
    return number if is_certain(number) else _parse(number)


def _without_separators(text: str) -> str:
    if not text.isascii():
        from chalicelib.http import characters  # only for pasted text

        text = characters.without_invisible(text).replace(_FULL_WIDTH_PLUS, "+")
    kept = [c for c in text if category(c) not in _SEPARATORS and c not in _OTHER_SEPARATORS]
    return "".join(str(decimal(c, c)) for c in kept)


def _parse(number: str) -> str:
    """Return the number without the trunk prefix of its country. Raises InvalidPhone."""
    if not number.startswith("+"):
        raise InvalidPhone("It must begin with + and a country calling code, instead of 0 or 00.")
    if not (number[1:].isascii() and number[1:].isdecimal()):
        raise InvalidPhone("After +, it must have digits only, without letters or an extension.")
    import phonenumbers
    from phonenumbers import NumberParseException, PhoneNumberFormat

    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException as error:
        is_unknown = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        raise InvalidPhone(_UNKNOWN_CODE if is_unknown else _WRONG_LENGTH) from None
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise InvalidPhone(_WRONG_LENGTH)
    if parsed.italian_leading_zero and not phonenumbers.is_valid_number(parsed):
        raise InvalidPhone("Remove the 0 after the country calling code.")
    formatted = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if not re.fullmatch(E164, formatted):  # the library knows longer numbers, too
        raise InvalidPhone(_WRONG_LENGTH)
    return formatted


@cache
def _parsed(known: str) -> tuple[int, str, frozenset[int]]:
    size, first, lengths = known.split()
    return int(size), first, frozenset(map(int, lengths.split(",")))


@cache
def _calling_codes() -> dict[str, str]:
    """Return what is certain about numbers by calling code.

    It is the size of the code with its plus, the first digits after the code, and the lengths of
    the whole number. As text, it costs the garbage collector nothing.
    """
    text = packaged.read_text(http, "calling_codes.json")
    return json.loads(text)["codes"]  # type: ignore[no-any-return]
