"""What API Gateway answers itself, before or instead of our code, as problem details.

One description for AWS (`properties`) and for the gateway on a laptop (`render`). A template of
API Gateway's is not VTL here: it replaces `$context` variables as they are, and escapes nothing.
So `$context.path`, which REST APIs leave percent-encoded, is all that comes from the client, and
the reason that an authorizer gives must have no quotes, backslashes or line breaks.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-gateway-responses.responseTemplates.html
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
# What may stand in a URI reference besides letters, digits and -._~
URI_CHARACTERS = "/%:@!$&()*+,="

OUR_FAULT = "This is our fault. Tell us the request_id if it goes on."
NO_SUCH_PATH = "There is no such path, or it does not have this method."
NOT_AUTHORIZED_NOW = "Tokens can't be checked at the moment. Try again."
HEADERS = {
    # For any origin: what these answers say is no secret, and tokens are not cookies.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Request-Id, Retry-After, WWW-Authenticate",
    "Cache-Control": "no-store",
    "Content-Type": "application/problem+json",
    "Request-Id": REQUEST_ID,
    "X-Content-Type-Options": "nosniff",
}

RESPONSES: Mapping[str, Problem] = {
    "UNAUTHORIZED": problems.Unauthenticated("Send a token as `Authorization: Bearer <token>`."),
    # Our authorizer denies nothing but tokens; what a token may do, our code decides.
    "ACCESS_DENIED": problems.InvalidToken(REASON),
    # AWS has not said which of the two an authorizer that raises is.
    "AUTHORIZER_FAILURE": problems.ServiceUnavailable(NOT_AUTHORIZED_NOW, retry_after=2),
    "AUTHORIZER_CONFIGURATION_ERROR": problems.ServiceUnavailable(
        NOT_AUTHORIZED_NOW, retry_after=2
    ),
    "MISSING_AUTHENTICATION_TOKEN": problems.NotFound(NO_SUCH_PATH),
    "RESOURCE_NOT_FOUND": problems.NotFound(NO_SUCH_PATH),
    # No operation takes AWS's own signatures: these are a path that does not exist, with a token.
    "INVALID_SIGNATURE": problems.NotFound(NO_SUCH_PATH),
    "EXPIRED_TOKEN": problems.NotFound(NO_SUCH_PATH),
    "INVALID_API_KEY": problems.Forbidden("Send an API key that this service knows."),
    "WAF_FILTERED": problems.Forbidden("The firewall takes this request for an attack."),
    "BAD_REQUEST_BODY": problems.ValidationError("The body is not what this operation takes."),
    "BAD_REQUEST_PARAMETERS": problems.ValidationError(
        "The query or a header is not what this operation takes."
    ),
    "UNSUPPORTED_MEDIA_TYPE": problems.UnsupportedMediaType("Send the body as application/json."),
    "REQUEST_TOO_LARGE": problems.ContentTooLarge("Send less than 10 MB."),
    "THROTTLED": problems.TooManyRequests("Send fewer at a time.", headers={"Retry-After": "1"}),
    "QUOTA_EXCEEDED": problems.TooManyRequests(
        "The quota of this API key is used up.", headers={"Retry-After": "3600"}
    ),
    "INTEGRATION_TIMEOUT": problems.GatewayTimeout("A write may have been done: read before."),
    "INTEGRATION_FAILURE": problems.InternalError(OUR_FAULT),
    "API_CONFIGURATION_ERROR": problems.InternalError(OUR_FAULT),
    # Their status is for types that are not above: AWS may add some.
    "DEFAULT_4XX": problems.BadRequest("The request can't be read. Mend what sends it."),
    "DEFAULT_5XX": problems.InternalError(OUR_FAULT),
}


def properties(response_type: str) -> dict[str, Any]:
    """Return the properties of an AWS::ApiGateway::GatewayResponse, all but its RestApiId."""
    problem = RESPONSES[response_type]
    return {
        "ResponseType": response_type,
        "StatusCode": str(problem.status),
        "ResponseParameters": {
            f"gatewayresponse.header.{name}": _parameter(value)
            for name, value in _headers(problem).items()
        },
        # As JSON, which any `Accept` gets; the header says more exactly what it is.
        "ResponseTemplates": {"application/json": _template(problem)},
    }


def render(
    response_type: str, path: str, request_id: str, reason: str = ""
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body as API Gateway makes them; `reason` is the authorizer's.

    Unlike there, whatever the path and the reason hold, the body is JSON.
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
