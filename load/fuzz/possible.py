"""Check whether API Gateway, with our authorizer, can send an event. No one else may call us."""

import base64
import re
from typing import Any

import app
from chalicelib.http.routing import METHODS
from load.fuzz.cases import SCHEDULE, SCHEDULED, Case

ROUTES = frozenset(app.app.routes)  # Chalice adds unknown routes on access
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
NAMES = re.compile("{(.*?)}")
METHOD_ARN = re.compile("arn:aws:execute-api:[^:]+:[0-9]{12}:[^/]+/[^/]+/[A-Z]+/.*")
REQUEST_ID = re.compile("[0-9a-f-]{36}")


def is_possible(case: Case) -> bool:
    """Return whether API Gateway, or EventBridge to a scheduled function, could send the event."""
    check = {
        "app": _is_request,
        "authorize": _is_authorizer_event,
        **dict.fromkeys(SCHEDULED, _is_schedule),
    }
    try:
        return check[case.function](case.event)
    except (KeyError, TypeError, AttributeError):
        return False


def _is_request(event: dict[str, Any]) -> bool:
    context, body = event["requestContext"], event["body"]
    return (
        _is_context(context)
        and _is_table_of_text(event["headers"])
        and _is_table_of_lists(event["multiValueHeaders"])
        and _is_table_of_lists(event["multiValueQueryStringParameters"])
        and _match_route(event["pathParameters"] or {}, context["resourcePath"])
        and "stageVariables" in event
        and (body is None or (_is_text(body) and _is_encoded(body, event["isBase64Encoded"])))
    )


def _is_context(context: dict[str, Any]) -> bool:
    caller = context.get("authorizer")
    return (
        context["httpMethod"] in METHODS
        and context["resourcePath"] in ROUTES
        and _is_text(context["path"])
        and bool(REQUEST_ID.fullmatch(context["requestId"]))
        and (caller is None or _is_caller(caller))
    )


def _is_authorizer_event(event: dict[str, Any]) -> bool:
    is_one = event["type"] == "TOKEN" and bool(METHOD_ARN.fullmatch(event["methodArn"]))
    return is_one and bool(HEADER_VALUE.fullmatch(event["authorizationToken"]))


def _is_schedule(event: dict[str, Any]) -> bool:
    return event.keys() >= {*SCHEDULE, "resources"}


def _match_route(parameters: dict[str, Any], route: str) -> bool:
    return parameters.keys() == set(NAMES.findall(route)) and _is_text(*parameters.values())


def _is_text(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_caller(caller: dict[str, Any]) -> bool:
    return _is_text(caller["principalId"], caller["scopes"]) and bool(
        re.fullmatch("[0-9]{1,12}", caller["expires"])
    )


def _is_table_of_text(table: Any) -> bool:
    return table is None or all(
        HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(value)
        for name, value in table.items()
    )


def _is_table_of_lists(table: Any) -> bool:
    return table is None or all(
        isinstance(values, list) and values and _is_text(*values) for values in table.values()
    )


def _is_encoded(body: str, is_encoded: object) -> bool:
    if is_encoded is not True:
        return is_encoded is False
    try:
        base64.b64decode(body, validate=True)
    except ValueError:
        return False
    return True
