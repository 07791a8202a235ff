"""The body of a call: JSON, checked member by member against AWS's service model."""

import json
from collections.abc import Callable
from typing import Any, NoReturn

from local.data_api.errors import BadRequestException, ValidationException

LONGEST_SQL = 65_536

Members = dict[str, Any]
Check = Callable[[str, Any], None]


def parse(body: bytes, *required: str) -> Members:
    """Return the members of a call's JSON body; a member that is null counts as absent.

    Members that no operation has are kept unread, as AWS does.

    Raises BadRequestException unless the body is a JSON object with the `required` members, all
    of the model's types and lengths; ValidationException for `schema`.
    """
    members = {name: value for name, value in _load(body).items() if value is not None}
    for name in ("resourceArn", "secretArn", *required):
        if name not in members:
            raise BadRequestException(f"{name} is required")
    for name, value in members.items():
        if check := _CHECKS.get(name):
            check(name, value)
    if "schema" in members:
        raise ValidationException("The schema parameter isn't supported")
    return members


def _load(body: bytes) -> Members:
    try:
        members = _decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise BadRequestException("The request body is not valid JSON") from error
    # An escaped half of a surrogate pair is JSON, but no text.
    if b"\\ud" in body.lower():
        _encode(members)
    if not isinstance(members, dict):
        raise BadRequestException("The request body is not a JSON object")
    return members


def _encode(members: Any) -> None:
    try:
        json.dumps(members, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadRequestException("The request body is not valid Unicode") from error


def refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


_decode = json.JSONDecoder(parse_constant=refuse_constant).decode


def _text(longest: int, shortest: int = 0) -> Check:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise BadRequestException(f"{name} must be a string")
        if len(value) > longest:
            raise BadRequestException(f"{name} is longer than {longest} characters")
        if len(value) < shortest:
            raise BadRequestException(f"{name} is shorter than {shortest} characters")

    return check


def _sql(name: str, value: Any) -> None:
    if isinstance(value, str) and len(value) > LONGEST_SQL:
        raise BadRequestException(
            f"Number of characters in SQLStatement is longer than {LONGEST_SQL}"
        )
    _text(LONGEST_SQL)(name, value)


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
