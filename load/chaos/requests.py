"""The requests of the clients, and what their responses show."""

import json
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from random import Random
from typing import Any
from urllib.parse import quote

from load.chaos.connection import Request
from load.chaos.history import (
    CREATES,
    EDITS,
    EXTERNAL,
    PAGE,
    SUCCESS,
    Operation,
    Seen,
)
from load.traffic.mix import Response

JSON = (("Content-Type", "application/json"),)
MINIMAL = (("Prefer", "return=minimal"),)
LENIENT = (("Prefer", "handling=lenient"),)
NEW = (("If-None-Match", "*"),)
TAKEN = "taken@example.com"
"""The email address that each lenient batch contains, and that the first one creates."""
OUTCOMES = ([201, 201, 400, 201], [201, 409, 400, 201])
"""The statuses of the items of a lenient batch: new, taken, invalid, new."""
METHODS = {"replace": "PUT", "patch": "PATCH", "minimal": "PATCH", "delete": "DELETE"}


def create(client: int, key: str, batch: int) -> tuple[Operation, Request]:
    """Return an operation that creates one customer, or `batch` customers at once."""
    name = key.removeprefix("+")
    emails = [f"{name}.{n}@example.com" for n in range(batch)] or [f"{name}@example.com"]
    bodies = [_body(email, key) for email in emails]
    headers = (("Idempotency-Key", key), *JSON)
    if batch:
        operation = Operation(client, "batch", key, emails=emails)
        body = json.dumps({"items": bodies})
        return operation, Request("POST", "/customers/batch", body, headers)
    operation = Operation(client, "create", key, emails=emails)
    return operation, Request("POST", "/customers", json.dumps(bodies[0]), headers)


def lenient(client: int, key: str) -> tuple[Operation, Request]:
    """Return an operation that creates two customers, beside two items that can't be created."""
    name = key.removeprefix("+")
    first, last = (f"{name}.{n}@example.com" for n in range(2))
    bodies = [_body(email, key) for email in (first, TAKEN, "no address", last)]
    operation = Operation(client, "lenient", key, emails=[first, last])
    headers = (("Idempotency-Key", key), *JSON, *LENIENT)
    return operation, Request("POST", "/customers/batch", json.dumps({"items": bodies}), headers)


def put(client: int, kind: str, key: str, number: int) -> tuple[Operation, Request]:
    """Return an operation that creates the customer with an external id, or replaces it."""
    email = f"{EXTERNAL}{number}@example.com"
    headers = JSON if kind == "put" else (*JSON, *NEW)
    body = json.dumps(_body(email, key))
    return Operation(client, kind, key, emails=[email]), Request(
        "PUT", _external_path(email), body, headers
    )


def bulk(client: int, kind: str, key: str, known: Sequence[Seen]) -> tuple[Operation, Request]:
    """Return an operation that changes several customers, or deletes them."""
    items = [(seen.id, seen.version) for seen in known]
    changed = {"phone": key} if kind == "patch all" else {}
    body = [{"id": customer, "version": version, **changed} for customer, version in items]
    method, path = ("PATCH", "") if changed else ("POST", "/delete")
    operation = Operation(client, kind, key, items=items)
    return operation, Request(method, f"/customers{path}", json.dumps({"items": body}), JSON)


def listing(client: int, key: str) -> tuple[Operation, Request]:
    return Operation(client, "list", key), Request("GET", f"/customers?limit={PAGE}")


def read(client: int, key: str, known: Seen) -> tuple[Operation, Request]:
    return Operation(client, "read", key, known.id), Request("GET", f"/customers/{known.id}")


def change(
    client: int, kind: str, key: str, known: Seen, if_match: str | None
) -> tuple[Operation, Request]:
    """Return a change of a customer; `if_match` is its version's ETag, `*` or None."""
    base = None if if_match in (None, "*") else known.version
    operation = Operation(client, kind, key, known.id, base, [known.email])
    headers: tuple[tuple[str, str], ...] = (("If-Match", if_match),) if if_match else ()
    path = _external_path(known.email) if operation.is_external else f"/customers/{known.id}"
    if kind in EDITS:
        headers += JSON if kind != "minimal" else (*JSON, *MINIMAL)
        body = json.dumps(_edit(kind, key, known.email))
        return operation, Request(METHODS[kind], path, body, headers)
    if kind == "delete":
        return operation, Request("DELETE", path, None, headers)
    return operation, Request("POST", f"{path}/{kind}", None, headers)


def named_tag(known: Seen) -> str:
    """Return the ETag of the known version, which names the customer, too."""
    return f'"v{known.version}-{known.id}"'


def if_match(kind: str, known: Seen, rng: Random, share_of_any: float) -> str | None:
    """Return the ETag of the known version, or sometimes what accepts any version."""
    if rng.random() >= share_of_any:
        return f'"v{known.version}"'
    return "*" if kind == "replace" else rng.choice(["*", None])


def _edit(kind: str, key: str, email: str) -> dict[str, Any]:
    if kind == "replace":
        return _body(email, key)
    if kind == "minimal":
        return {"phone": key}
    return {"phone": key, "metadata": {"by": key}}  # not only details: another statement


def _body(email: str, key: str) -> dict[str, Any]:
    return {"email": email, "phone": key, "given_name": "Ada", "metadata": {"by": key}}


def shown(operation: Operation, response: Response) -> list[Seen]:
    """Return the versions that a success shows.

    Raises ValueError, LookupError or TypeError if the response is malformed.
    """
    if response.status not in SUCCESS[operation.kind]:
        return []
    if operation.kind == "minimal":
        return [_edited(operation, response)]
    if operation.kind in ("delete", "erase", "delete all"):
        return _removed(operation)
    document = json.loads(response.body)
    if operation.kind == "lenient":
        return _created(document["items"])
    if operation.kind in ("batch", "list", "changes", "patch all"):
        return [seen(item) for item in document["items"]]
    if operation.kind not in CREATES and response.version != document["version"]:
        raise ValueError(
            f"the ETag is {response.headers['etag']}, but the version is {document['version']}"
        )
    return [seen(document)]


def gone(operation: Operation, response: Response) -> list[str]:
    """Return the customers that don't exist, or not at their external id, by this response.

    Raises ValueError, LookupError or TypeError if the response is malformed.
    """
    if operation.items and response.status == HTTPStatus.NOT_FOUND:
        errors = json.loads(response.body)["errors"]
        numbers = [int(error["pointer"].split("/")[2]) for error in errors]
        return [operation.items[number][0] for number in numbers]
    is_gone = response.status == HTTPStatus.NOT_FOUND or (
        operation.is_external and response.status == HTTPStatus.PRECONDITION_FAILED
    )
    return [operation.customer] if operation.customer and is_gone else []


def _created(items: list[dict[str, Any]]) -> list[Seen]:
    """Return the new customers of a lenient batch. Raises ValueError for a wrong status."""
    statuses = [item["status"] for item in items]
    if statuses not in OUTCOMES:
        raise ValueError(f"the items have the statuses {statuses}")
    return [seen(items[0]["customer"]), seen(items[-1]["customer"])]


def seen(customer: dict[str, Any]) -> Seen:
    """Return the version that a customer's JSON shows. Raises LookupError or ValueError."""
    if "given_name" not in customer:  # in the feed
        state = "erased" if "erased_at" in customer else "deleted"
        if customer.keys() != {"id", "version", f"{state}_at"}:
            raise ValueError(f"a customer that is not live has the fields {', '.join(customer)}")
        return Seen(customer["id"], customer["version"], state=state)
    if customer["given_name"] != "Ada":
        raise ValueError("a name that no client wrote")
    version = Seen(customer["id"], customer["version"], customer["email"], customer["phone"])
    return version if customer["deleted_at"] is None else replace(version, state="deleted")


def _edited(operation: Operation, response: Response) -> Seen:
    """Return the version that a change without a response body has written."""
    return Seen(str(operation.customer), response.version, operation.emails[0], operation.key)


def _external_path(email: str) -> str:
    """Return the path of the customer whose email address has the external id."""
    external_id = email.partition("@")[0].replace(".", "/")
    return f"/customers/by-external-id/{quote(external_id, safe='')}"


def _removed(operation: Operation) -> list[Seen]:
    """Return the versions that a removal has written, if they are known."""
    removed = operation.items
    if operation.customer and operation.base is not None:
        removed = [(operation.customer, operation.base)]
    state = "erased" if operation.kind == "erase" else "deleted"
    return [Seen(customer, base + 1, state=state) for customer, base in removed]
