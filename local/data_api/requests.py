"""Parse the body of a call: JSON, validated against AWS's service model."""

import json
from collections.abc import Callable
from typing import Any, NoReturn

from .errors import BadRequestException, ValidationException

MAX_SQL_CHARACTERS = 65_536

Fields = dict[str, Any]
Check = Callable[[str, Any], None]


def parse(body: bytes, *required: str) -> Fields:
    """Return the fields of a call's JSON body. A field that is null counts as absent.

    Ignores unknown fields, as AWS does.

    Raises BadRequestException unless the body is a JSON object with the `required` fields, all of
    the model's types and lengths; ValidationException for `schema`.
    """
    fields = {name: value for name, value in _load(body).items() if value is not None}
    for name in ("resourceArn", "secretArn", *required):
        if name not in fields:
            raise BadRequestException(f"{name} is required")
    for name, value in fields.items():
        if check := _CHECKS.get(name):
            check(name, value)
    if "schema" in fields:
        raise ValidationException("The schema parameter isn't supported")
    return fields


def _load(body: bytes) -> Fields:
    try:
        fields = _decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise BadRequestException("The request body is not valid JSON") from error
    # A lone surrogate is valid JSON, but not valid text.
    if b"\\ud" in body.lower():
        _encode(fields)
    if not isinstance(fields, dict):
        raise BadRequestException("The request body is not a JSON object")
    return fields


def _encode(fields: Any) -> None:
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadRequestException("The request body is not valid Unicode") from error


def refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


_decode = json.JSONDecoder(parse_constant=refuse_constant).decode


def _text(maximum: int, minimum: int = 0) -> Check:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise BadRequestException(f"{name} must be a string")
        if len(value) > maximum:
            raise BadRequestException(f"{name} is longer than {maximum} characters")
        if len(value) < minimum:
            raise BadRequestException(f"{name} is shorter than {minimum} characters")

    return check


def _sql(name: str, value: Any) -> None:
    if isinstance(value, str) and len(value) > MAX_SQL_CHARACTERS:
        raise BadRequestException(
            f"Number of characters in SQLStatement is longer than {MAX_SQL_CHARACTERS}"
        )
    _text(MAX_SQL_CHARACTERS)(name, value)


def _flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise BadRequestException(f"{name} must be a boolean")


def _enum(*choices: str) -> Check:
    def check(name: str, value: Any) -> None:
        if value not in choices:
            raise BadRequestException(f"{name} must be one of {', '.join(choices)}")

    return check


def _parameters(name: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadRequestException(f"{name} must be a list of parameters")


def _parameter_sets(name: str, value: Any) -> None:
    if not isinstance(value, list):
        raise BadRequestException(f"{name} must be a list of lists of parameters")
    for parameters in value:
        _parameters(name, parameters)


def _result_set_options(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise BadRequestException(f"{name} must be an object")
    for option, check in _RESULT_SET_OPTIONS.items():
        if value.get(option) is not None:
            check(option, value[option])


_RESULT_SET_OPTIONS = {
    "decimalReturnType": _enum("STRING", "DOUBLE_OR_LONG"),
    "longReturnType": _enum("LONG", "STRING"),
}
_CHECKS: dict[str, Check] = {
    "resourceArn": _text(570, 11),
    "secretArn": _text(570, 11),
    "sql": _sql,
    "database": _text(64),
    "schema": _text(64),
    "transactionId": _text(192),
    "includeResultMetadata": _flag,
    "continueAfterTimeout": _flag,
    "formatRecordsAs": _enum("NONE", "JSON"),
    "parameters": _parameters,
    "parameterSets": _parameter_sets,
    "resultSetOptions": _result_set_options,
}
