"""The requests of the clients, and what their responses show."""

import json
from dataclasses import replace
from random import Random
from typing import Any

from load.chaos.connection import Request
from load.chaos.history import CREATES, EDITS, PAGE, SUCCESS, Operation, Seen
from load.traffic.mix import Response

JSON = (("Content-Type", "application/json"),)
MINIMAL = (("Prefer", "return=minimal"),)
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


def listing(client: int, key: str) -> tuple[Operation, Request]:
    return Operation(client, "list", key), Request("GET", f"/customers?limit={PAGE}")


def read(client: int, key: str, known: Seen) -> tuple[Operation, Request]:
    return Operation(client, "read", key, known.id), Request("GET", f"/customers/{known.id}")


def change(
    client: int, kind: str, key: str, known: Seen, if_match: str | None
) -> tuple[Operation, Request]:
    """Return a change of a customer; `if_match` is its version's ETag, `*` or None."""
    base = known.version if if_match == f'"v{known.version}"' else None
    operation = Operation(client, kind, key, known.id, base, [known.email])
    headers: tuple[tuple[str, str], ...] = (("If-Match", if_match),) if if_match else ()
    path = f"/customers/{known.id}"
    if kind in EDITS:
        headers += JSON if kind != "minimal" else (*JSON, *MINIMAL)
        body = json.dumps(_edit(kind, key, known.email))
        return operation, Request(METHODS[kind], path, body, headers)
    if kind == "delete":
        return operation, Request("DELETE", path, None, headers)
    return operation, Request("POST", f"{path}/{kind}", None, headers)


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
    if response.status != SUCCESS[operation.kind]:
        return []
    if operation.kind == "minimal":
        return [_edited(operation, response)]
    if operation.kind in ("delete", "erase"):
        return _removed(operation)
    document = json.loads(response.body)
    if operation.kind in ("batch", "list", "changes"):
        return [seen(item) for item in document["items"]]
    if operation.kind not in CREATES and response.version != document["version"]:
        raise ValueError(
            f"the ETag is {response.headers['etag']}, but the version is {document['version']}"
        )
    return [seen(document)]


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


def _removed(operation: Operation) -> list[Seen]:
    """Return the version that a removal has written, if it is known."""
    if operation.base is None:
        return []
    state = "deleted" if operation.kind == "delete" else "erased"
    return [Seen(str(operation.customer), operation.base + 1, state=state)]
