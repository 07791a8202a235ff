"""Requests as API Gateway passes them to a function (REST API, payload 1.0)."""

import json
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

CUSTOMER_ID = "019a0b4c-7a10-7cc3-98c4-dc0c0c07398f"
HUNDRED_IDS = [f"{CUSTOMER_ID[:-2]}{n:02x}" for n in range(100)]
EXTERNAL_ID = "crm-4711"
IN_PATH = {"customer_id": CUSTOMER_ID, "external_id": EXTERNAL_ID}
SAMPLED = "BENCHMARK_SAMPLED"
"""The environment variable that states whether requests are sampled: "1" or "0", the default."""
TRACE = (
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"
    f";Sampled={os.environ.get(SAMPLED, '0')}"
)
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate, br",
    "Authorization": f"Bearer {'x' * 900}",
    "Content-Type": "application/json",
    "Host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "X-Amzn-Trace-Id": TRACE,
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
}
CUSTOMER = {
    "given_name": "Ada",
    "family_name": "Lovelace",
    "company_name": "Analytical Engines Ltd",
    "phone": "+442079460000",
    "status": "active",
}
ADDRESS = {"type": "work", "line1": "1 Main Street", "city": "London", "country": "GB"}
AUTHORIZER = {
    "principalId": "benchmark",
    "scopes": "customers:read customers:write customers:erase customers:history customers:export",
    "expires": "4102444800",
}


class Kind(NamedTuple):
    """A kind of request. Each request of `creates` has another customer as its body."""

    method: str
    resource: str
    query: Mapping[str, str] = MappingProxyType({})
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})
    creates: int = 0


REFERENCE = {"id": CUSTOMER_ID, "version": 1}
REFERENCES = [{"id": customer_id, "version": 1} for customer_id in HUNDRED_IDS]
PATCH = {"company_name": "Engines Ltd"}
ALL, ONE = "/customers", "/customers/{customer_id}"
EXTERNAL = "/customers/by-external-id/{external_id}"
SIX = {"email": "ada@example.com", **CUSTOMER}
"""All fields that the programs of `benchmarks.peers` support."""
SET = {**SIX, "addresses": [ADDRESS], "metadata": {"tier": "gold"}}
QUERIES = {
    "limit": "50",
    "sort": "created_at",
    "fields": "id,email",
    "email": "ada@example.com",
    "phone": "+442079460000",
    "external_id": "A-1",
    "status": "active",
    "created_after": "2026-01-31T12:00:00Z",
    "created_before": "2026-01-31T12:00:00.123+01:00",
    "updated_after": "2026-01-31T12:00:00Z",
    "q": "ada",
    "include_deleted": "true",
}
"""An example of each query parameter of the list, except `cursor`, which is signed."""
KINDS = {
    "health": Kind("GET", "/health"),
    "get": Kind("GET", ONE),
    "list": Kind("GET", ALL, {"limit": "50"}),
    "changes": Kind("GET", "/customers/changes", {"limit": "50"}),
    "create": Kind("POST", ALL, creates=1),
    "patch": Kind("PATCH", ONE, body=PATCH | {"metadata": {"tier": None}}),
    "put": Kind("PUT", ONE, body=SET, headers={"If-Match": '"v1"'}),
    "patch a field": Kind("PATCH", ONE, body=PATCH),
    "put six fields": Kind("PUT", ONE, body=SIX, headers={"If-Match": '"v1"'}),
    "get by external id": Kind("GET", EXTERNAL),
    "put by external id": Kind("PUT", EXTERNAL, body=SET),
    "patch by external id": Kind("PATCH", EXTERNAL, body=PATCH),
    "delete by external id": Kind("DELETE", EXTERNAL),
    "batch": Kind("POST", "/customers/batch", creates=100),
    "patch batch": Kind("PATCH", ALL, body={"items": [item | PATCH for item in REFERENCES]}),
    "delete batch": Kind("POST", "/customers/delete", body={"items": [REFERENCE]}),
    "delete": Kind("DELETE", ONE),
    "restore": Kind("POST", f"{ONE}/restore"),
    "erase": Kind("POST", f"{ONE}/erase"),
    "erasure": Kind("GET", f"{ONE}/erasure"),
    "history": Kind("GET", f"{ONE}/history"),
    "export": Kind("GET", f"{ONE}/export"),
    "health with deep": Kind("GET", "/health", {"deep": "true"}),
    "get with fields": Kind("GET", ONE, {"fields": "id,email"}),
    **{f"list with {name}": Kind("GET", ALL, {name: value}) for name, value in QUERIES.items()},
}


TOKEN = "BENCHMARK_TOKEN"  # noqa: S105 (a name)
"""The environment variable that contains a token of the stub's issuer."""


SCHEDULED = {
    "version": "0",
    "id": "5d2d4f9c-7f4e-4f0b-9a3a-7f1c2f3c4d5e",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-01-31T12:00:00Z",
    "region": "eu-central-1",
    "resources": [],
    "detail": {},
}
"""What EventBridge passes to the purge and the relay."""


def token_event() -> dict[str, Any]:
    """Return what API Gateway passes to the authorizer."""
    arn = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/dev/GET/customers"
    token = f"Bearer {os.environ[TOKEN]}"
    return {"type": "TOKEN", "methodArn": arn, "authorizationToken": token}


def event(kind: str, number: int) -> dict[str, Any]:
    """Return a request of a kind. Creates with another number create other customers."""
    body, creates = KINDS[kind].body, KINDS[kind].creates
    if creates:
        new = [{"email": f"ada.{number}.{n}@example.com", **CUSTOMER} for n in range(creates)]
        body = new[0] if creates == 1 else {"items": new}
    return request(kind, body)


def request(kind: str, body: Any = None, parameters: Mapping[str, str] = IN_PATH) -> dict[str, Any]:
    """Return a request of a kind, with this body and these values for its path parameters."""
    method, resource, query, _, more, _ = KINDS[kind]
    path = resource.format(**parameters)
    headers = {**HEADERS, **more}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": {k: [v] for k, v in query.items()} or None,
        "pathParameters": {name: value for name, value in parameters.items() if name in resource},
        "stageVariables": None,
        "requestContext": _context(resource, path, method),
        "body": json.dumps(body) if body else None,
        "isBase64Encoded": False,
    }


def _context(resource: str, path: str, method: str) -> dict[str, Any]:
    return {
        "accountId": "123456789012",
        "apiId": "a1b2c3d4e5",
        "authorizer": AUTHORIZER,
        "domainName": HEADERS["Host"],
        "httpMethod": method,
        "identity": {"sourceIp": "198.51.100.7", "userAgent": HEADERS["User-Agent"]},
        "path": f"/dev{path}",
        "protocol": "HTTP/1.1",
        "requestId": "9c7e436c-c191-4f6c-9b4c-8602417c11a5",
        "requestTimeEpoch": 1_767_225_600_000,
        "resourcePath": resource,
        "stage": "dev",
    }
