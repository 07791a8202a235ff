"""Problem details for responses that API Gateway creates itself, without calling our code.

`properties` describes them for AWS, and `render` renders them in the local gateway. A template of a
gateway response is not VTL: it inserts `$context` variables without escaping. Therefore the only
client input is `$context.path`, which REST APIs leave percent-encoded, and the authorizer's reasons
must not contain quotes, backslashes or line breaks.

Source:
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from chalicelib.http import problems
from chalicelib.http.problems import Problem

PATH = "$context.path"
REQUEST_ID = "$context.requestId"
REASON = "$context.authorizer.reason"
VARIABLE = re.compile(r"\$context(?:\.[A-Za-z]+)+")
# Allowed in a URI reference besides letters, digits and -._~
URI_CHARACTERS = "/%:@!$&()*+,="

OUR_FAULT = "If this persists, report the request_id."
NO_SUCH_PATH = (
    "The path does not exist, or does not support this method. `/openapi.json` describes the API."
)
NOT_AUTHORIZED_NOW = "Tokens can't be verified at the moment. Try again."
HEADERS = {
    # Allows all origins, because these responses contain no secrets, and tokens are not cookies.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Request-Id, Retry-After, WWW-Authenticate",
    "Cache-Control": "no-store",
    "Content-Type": "application/problem+json",
    "Request-Id": REQUEST_ID,
    "X-Content-Type-Options": "nosniff",
}

RESPONSES: Mapping[str, Problem] = {
    "UNAUTHORIZED": problems.Unauthenticated("Send a token as `Authorization: Bearer <token>`."),
    # Our authorizer only denies invalid tokens; our code checks their scopes.
    "ACCESS_DENIED": problems.InvalidToken(REASON),
    # AWS does not document which of these two applies to an authorizer that raises.
    "AUTHORIZER_FAILURE": problems.ServiceUnavailable(NOT_AUTHORIZED_NOW, retry_after=2),
    "AUTHORIZER_CONFIGURATION_ERROR": problems.ServiceUnavailable(
        NOT_AUTHORIZED_NOW, retry_after=2
    ),
    "MISSING_AUTHENTICATION_TOKEN": problems.NotFound(NO_SUCH_PATH),
    "RESOURCE_NOT_FOUND": problems.NotFound(NO_SUCH_PATH),
    # No operation accepts AWS signatures: such a request has a token, but an unknown path.
    "INVALID_SIGNATURE": problems.NotFound(NO_SUCH_PATH),
    "EXPIRED_TOKEN": problems.NotFound(NO_SUCH_PATH),
    # The authorizer names the key, so the client can't send one: infrastructure/callers.py.
    "INVALID_API_KEY": problems.Forbidden(
        "This client is not admitted, or is blocked. Ask the operator of the API to admit the"
        " subject of your token."
    ),
    "WAF_FILTERED": problems.Forbidden("The firewall blocked this request as an attack."),
    "BAD_REQUEST_BODY": problems.ValidationError(
        "The body does not match the schema of this operation."
    ),
    "BAD_REQUEST_PARAMETERS": problems.ValidationError(
        "The query string or a header is not valid for this operation."
    ),
    "UNSUPPORTED_MEDIA_TYPE": problems.UnsupportedMediaType("Send the body as application/json."),
    "REQUEST_TOO_LARGE": problems.ContentTooLarge("Send less than 10 MB."),
    "THROTTLED": problems.TooManyRequests("Send fewer requests per second.", retry_after=1),
    # Our usage plan has no quota, but an operator may add one.
    "QUOTA_EXCEEDED": problems.TooManyRequests(
        "The quota of this client is exhausted.", retry_after=3_600
    ),
    "INTEGRATION_TIMEOUT": problems.GatewayTimeout(
        "The outcome of a write is unknown: fetch the customer before you retry."
    ),
    "INTEGRATION_FAILURE": problems.InternalError(OUR_FAULT),
    "API_CONFIGURATION_ERROR": problems.InternalError(OUR_FAULT),
    # The status of types that are not listed above, because AWS may add some.
    "DEFAULT_4XX": problems.BadRequest("The request can't be parsed. Fix the client."),
    "DEFAULT_5XX": problems.InternalError(OUR_FAULT),
}


def properties(response_type: str) -> dict[str, Any]:
    """Return the properties of an AWS::ApiGateway::GatewayResponse, except its RestApiId."""
    problem = RESPONSES[response_type]
    return {
        "ResponseType": response_type,
        "StatusCode": str(problem.status),
        "ResponseParameters": {
            f"gatewayresponse.header.{name}": _parameter(value)
            for name, value in _headers(problem).items()
        },
        # JSON matches every `Accept`; the Content-Type header is more specific.
        "ResponseTemplates": {"application/json": _template(problem)},
    }


def render(
    response_type: str, path: str, request_id: str, reason: str = ""
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body as API Gateway renders them; `reason` is the authorizer's.

    Unlike in AWS, the body is valid JSON for every path and reason.
    """
    problem = RESPONSES[response_type]
    instance = quote(path, safe=URI_CHARACTERS, errors="replace")
    values = {PATH: instance, REQUEST_ID: request_id, REASON: reason}
    headers = {name: values.get(value, value) for name, value in _headers(problem).items()}
    body = VARIABLE.sub(lambda found: json.dumps(values[found[0]])[1:-1], _template(problem))
    return problem.status, headers, body


def _headers(problem: Problem) -> dict[str, str]:
    return HEADERS | dict(problem.headers)


def _template(problem: Problem) -> str:
    return json.dumps(problems.body(problem, PATH, REQUEST_ID))


def _parameter(value: str) -> str:
    """Return a header's value as a mapping expression: a variable, or text in quotes."""
    return value.removeprefix("$") if VARIABLE.fullmatch(value) else f"'{value}'"
