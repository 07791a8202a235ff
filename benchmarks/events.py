"""Requests as API Gateway passes them to a function (REST API, payload 1.0)."""

import json
import os
from typing import Any

CUSTOMER_ID = "019a0b4c-7a10-7cc3-98c4-dc0c0c07398f"
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
AUTHORIZER = {
    "principalId": "benchmark",
    "scopes": "customers:read customers:write",
    "expires": "4102444800",
}


def event(kind: str, number: int) -> dict[str, Any]:
    """Return a request of a kind: `health`, `get`, `list`, or `create` with another customer."""
    resource = {"health": "/health", "get": "/customers/{customer_id}"}.get(kind, "/customers")
    path = resource.replace("{customer_id}", CUSTOMER_ID)
    method = "POST" if kind == "create" else "GET"
    query = {"limit": "50"} if kind == "list" else {}
    customer = {"email": f"ada.{number}@example.com", **CUSTOMER}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": HEADERS,
        "multiValueHeaders": {name: [value] for name, value in HEADERS.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {k: [v] for k, v in query.items()} or None,
        "pathParameters": {"customer_id": CUSTOMER_ID} if kind == "get" else None,
        "stageVariables": None,
        "requestContext": _context(resource, path, method),
        "body": json.dumps(customer) if kind == "create" else None,
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
