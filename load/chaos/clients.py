"""HTTP clients that retry requests without a response, as well-behaved clients do.

All clients work on a few shared customers, so that their requests conflict.
"""

import json
import threading
from http import HTTPStatus
from random import Random
from typing import Any, cast

from load.chaos.connection import Connection, Request
from load.chaos.history import PAGE, SUCCESS, Attempt, Log, Operation, Seen, now
from load.traffic.mix import Response

HOW_MANY = 10
POOL = 25
"""Number of recently created customers that clients read and change."""
BATCH = 3
WAITS = (0.1, 0.5)
"""Seconds before a retry. Shorter than `Retry-After`, so that retries meet more faults."""
THINKING = (0.0, 0.08)
GIVES_UP = 0.03
"""Probability that a client gives up after an attempt with an unknown outcome."""
MIX = {
    "create": 14,
    "batch": 3,
    "replace": 12,
    "patch": 12,
    "minimal": 12,
    "delete": 5,
    "read": 30,
    "list": 12,
}
JSON = "application/json"


class Pool:
    """The most recently created customers in their last known version, shared by all clients.

    A customer never returns: a late response may still show it after a client deleted it, and the
    API would take that client's second delete for a retry of the first.
    """

    def __init__(self) -> None:
        self._customers: dict[str, Seen] = {}
        self._left: set[str] = set()
        self._lock = threading.Lock()

    def learn(self, seen: Seen) -> None:
        """Store the newest version.

        Removes deleted customers, and the oldest one if there are too many.
        """
        if seen.deleted:
            self.forget(seen.id)
            return
        with self._lock:
            known = self._customers.get(seen.id)
            is_new = known is None and seen.version == 1 and seen.id not in self._left
            if is_new or (known and seen.version > known.version):
                self._customers[seen.id] = seen
            if len(self._customers) > POOL:
                self._remove(next(iter(self._customers)))

    def forget(self, customer: str) -> None:
        with self._lock:
            self._remove(customer)

    def _remove(self, customer: str) -> None:
        self._customers.pop(customer, None)
        self._left.add(customer)

    def one(self, rng: Random) -> Seen | None:
        with self._lock:
            return rng.choice(list(self._customers.values())) if self._customers else None


class Client(threading.Thread):
    """Sends one operation after another until `stopping` is set, and logs each."""

    def __init__(
        self, number: int, connection: Connection, pool: Pool, log: Log, rng: Random
    ) -> None:
        super().__init__(name=f"client {number}")
        self._number = number
        self._connection = connection
        self._pool = pool
        self._log = log
        self._rng = rng
        self._count = 0
        self.stopping = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self._log.add(self._perform(*self._choose()))
                self.stopping.wait(self._rng.uniform(*THINKING))
        except Exception as error:  # noqa: BLE001 (reported by the thread that joins this one)
            self.failure = error
        finally:
            self._connection.close()

    def _choose(self) -> tuple[Operation, Request]:
        """Return an operation and its request."""
        self._count += 1
        key = f"+12{self._number:02d}{self._count:07d}"  # a number of a possible form
        (kind,) = self._rng.choices(list(MIX), list(MIX.values()))
        known = self._pool.one(self._rng)
        if kind in ("create", "batch") or (known is None and kind != "list"):
            return create(self._number, key, BATCH if kind == "batch" else 0)
        if kind == "list" or known is None:
            return Operation(self._number, "list", key), Request("GET", f"/customers?limit={PAGE}")
        return on_known(self._number, kind, key, known)

    def _perform(self, operation: Operation, request: Request) -> Operation:
        while True:
            began = now()
            response = self._connection.send(request)
            retry_after = response.headers.get("retry-after")
            attempt = Attempt(began, now(), response.status, retry_after, outcome(response))
            operation.attempts.append(attempt)
            if attempt.is_final or not operation.is_write or self._gives_up():
                self._learn(operation, response)
                return operation

    def _gives_up(self) -> bool:
        return self._rng.random() < GIVES_UP or self.stopping.wait(self._rng.uniform(*WAITS))

    def _learn(self, operation: Operation, response: Response) -> None:
        try:
            operation.seen = shown(operation, response)
        except (ValueError, LookupError, TypeError) as error:
            operation.wrong = f"the response {response.status} can't be parsed: {error!r}"
        for seen in operation.seen:
            self._pool.learn(seen)
        if operation.customer and response.status == HTTPStatus.NOT_FOUND:
            self._pool.forget(operation.customer)


def outcome(response: Response) -> str | None:
    """Return what the problem says about the request's outcome, if it can be parsed."""
    try:
        return cast("str | None", json.loads(response.body)["outcome"])
    except (ValueError, LookupError, TypeError):
        return None


def create(client: int, key: str, batch: int) -> tuple[Operation, Request]:
    """Return an operation that creates one customer, or `batch` customers at once."""
    name = key.removeprefix("+")
    emails = [f"{name}.{n}@example.com" for n in range(batch)] or [f"{name}@example.com"]
    bodies = [_body(email, key) for email in emails]
    headers = (("Idempotency-Key", key), ("Content-Type", JSON))
    if batch:
        operation = Operation(client, "batch", key, emails=emails)
        body = json.dumps({"items": bodies})
        return operation, Request("POST", "/customers/batch", body, headers)
    operation = Operation(client, "create", key, emails=emails)
    return operation, Request("POST", "/customers", json.dumps(bodies[0]), headers)


def on_known(client: int, kind: str, key: str, known: Seen) -> tuple[Operation, Request]:
    """Return a read or a change of a customer, based on its last known version."""
    path, tag = f"/customers/{known.id}", ("If-Match", f'"v{known.version}"')
    if kind == "read":
        return Operation(client, kind, key, known.id), Request("GET", path)
    operation = Operation(client, kind, key, known.id, known.version, [known.email])
    if kind == "delete":
        return operation, Request("DELETE", path, None, (tag,))
    headers: tuple[tuple[str, str], ...] = (tag, ("Content-Type", JSON))
    if kind == "replace":
        return operation, Request("PUT", path, json.dumps(_body(known.email, key)), headers)
    if kind == "minimal":
        headers = (*headers, ("Prefer", "return=minimal"))
        return operation, Request("PATCH", path, json.dumps({"phone": key}), headers)
    patch = {"phone": key, "metadata": {"by": key}}  # not only details: another statement
    return operation, Request("PATCH", path, json.dumps(patch), headers)


def _body(email: str, key: str) -> dict[str, Any]:
    return {"email": email, "phone": key, "given_name": "Ada", "metadata": {"by": key}}


def shown(operation: Operation, response: Response) -> list[Seen]:
    """Return the versions that a success shows.

    Raises ValueError, LookupError or TypeError if the response is malformed.
    """
    if response.status != SUCCESS[operation.kind]:
        return []
    if operation.kind in ("delete", "minimal"):
        return [_version_of(operation, response)]
    document = json.loads(response.body)
    items = document["items"] if operation.kind in ("batch", "list") else [document]
    if operation.kind in ("read", "replace", "patch"):
        _check_tag(response, document["version"])
    return [seen(item) for item in items]


def seen(customer: dict[str, Any]) -> Seen:
    """Return the version that a customer's JSON shows. Raises LookupError or ValueError."""
    if customer["given_name"] != "Ada":
        raise ValueError("a name that no client wrote")
    deleted = customer["deleted_at"] is not None
    return Seen(customer["id"], customer["version"], customer["email"], customer["phone"], deleted)


def _version_of(operation: Operation, response: Response) -> Seen:
    """Return the version that a change without a response body has written."""
    version = (operation.base or 0) + 1
    if operation.kind == "minimal":
        _check_tag(response, version)
    return Seen(
        str(operation.customer),
        version,
        operation.emails[0],
        operation.key,
        operation.kind == "delete",
    )


def _check_tag(response: Response, version: int) -> None:
    if response.headers["etag"] != f'"v{version}"':
        raise ValueError(f"the ETag is {response.headers['etag']}, but the version is {version}")
