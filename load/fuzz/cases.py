"""Define a fuzz case, and the seed cases.

A case is readable JSON: the name of a function in app.py, and its event. In an event, `{token}` is
replaced by a token that the issuer has just signed, because tokens expire.
"""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from chalicelib.customers.lists import Query
from chalicelib.http import pagination
from chalicelib.settings import LOCAL_CURSOR_KEY

JSONValue = Any
TOKEN = "{token}"  # noqa: S105
MARKER = "zqm"  # marks personal data
SCHEDULED = ("purge_customers", "relay_events")
FUNCTIONS = ("app", "authorize", *SCHEDULED)
SCOPES = "customers:read customers:write customers:erase customers:history customers:export"
LIVE, OTHER, DELETED, ERASED, OVERDUE = (
    f"019a0b4c-7a1{n}-7cc3-98c4-dc0c0c07398f" for n in range(5)
)
PATH = f"/customers/{LIVE}"
KNOWN = (LIVE, OTHER, DELETED, ERASED, OVERDUE)
CUSTOMER: dict[str, Any] = {
    "email": "zqm.ada@example.com",
    "given_name": "Zqm",
    "family_name": "Zqm Lovelace",
    "company_name": "Zqm Engines",
    "phone": "+447700900123",
    "external_id": "zqm-1",
    "addresses": [{"type": "billing", "line1": "Zqm Street 1", "city": "Zqm", "country": "GB"}],
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "metadata": {"zqm": "zqm"},
    "status": "active",
}
# Valid values of the query parameters of a list.
QUERY = {
    "limit": "1",
    "sort": "updated_at",
    "email": CUSTOMER["email"],
    "phone": CUSTOMER["phone"],
    "external_id": CUSTOMER["external_id"],
    "status": "active",
    "created_after": "2020-01-01T00:00:00Z",
    "created_before": "2035-01-01T00:00:00Z",
    "updated_after": "2020-01-01T00:00:00Z",
    "q": "zqm",
    "include_deleted": "true",
    "fields": "id,email",
}
NEW = CUSTOMER | {"email": "zqm.new@example.com", "external_id": None}
KEY = "zqm-key"
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "Host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
    "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
}
PATCH = {"Content-Type": "application/merge-patch+json"}
ONE = "/customers/{customer_id}"
BY_EXTERNAL_ID = "/customers/by-external-id/"
OF_CUSTOMER = re.compile("/customers/(?!(?:batch|changes|delete)$)([^/]+)(.*)")
MARKS = "\u0316\u0301"  # of two classes: normal form C has to sort them
DOMAINS = (
    ".".join(["\u3042" * 20] * 8),
    ".".join(["\u0627" + "\u0660" * 40] * 4),
    ".".join(["\u30fb" * 55 + "\u3042"] * 4),
    ".".join(["xn--l8jegikmoqs50rnb"] * 8),
    "xn--a." * 40 + "com",
    "a." * 120 + "com",
)
SCHEDULE = ("version", "account", "region", "detail-type", "source", "time", "id", "detail")


class Case(NamedTuple):
    """The name of a function, and the event that it receives."""

    function: str
    event: JSONValue


def read(data: bytes) -> Case | None:
    """Parse a case. Returns None if the bytes are not a case."""
    try:
        function, event = json.loads(data)
    except (ValueError, TypeError, RecursionError):
        return None
    return Case(function, event) if function in FUNCTIONS else None


def serialize(case: Case) -> bytes:
    return json.dumps(case, separators=(",", ":")).encode()


def request(
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
    query: dict[str, list[str]] | None = None,
) -> Case:
    """Return a request as API Gateway sends it (REST API, payload 1.0)."""
    sent = HEADERS | (headers or {})
    route, parameters = _route(path)
    context = {
        "authorizer": {"principalId": "zqm@example.com", "scopes": SCOPES, "expires": "4102444800"},
        "httpMethod": method,
        "identity": {"sourceIp": "198.51.100.7"},
        "path": f"/dev{path}",
        "requestId": "9c7e436c-c191-4f6c-9b4c-8602417c11a5",
        "resourcePath": route,
        "stage": "dev",
    }
    event = {
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "multiValueQueryStringParameters": query,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": context,
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }
    return Case("app", event)


def _route(path: str) -> tuple[str, dict[str, str]]:
    """Return the route of a path, and the parameters in the path."""
    if path.startswith(BY_EXTERNAL_ID):
        return f"{BY_EXTERNAL_ID}{{external_id}}", {"external_id": path[len(BY_EXTERNAL_ID) :]}
    if of_customer := OF_CUSTOMER.fullmatch(path):
        return f"{ONE}{of_customer[2]}", {"customer_id": of_customer[1]}
    return path, {}


def with_base64_body(case: Case, body: bytes) -> Case:
    """Return the request with this body, base64-encoded as API Gateway encodes binary bodies."""
    text = base64.b64encode(body).decode()
    return Case(case.function, {**case.event, "body": text, "isBase64Encoded": True})


def seeds() -> Iterator[Case]:
    """Yield the seeds: each operation, each problem, and each of the other functions."""
    yield from _reads()
    yield from _lists()
    yield from _writes()
    yield from _odd_bodies()
    yield from _expensive_bodies()
    for method in ("GET", "HEAD", "OPTIONS", "PUT"):
        for resource in ("/health", "/openapi.json", "/problems", "/customers", PATH):
            yield request(method, resource)
    for token in (f"Bearer {TOKEN}", f"bearer   {TOKEN}", TOKEN, "Bearer a.b.c", "Basic eHg6eHg="):
        yield Case("authorize", authorization(token))
    for header in ({"alg": "none"}, {"alg": "ES256", "kid": "x"}, {"alg": "HS256", "typ": "JWT"}):
        parts = (header, {"sub": MARKER, "exp": 4_102_444_800}, "sig")
        token = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        yield Case("authorize", authorization(f"Bearer {token}"))
    for function in SCHEDULED:
        yield Case(function, {**dict.fromkeys(SCHEDULE, "x"), "resources": []})


def authorization(token: str) -> dict[str, str]:
    """Return the event that API Gateway sends to an authorizer."""
    arn = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/dev/GET/customers"
    return {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}


def _reads() -> Iterator[Case]:
    for customer_id in (LIVE, DELETED, ERASED, LIVE.upper(), "x"):
        yield request("GET", f"/customers/{customer_id}")
        for end in ("erasure", "history", "export"):
            yield request("GET", f"/customers/{customer_id}/{end}")
    yield request("HEAD", PATH)
    yield request("GET", PATH, query={"fields": ["id,email,created_at"]})
    for name in ("If-None-Match", "If-Match"):
        for tag in ('"v1"', 'W/"v1", "x"', "*", '"v9"', '"v1.email.id"'):
            yield request("GET", PATH, headers={name: tag})
    yield request("GET", PATH, headers={"Accept": "text/html;q=0.5, */*;q=0"})
    yield request("GET", PATH, headers={"Origin": "http://127.0.0.1:8003", "Request-Id": "a.b:c-1"})
    yield request("GET", "/health", query={"deep": ["true"]})


def _lists() -> Iterator[Case]:
    given = QUERY | {
        "created_after": "2020-01-01T00:00:00.123456789Z",
        "created_before": "2035-01-01T00:00:00+23:59",
        "updated_after": "2020-01-01T00:00:00 01:00",
    }
    for name, value in given.items():
        yield request("GET", "/customers", query={name: [value]})
    several = {name: [given[name]] for name in ("limit", "status", "created_after", "fields")}
    yield request("GET", "/customers", query=several)
    position = pagination.Position(UUID(OTHER))
    cursor = pagination.encode(LOCAL_CURSOR_KEY.encode(), Query().listed, position)
    yield request("GET", "/customers", query={"cursor": [cursor], "limit": ["1"]})
    yield request("HEAD", "/customers", query={"limit": ["1", "2"]})


def _writes() -> Iterator[Case]:
    yield request("POST", "/customers", NEW)
    yield request("POST", "/customers", CUSTOMER)
    for key in (KEY, f'"{KEY}"', "another"):
        yield request("POST", "/customers", CUSTOMER, {"Idempotency-Key": key})
    batch = [NEW, NEW | {"email": "zqm.newer@example.com", "status": "inactive"}]
    yield request("POST", "/customers/batch", {"items": batch}, {"Idempotency-Key": "batch"})
    yield from _writes_by_external_id()
    items = [{"id": each, "version": 1, "locale": "en"} for each in (LIVE, OTHER)]
    for several in (items, [*items, {"id": DELETED, "version": 2}], [{"id": "x"}]):
        yield request("PATCH", "/customers", {"items": several})
    yield request("POST", "/customers/delete", {"items": [{"id": LIVE, "version": 1}]})
    lenient = {"Prefer": "handling=lenient", "Idempotency-Key": "lenient"}
    yield request("POST", "/customers/batch", {"items": [*batch, CUSTOMER, {}]}, lenient)
    yield request("PUT", PATH, CUSTOMER)
    for tag in ('"v1"', '"v1", "v2"', "*", '"v9"'):
        for minimal in ({}, {"Prefer": "return=minimal"}):
            yield request(
                "PUT", PATH, NEW | {"version": 1, "id": LIVE}, {"If-Match": tag, **minimal}
            )
            yield request(
                "PATCH", PATH, {"status": "inactive"}, {"If-Match": tag, **PATCH, **minimal}
            )
        yield request("DELETE", PATH, headers={"If-Match": tag})
    yield request("PATCH", PATH, {"metadata": {"a": "b", "zqm": None}, "phone": None}, PATCH)
    yield request("PATCH", PATH, {"email": "zqm.other@example.com"}, PATCH)
    for action in ("restore", "erase"):
        for customer_id in (LIVE, DELETED, ERASED, OVERDUE):
            yield request("POST", f"/customers/{customer_id}/{action}")
    yield request("DELETE", PATH, headers={"If-None-Match": "*"})


def _writes_by_external_id() -> Iterator[Case]:
    for external_id in ("zqm%2F..%252F%20", "%FF", "%20", CUSTOMER["external_id"], "x" * 101):
        path = f"{BY_EXTERNAL_ID}{external_id}"
        yield request("GET", path)
        for name, value in (("If-None-Match", "*"), ("If-Match", f'"v1-{LIVE}"'), ("Prefer", "x")):
            yield request("PUT", path, NEW, {name: value})
            yield request("PATCH", path, {"locale": "en"}, {name: value, **PATCH})
            yield request("DELETE", path, headers={name: value})


def _odd_bodies() -> Iterator[Case]:
    create = request("POST", "/customers")
    yield with_base64_body(create, json.dumps(NEW, ensure_ascii=False).encode())
    yield with_base64_body(create, b'{"email": "\xff\xfe", "given_name": "\xc3"}')
    bomb = gzip.compress(b" " * 1_000_000 + b"{}")
    yield with_base64_body(
        request("POST", "/customers", headers={"Content-Encoding": "gzip"}), bomb
    )
    for body in (
        "[" * 10_000,
        '{"a":' * 500 + "1" + "}" * 500,
        "9" * 5_000,
        "1e999999",
        '{"email": NaN}',
        '{"email": "a@b.c", "email": "a@b.c"}',
        '"\\ud800"',
        '{"metadata": {"\\u0000": "\\u0301\\u0301"}, "given_name": "\\ud83d\\ude42"}',
        "\x00",
        "",
        "null",
    ):
        yield request("POST", "/customers", body)
        yield request("PATCH", PATH, body, PATCH)


def _expensive_bodies() -> Iterator[Case]:
    """Yield bodies whose texts need the most work for their size."""
    names = ("given_name", "family_name", "company_name")
    for text, times in (
        ("\ufdfa", 300),  # becomes 18 characters
        ("\U0001f468\u200d", 150),  # joined emoji
        ("\u0628\u064e\u200c", 100),  # letters that connect
        ("\u845b\U000e0100", 150),  # variants of ideographs
        ("\u1112\u1161\u11ab", 300),  # Hangul in parts
        ("a" + MARKS * 15, 9),
    ):
        yield request("POST", "/customers", NEW | dict.fromkeys(names, text * times + "a"))
        metadata = {f"zqm{n}": text * 30 for n in range(40)}
        yield request("PATCH", PATH, {"metadata": metadata}, PATCH)
    for domain in DOMAINS:
        new = NEW | {"email": f"zqm@{domain}"}
        yield request("POST", "/customers", new)
        yield request("POST", "/customers/batch", {"items": [new] * 5})
        yield request("GET", "/customers", query={"email": [f"zqm@{domain}"]})
    yield request("POST", "/customers", {f"{n}": n for n in range(900)})
    yield request("POST", "/customers/batch", {"items": [{f"{n}": n for n in range(90)}] * 9})
    yield request("GET", "/customers", query={"fields": ["id," * 3_000 + "id"]})
