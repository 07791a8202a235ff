"""Links stay below the address that the client used: a stage, a domain, or its base path.

The shapes of the events are AWS's (aws-powertools/powertools-lambda-python#579): behind a
domain with a base path, `requestContext.path` begins with the base path, without the stage.
"""

import json
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import pytest
from chalice.test import HTTPResponse

import app
from chalicelib.database import Database
from infrastructure.stages import Domain
from local.gateway import Gateway
from serve.gateway import Headers
from tests.api import ADA, Api, assert_problem

DEFAULT = "abcdef.execute-api.eu-west-1.amazonaws.com"
ADDRESSES = {
    "default address": (DEFAULT, "/prod"),
    "domain": ("api.example.com", ""),
    "domain with a base path": ("api.example.com", "/crm"),
}
DOMAIN = Domain("api.example.com", base_path="crm")


class Mapped(Gateway):
    """The local gateway behind a base path mapping of API Gateway."""

    def _event(
        self, method: str, path: str, headers: Headers, body: bytes | None
    ) -> dict[str, Any]:
        base = f"/{DOMAIN.base_path}"
        assert path.startswith(f"{base}/"), "API Gateway would not find the API"
        event = super()._event(method, path.removeprefix(base), headers, body)
        event["path"] = event["requestContext"]["path"] = path.partition("?")[0]
        event["requestContext"]["domainName"] = DOMAIN.name
        return event


@pytest.fixture
def mapped(api: Api) -> Api:
    """Return a client whose gateway is behind a base path."""
    own = api._http._local_gateway
    api._http._local_gateway = Mapped(  # type: ignore[assignment]
        app.app, cast("Gateway", own)._config
    )
    return api


def following(answer: HTTPResponse, start: str) -> str:
    """Return the path and query of the next page, as a client resolves it."""
    target = answer.headers["Link"].partition(">")[0].removeprefix("<")
    assert target == answer.json_body["next"]
    resolved = urlsplit(urljoin(start, target))
    assert resolved.netloc == DOMAIN.name
    return f"{resolved.path}?{resolved.query}"


def test_client_follows_links_below_the_base_path(mapped: Api) -> None:
    created = [mapped.post("/crm/customers", ADA | {"email": f"{n}@example.com"}) for n in "abc"]
    first = mapped.get("/crm/customers?limit=2")
    second = mapped.get(following(first, f"{DOMAIN.url}/customers?limit=2"))

    for answer in created:
        assert answer.status_code == 201
        assert mapped.get(answer.headers["Location"]).json_body == answer.json_body
    items = first.json_body["items"] + second.json_body["items"]
    assert {item["id"] for item in items} == {answer.json_body["id"] for answer in created}
    assert second.json_body["next"] is None


def test_document_names_the_base_path_as_its_server(mapped: Api) -> None:
    document = mapped.get("/crm/openapi.json").json_body
    (server,) = document["servers"]
    base = urljoin(f"{DOMAIN.url}/openapi.json", server["url"])

    assert base == DOMAIN.url
    path = next(path for path in document["paths"] if path == "/customers")
    assert mapped.get(urlsplit(base + path).path).status_code == 200


def test_problem_names_the_requested_path(mapped: Api) -> None:
    answer = mapped.get("/crm/customers/unknown")

    assert_problem(answer, 404, "customer-not-found")
    assert answer.json_body["instance"] == "/crm/customers/unknown"


def test_gateways_own_problem_names_the_requested_path(mapped: Api) -> None:
    answer = mapped.get("/crm/nothing")

    assert_problem(answer, 404, "not-found")
    assert answer.json_body["instance"] == "/crm/nothing"


def event(address: str, method: str, route: str, **more: Any) -> dict[str, Any]:
    """Return API Gateway's event for a request to one of the addresses."""
    host, prefix = ADDRESSES[address]
    scopes = "customers:read customers:write"
    return {
        "resource": route,
        "path": route if host == DEFAULT else prefix + route,  # AWS leaves out only the stage
        "httpMethod": method,
        "headers": {"Host": host, "Content-Type": "application/json"},
        "multiValueHeaders": {"Host": [host], "Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": route,
            "httpMethod": method,
            "path": prefix + route,
            "stage": "prod",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "requestId": "gateway-1",
            "authorizer": {"principalId": "ada", "scopes": scopes, "expires": "4102444800"},
        },
        "body": None,
        "isBase64Encoded": False,
        **more,
    }


@pytest.mark.parametrize("address", ADDRESSES)
def test_links_in_responses_to_events_of_aws(
    database: Database, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(app, "database", lambda: database)
    prefix = ADDRESSES[address][1]
    body = json.dumps(ADA)
    created = app.app(event(address, "POST", "/customers", body=body), None)
    other = json.dumps(ADA | {"email": "b@example.com"})
    app.app(event(address, "POST", "/customers", body=other), None)
    query = {"multiValueQueryStringParameters": {"limit": ["1"]}}
    page = app.app(event(address, "GET", "/customers", **query), None)
    document = app.app(event(address, "GET", "/openapi.json"), None)

    customer_id = json.loads(created["body"])["id"]
    assert created["headers"]["Location"] == f"{prefix}/customers/{customer_id}"
    following = json.loads(page["body"])["next"]
    assert following.startswith(f"{prefix}/customers?limit=1&cursor=")
    assert page["headers"]["Link"] == f'<{following}>; rel="next"'
    assert json.loads(document["body"])["servers"] == [{"url": prefix or "/"}]
