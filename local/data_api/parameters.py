"""Convert parameters (Field and typeHint) to SQL literals.

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_SqlParameter.html
"""

import json
import math
import re
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from uuid import UUID

from pymysql.converters import escape_bool, escape_float, escape_int, escape_None, escape_string

from .errors import BadRequestException, DatabaseErrorException, ValidationException
from .requests import refuse_constant

LARGEST_LONG = 2**63 - 1
# The maximum number of digits of MySQL's DECIMAL is 65.
LARGEST_EXPONENT = 65


class Temporal(NamedTuple):
    """A date, time or timestamp as a typed SQL literal: `DATE'2026-01-31'`."""

    type: str
    text: str


def read(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the values of a call's parameters by name, as PyMySQL expects them.

    Raises BadRequestException for an invalid value or typeHint; DatabaseErrorException for a value
    that does not have the format of its typeHint; ValidationException for an array.
    """
    return {
        _name(parameter): _value(parameter)
        for parameter in parameters
        if parameter.get("value") is not None
    }


def _name(parameter: dict[str, Any]) -> str:
    name = parameter.get("name")
    if not isinstance(name, str):
        raise BadRequestException("A parameter must have a name")
    return name


def _value(parameter: dict[str, Any]) -> Any:
    kind, value = _single(parameter)
    hint = parameter.get("typeHint")
    if kind == "isNull":
        return None
    if hint is None:
        return _KINDS[kind](value)
    if not (isinstance(hint, str) and hint in _HINTS and kind == "stringValue"):
        raise BadRequestException(f"Parameter {parameter['name']}: typeHint does not fit its value")
    return _hinted(hint, _string(value))


def _single(parameter: dict[str, Any]) -> tuple[str, Any]:
    field = parameter["value"]
    if not isinstance(field, dict):
        raise BadRequestException(f"Parameter {parameter['name']}: value must be an object")
    values = [(kind, value) for kind, value in field.items() if value is not None]
    if len(values) != 1 or values[0][0] not in _KINDS:
        raise BadRequestException(
            f"Parameter {parameter['name']}: value must have one known member"
        )
    return values[0]


def _hinted(hint: str, text: str) -> Any:
    try:
        return _HINTS[hint](text)
    except (ValueError, InvalidOperation, RecursionError) as error:
        kind = "TimeStamp" if hint == "TIMESTAMP" else hint.capitalize()
        raise DatabaseErrorException(
            f"Parse Error for {kind}: input contains invalid characters"
        ) from error


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadRequestException("booleanValue must be a boolean")
    return value


def _long(value: Any) -> int:
    if type(value) is not int or not -LARGEST_LONG - 1 <= value <= LARGEST_LONG:
        raise BadRequestException("longValue must be an integer of 64 bits")
    return value


def _double(value: Any) -> float:
    # The protocol writes NaN and infinities as strings; MySQL supports none of them.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequestException("doubleValue must be a finite number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadRequestException("doubleValue must be a finite number")
    return number


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequestException("stringValue must be a string")
    return value


def _blob(value: Any) -> bytes:
    try:
        return b64decode(_string(value), validate=True)
    except ValueError as error:
        raise BadRequestException("blobValue must be base64") from error


def _array(_: Any) -> None:
    raise ValidationException("Array parameters are not supported.")


def _temporal(type_: str, pattern: str) -> Callable[[str], Temporal]:
    def check(text: str) -> Temporal:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(text)
        return Temporal(type_, text)

    return check


def _decimal(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        raise ValueError(text)
    number = Decimal(text)
    if abs(number.adjusted()) > LARGEST_EXPONENT:
        raise ValueError(text)
    return number


def _json(text: str) -> str:
    json.loads(text, parse_constant=refuse_constant)
    return text


def _uuid(text: str) -> str:
    if str(UUID(text)) != text.lower():  # UUID() accepts other formats, too
        raise ValueError(text)
    return text


_KINDS: dict[str, Callable[[Any], Any]] = {
    "isNull": lambda _: None,
    "booleanValue": _boolean,
    "longValue": _long,
    "doubleValue": _double,
    "stringValue": _string,
    "blobValue": _blob,
    "arrayValue": _array,
}
_DATE = r"\d{4}-\d{2}-\d{2}"
_FRACTION = r"(\.\d{1,6})?"
_HINTS: dict[str, Callable[[str], Any]] = {
    "DATE": _temporal("DATE", _DATE),
    "TIME": _temporal("TIME", rf"-?\d{{2,3}}:\d{{2}}:\d{{2}}{_FRACTION}"),
    "TIMESTAMP": _temporal("TIMESTAMP", rf"{_DATE} \d{{2}}:\d{{2}}:\d{{2}}{_FRACTION}"),
    "DECIMAL": _decimal,
    "JSON": _json,
    "UUID": _uuid,
}


def _decimal_literal(number: Decimal) -> str:
    digits = format(number, "f")
    # Without a point it would be an integer.
    return digits if "." in digits else f"{digits}."


# PyMySQL's SQL syntax for each type. Without decoders, column values stay as sent.
CONVERSIONS: dict[Any, Any] = {
    type(None): escape_None,
    bool: escape_bool,
    int: escape_int,
    float: escape_float,
    str: escape_string,
    Decimal: lambda number, _: _decimal_literal(number),
    Temporal: lambda value, _: f"{value.type}'{value.text}'",
}
