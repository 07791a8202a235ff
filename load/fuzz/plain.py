"""The plain request that a case is compared with: of the same operation, with a body of its size.

A plain body is what most clients send: customers with the usual fields, in ASCII. A larger body has
more customers (in a batch, or to change or delete several), then metadata and addresses, then
spaces after the JSON.
docs/security.md states how much more than a plain request any other one may cost.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from load.fuzz.cases import (
    BY_EXTERNAL_ID,
    CUSTOMER,
    FUNCTIONS,
    LIVE,
    ONE,
    TOKEN,
    Case,
    authorization,
    request,
)

BATCH = "/customers/batch"
BY = f"{BY_EXTERNAL_ID}{{external_id}}"
OF_ONE = {
    ("POST", "/customers"),
    *((method, route) for method in ("PUT", "PATCH") for route in (ONE, BY)),
}
OF_SEVERAL = {("POST", BATCH), ("PATCH", "/customers"), ("POST", "/customers/delete")}
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
    headers = {"If-Match": '"v1"'} if method == "PUT" else {}
    path = route.format(customer_id=LIVE, external_id=CUSTOMER["external_id"])
    if (method, route) not in OF_ONE | OF_SEVERAL:
        return request(method, path, None, headers)
    size = _in_steps(_size(case.event))
    return request(method, path, plain_body(size, method, route), headers)


def _size(event: Mapping[str, Any]) -> int:
    """Return the number of bytes of the request's body."""
    size = len((event["body"] or "").encode(errors="surrogatepass"))
    return size * 3 // 4 if event.get("isBase64Encoded") else size


def _in_steps(size: int) -> int:
    """Return the size, or up to an eighth less, so that there are few plain bodies."""
    return size >> max(0, size.bit_length() - 4) << max(0, size.bit_length() - 4)


@cache
def plain_body(size: int, method: str, route: str) -> str:
    """Return a plain body of at least this number of bytes."""
    if (method, route) in OF_ONE:
        return json.dumps(_customer(0, size)).ljust(size)
    smallest = len(json.dumps(_item(method, route, 0, 0)))
    count = max(1, min(MAX_CUSTOMERS, size // smallest))
    items = [_item(method, route, n, size // count) for n in range(count)]
    return json.dumps({"items": items}).ljust(size)


def _item(method: str, route: str, number: int, size: int) -> dict[str, Any]:
    """Return a plain customer to create, or what changes or deletes one."""
    if route == BATCH:
        return _customer(number, size)
    named = {"id": f"{LIVE[:-4]}{number:04}", "version": 1}
    return named | _customer(number, size - len(json.dumps(named))) if method == "PATCH" else named


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
