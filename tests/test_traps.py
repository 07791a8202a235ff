"""Pitfalls of Chalice and API Gateway, and how the API behaves instead."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import app
from infrastructure.gateway_responses import RESPONSES, properties
from tests.api import ADA, Api, assert_problem

UNKNOWN = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
CONFIG: dict[str, Any] = json.loads(Path(".chalice/config.json").read_text())
# Response headers that API Gateway renames.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
REMAPPED = {"date", "server", "connection", "host", "te", "upgrade", "via", "warning"}


def event(**changes: Any) -> dict[str, Any]:
    """Return API Gateway's event for a list of customers in the stage `prod`."""
    caller = {"principalId": "ada", "scopes": "customers:read", "expires": "4102444800"}
    return {
        "requestContext": {
            "httpMethod": "GET",
            "resourcePath": "/customers",
            "path": "/prod/customers",
            "authorizer": caller,
        },
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
        **changes,
    }


def test_unknown_path_returns_404(api: Api) -> None:
    """API Gateway would return 403 `Missing Authentication Token`, which misleads clients."""
    assert_problem(api.get("/nothing"), 404, "not-found")
    assert_problem(api.get("/customers/a/b/c"), 404, "not-found")


def test_every_method_is_declared() -> None:
    """API Gateway returns 403 for undeclared methods."""
    methods = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}

    assert {path: views.keys() for path, views in app.app.routes.items()} == dict.fromkeys(
        app.app.routes, methods
    )


@pytest.mark.parametrize("kind", RESPONSES)
def test_gateway_responses_are_problems(kind: str) -> None:
    """These requests never reach the function, so the gateway's configuration has the bodies."""
    answer = properties(kind)

    problem = json.loads(answer["ResponseTemplates"]["application/json"])
    assert str(problem["status"]) == answer["StatusCode"]
    parameters = answer["ResponseParameters"]
    for name in ("Access-Control-Allow-Origin", "Request-Id", "Content-Type"):
        assert f"gatewayresponse.header.{name}" in parameters
    if answer["StatusCode"] in {"429", "503"}:
        assert "gatewayresponse.header.Retry-After" in parameters


def test_no_error_has_chalices_format(api: Api) -> None:
    for answer in (
        api.request("POST", "/customers", b"{"),
        api.request("POST", "/customers", b"{}", {"Content-Type": "text/plain"}),
        api.delete("/customers"),
        api.get(UNKNOWN),
    ):
        assert not {"Code", "Message"} & answer.json_body.keys()


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "Application/JSON"])
def test_body_is_parsed_regardless_of_chalices_media_types(api: Api, media_type: str) -> None:
    """Chalice's `json_body` is None for both."""
    path = api.post("/customers", ADA).headers["Location"]

    answer = api.request("PATCH", path, b'{"locale": "en"}', {"Content-Type": media_type})

    assert answer.json_body["locale"] == "en"


def test_response_without_content_has_no_body(api: Api) -> None:
    """Chalice would send a body of None as `null`."""
    path = api.post("/customers", ADA).headers["Location"]

    assert api.get(path, if_none_match="*").body == b""
    assert api.delete(path).body == b""
    assert api.request("OPTIONS", path).body == b""


def test_header_values_are_strings(api: Api, broken_api: Api) -> None:
    """With a number as a header value, the gateway returns 500."""
    created = api.post("/customers", ADA)
    unavailable = broken_api.get("/customers")

    assert unavailable.headers["Retry-After"] == "2"
    for answer in (created, unavailable, api.get("/customers"), api.delete("/health")):
        assert {type(value) for value in answer.headers.values()} == {str}


def test_media_type_matters_only_with_a_body(api: Api) -> None:
    """Chalice would reject a GET with another media type, and accept `*/*` for a body."""
    get = api.request("GET", "/customers", headers={"Content-Type": "text/plain"})
    post = api.request("POST", "/customers", b"{}", {"Content-Type": "*/*"})

    assert get.status_code == 200
    assert_problem(post, 415, "unsupported-media-type")


def test_errors_have_cors_headers(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chalice omits CORS headers from 405 and from unexpected errors."""
    origin = {"Origin": "https://shop.example.com"}
    monkeypatch.setenv("CORS_ORIGINS", origin["Origin"])

    def fail() -> None:
        raise KeyError

    answers = [api.request("DELETE", "/customers", headers=origin)]
    monkeypatch.setattr(app, "database", fail)
    answers.append(api.request("GET", "/customers", headers=origin))

    assert [answer.status_code for answer in answers] == [405, 500]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]


def test_head_is_supported_like_get(api: Api) -> None:
    for path in ("/customers", "/health", UNKNOWN):
        assert api.request("HEAD", path).status_code == api.get(path).status_code


@pytest.mark.usefixtures("api")
def test_function_returns_no_body_for_head() -> None:
    """The gateway doesn't remove the body."""
    asked = event()
    asked["requestContext"]["httpMethod"] = "HEAD"

    answer = app.app(asked, None)

    assert (answer["statusCode"], answer["body"]) == (200, "")


def test_links_contain_the_stage(api: Api) -> None:
    """Chalice's `request.path` is the route's template."""
    for number in range(2):
        api.post("/customers", ADA | {"email": f"{number}@example.com"})

    answer = app.app(event(multiValueQueryStringParameters={"limit": ["1"]}), None)

    assert json.loads(answer["body"])["next"].startswith("/prod/customers?limit=1&cursor=")


@pytest.mark.parametrize(
    ("path", "server"), [("/prod/openapi.json", "/prod"), ("/openapi.json", "/")]
)
def test_document_contains_the_stage(path: str, server: str) -> None:
    """The stage is known only when the document is served."""
    context = {"httpMethod": "GET", "resourcePath": "/openapi.json", "path": path}

    answer = app.app(event(requestContext=context), None)

    assert json.loads(answer["body"])["servers"] == [{"url": server}]


@pytest.mark.usefixtures("api")
def test_missing_query_and_headers_are_accepted() -> None:
    assert app.app(event(headers=None), None)["statusCode"] == 200


@pytest.mark.usefixtures("api")
def test_header_with_several_lines_is_one_list() -> None:
    """The event's `headers` contains only the last line."""
    accept = {"Accept": ["application/json", "text/html"]}

    answer = app.app(event(headers={"Accept": "text/html"}, multiValueHeaders=accept), None)

    assert answer["statusCode"] == 200


def test_plus_in_a_query_is_accepted_in_phones_and_emails(api: Api) -> None:
    """A plus arrives as a space unless it is sent as %2B; both match."""
    api.post("/customers", ADA | {"phone": "+442079460000", "email": "a+b@example.com"})

    for sent in ("phone=+442079460000", "email=a+b@example.com"):
        for query in (sent, sent.replace("+", "%2B")):
            assert len(api.get(f"/customers?{query}").json_body["items"]) == 1


def test_path_parameter_is_decoded(api: Api) -> None:
    """REST APIs and Chalice's local gateway leave path parameters encoded."""
    created = api.post("/customers", ADA)
    escaped = "".join(f"%{ord(character):02X}" for character in created.json_body["id"])

    assert api.get(f"/customers/{escaped}").body == created.body


def test_responses_have_no_header_that_the_gateway_renames(api: Api) -> None:
    created = api.post("/customers", ADA)
    path = created.headers["Location"]
    for answer in (created, api.get(path), api.get("/customers"), api.delete(path), api.get(path)):
        assert not REMAPPED & {name.lower() for name in answer.headers}


def test_responses_stay_within_the_gateways_limits(api: Api) -> None:
    """The limits are 10,240 bytes of headers and a 6 MB body; base64 adds a third to a body."""
    for number in range(2):
        api.post("/customers", ADA | {"email": f"{number}@example.com"})

    page = api.get("/customers?limit=1")

    assert sum(len(name) + len(value) for name, value in page.headers.items()) < 2_000
    assert app.MAX_BATCH_BYTES * 4 / 3 < 6_000_000
    assert not {"/ping", "/sping"} & app.app.routes.keys()


def test_paths_contain_only_portable_characters() -> None:
    """Google's style would be `:restore`, but older gateways reject the colon."""
    for path in app.app.routes:
        for part in path.strip("/").split("/"):
            assert re.fullmatch(r"[a-zA-Z0-9._-]+|\{[a-z_]+\}", part)


def test_document_is_openapi_3_1(api: Api) -> None:
    """Chalice generates Swagger 2.0 without models for the gateway."""
    assert api.get("/openapi.json").json_body["openapi"].startswith("3.1")


def test_regional_gateway_compresses_responses() -> None:
    """The proxies of an edge-optimized gateway would weaken the ETags of compressed responses."""
    assert CONFIG["minimum_compression_size"] <= 1_024
    assert CONFIG["api_gateway_endpoint_type"] == "REGIONAL"
