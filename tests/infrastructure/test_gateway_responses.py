"""The gateway's own responses are the same problems in AWS and locally."""

import json
import re
from urllib.parse import unquote

import botocore.session
import pytest
from botocore.model import StringShape

from chalicelib.http import problems
from infrastructure.gateway_responses import RESPONSES, properties, render

EXPECTED = {
    "UNAUTHORIZED": (401, "unauthenticated"),
    "ACCESS_DENIED": (401, "invalid-token"),
    "AUTHORIZER_FAILURE": (503, "service-unavailable"),
    "AUTHORIZER_CONFIGURATION_ERROR": (503, "service-unavailable"),
    "MISSING_AUTHENTICATION_TOKEN": (404, "not-found"),
    "RESOURCE_NOT_FOUND": (404, "not-found"),
    "INVALID_SIGNATURE": (404, "not-found"),
    "EXPIRED_TOKEN": (404, "not-found"),
    "INVALID_API_KEY": (403, "forbidden"),
    "WAF_FILTERED": (403, "forbidden"),
    "BAD_REQUEST_BODY": (400, "validation-error"),
    "BAD_REQUEST_PARAMETERS": (400, "validation-error"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported-media-type"),
    "REQUEST_TOO_LARGE": (413, "content-too-large"),
    "THROTTLED": (429, "too-many-requests"),
    "QUOTA_EXCEEDED": (429, "too-many-requests"),
    "INTEGRATION_TIMEOUT": (504, "gateway-timeout"),
    "INTEGRATION_FAILURE": (500, "internal-error"),
    "API_CONFIGURATION_ERROR": (500, "internal-error"),
    "DEFAULT_4XX": (400, "bad-request"),
    "DEFAULT_5XX": (500, "internal-error"),
}
CONTEXT = {
    "context.path": "/prod/customers/%22",
    "context.requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    "context.authorizer.reason": "The token is expired.",
}
every_type = pytest.mark.parametrize("response_type", sorted(RESPONSES))


def test_every_aws_response_type_has_a_response() -> None:
    model = botocore.session.get_session().get_service_model("apigateway")

    types = model.shape_for("GatewayResponseType")
    assert isinstance(types, StringShape)
    assert RESPONSES.keys() == set(types.enum)


@pytest.mark.parametrize(("response_type", "expected"), EXPECTED.items())
def test_gateway_response_is_a_problem(response_type: str, expected: tuple[int, str]) -> None:
    status, headers, text = render(response_type, "/customers", "request-1", "Too old.")

    body = json.loads(text)
    assert (status, body["type"]) == (expected[0], problems.TYPE_BASE + expected[1])
    assert body == problems.body(RESPONSES[response_type], "/customers", "request-1") | {
        "detail": "Too old." if response_type == "ACCESS_DENIED" else body["detail"]
    }
    assert all(body.values())
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Request-Id"] == "request-1"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Access-Control-Allow-Origin"] == "*"


@every_type
def test_gateway_response_has_the_headers_of_its_status(response_type: str) -> None:
    status, headers, _ = render(response_type, "/", "request-1")

    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert ("Retry-After" in headers) == (status in {429, 503})
    assert headers.get("Retry-After", "1").isdecimal()
    exposed = set(headers["Access-Control-Expose-Headers"].split(", "))
    assert {"WWW-Authenticate", "Retry-After", "Request-Id"} & headers.keys() <= exposed


def test_challenge_distinguishes_missing_and_invalid_tokens() -> None:
    missing, wrong = (
        render(response_type, "/", "request-1")[1]["WWW-Authenticate"]
        for response_type in ("UNAUTHORIZED", "ACCESS_DENIED")
    )

    assert missing == 'Bearer realm="customers"'
    assert wrong == 'Bearer realm="customers", error="invalid_token"'


@every_type
def test_aws_renders_the_same_response(response_type: str) -> None:
    """API Gateway only inserts the values of variables into template and headers."""
    given = properties(response_type)
    template = given["ResponseTemplates"]["application/json"]
    for name, value in CONTEXT.items():
        template = template.replace(f"${name}", value)
    headers = {
        name.removeprefix("gatewayresponse.header."): CONTEXT.get(value, value.strip("'"))
        for name, value in given["ResponseParameters"].items()
    }

    path, request_id, reason = CONTEXT.values()
    assert render(response_type, path, request_id, reason) == (
        int(given["StatusCode"]),
        headers,
        template,
    )


@every_type
def test_properties_match_cloudformations_schema(response_type: str) -> None:
    given = properties(response_type)

    assert given["ResponseType"] == response_type
    assert re.fullmatch(r"[1-5]\d\d", given["StatusCode"])
    for name, value in given["ResponseParameters"].items():
        assert re.fullmatch(r"gatewayresponse\.header\.[A-Za-z-]+", name)
        assert re.fullmatch(r"'[^'$]+'|context\.requestId", value)
    (template,) = given["ResponseTemplates"].values()
    assert set(re.findall(r"\$[\w.]+", template)) <= {f"${name}" for name in CONTEXT}
    assert "#" not in template.replace("/problems#", "")


@pytest.mark.parametrize(
    "path",
    [
        '/a"b\\c',
        "/a\nb\x00",
        "/é",
        "/$context.requestId",
        '/","status":200,"x":"',
        "/</script>",
        "/a;b",
    ],
)
def test_body_is_json_with_uri_instance_for_every_path(path: str) -> None:
    body = json.loads(render("DEFAULT_4XX", path, "request-1")[2])

    assert unquote(body["instance"]) == path
    assert re.fullmatch(r"[!$%&()*+,./:=@\w~-]+", body["instance"], re.ASCII)
    assert body["status"] == 400


def test_lone_surrogate_in_path_gives_valid_json() -> None:
    assert json.loads(render("DEFAULT_4XX", "/\ud800", "request-1")[2])["instance"] == "/%3F"


@pytest.mark.parametrize("reason", ['"old"', "a\\b", "a\nb", "$context.path", "é"])
def test_body_is_json_for_every_reason(reason: str) -> None:
    assert json.loads(render("ACCESS_DENIED", "/", "request-1", reason)[2])["detail"] == reason
