"""The plain request that a case is compared with: of the same operation, with a body of its size.

A plain body is what most clients send: customers with the usual fields, in ASCII. A larger body has
more customers (in a batch), then metadata and addresses, then spaces after the JSON.
docs/security.md states how much more than a plain request any other one may cost.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from load.fuzz.cases import FUNCTIONS, LIVE, ONE, TOKEN, Case, authorization, request

BATCH = "/customers/batch"
WITH_BODIES = {("POST", "/customers"), ("POST", BATCH), ("PUT", ONE), ("PATCH", ONE)}
WORD = "plain words "
MAX_CUSTOMERS = 100


def operation_of(case: Case) -> tuple[str, str]:
    """Return the method and the route of a request; the name of another function."""
    if case.function != FUNCTIONS[0]:
        return case.function, ""
    context = case.event["requestContext"]
    return context["httpMethod"], context["resourcePath"]


def plain_twin(case: Case) -> Case:
    """Return the plain request of the same operation, with a body of at most the same size."""
    method, route = operation_of(case)
    if not route:
        return Case(method, authorization(f"Bearer {TOKEN}")) if method == "authorize" else case
    body = plain_body(_in_steps(_size(case.event)), is_batch=route == BATCH)
    headers = {"If-Match": '"v1"'} if method == "PUT" else {}
    path = route.replace("{customer_id}", LIVE)
    has_body = (method, route) in WITH_BODIES
    return request(method, path, body if has_body else None, headers)


def _size(event: Mapping[str, Any]) -> int:
    """Return the number of bytes of the request's body."""
    size = len((event["body"] or "").encode(errors="surrogatepass"))
    return size * 3 // 4 if event.get("isBase64Encoded") else size


def _in_steps(size: int) -> int:
    """Return the size, or up to an eighth less, so that there are few plain bodies."""
    return size >> max(0, size.bit_length() - 4) << max(0, size.bit_length() - 4)


@cache
def plain_body(size: int, *, is_batch: bool) -> str:
    """Return a plain body of at least this number of bytes."""
    smallest = len(json.dumps(_customer(0, 0)))
    count = max(1, min(MAX_CUSTOMERS, size // smallest)) if is_batch else 1
    customers = [_customer(n, size // count) for n in range(count)]
    return json.dumps({"items": customers} if is_batch else customers[0]).ljust(size)


def _customer(number: int, size: int) -> dict[str, Any]:
    """Return a plain customer with as many optional parts as fit into this number of bytes."""
    customer: dict[str, Any] = {
        "email": f"plain.{number}@example.com",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "company_name": "Analytical Engines Ltd",
        "phone": "+442079460000",
        "status": "active",
        "metadata": {},
        "addresses": [],
    }
    left = size - len(json.dumps(customer))
    for name, part in _optional_parts():
        left -= len(json.dumps(part))
        if left < 0:
            break
        customer[name] = [*customer[name], part] if name == "addresses" else customer[name] | part
    return customer


def _optional_parts() -> Iterator[tuple[str, Any]]:
    for n in range(40):
        yield "metadata", {f"note {n}": WORD * 6}
    for _ in range(5):
        lines = dict.fromkeys(("line1", "line2", "city", "region", "postal_code"), WORD * 10)
        yield "addresses", {**lines, "type": "home", "country": "GB"}
