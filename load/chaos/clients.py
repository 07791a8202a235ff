"""HTTP clients that retry requests without a response, as well-behaved clients do."""

import json
from random import Random
from typing import NamedTuple, cast

from load.chaos import requests
from load.chaos.connection import Connection, Request
from load.chaos.history import BULK, CREATES, EDITS, PUTS, Attempt, Log, Operation, Seen, now
from load.chaos.pool import Pool
from load.chaos.workers import Worker
from load.traffic.mix import Response

HOW_MANY = 10
BATCH = 3
"""Customers of a write of several."""
EXTERNAL_IDS = 12
BY_EXTERNAL_ID = 0.25
"""Share of the changes that are of a customer with an external id."""
WAITS = (0.1, 0.5)
"""Seconds before a retry. Shorter than `Retry-After`, so that retries meet more faults."""
GIVES_UP = 0.03
"""Probability that a client gives up after an attempt with an unknown outcome."""
ANY_VERSION = 0.15
"""Share of the changes that accept any version."""
MIX = {
    "create": 14,
    "batch": 3,
    "lenient": 3,
    "put": 5,
    "put new": 3,
    "patch all": 5,
    "delete all": 2,
    "replace": 11,
    "patch": 11,
    "minimal": 11,
    "delete": 6,
    "restore": 5,
    "erase": 4,
    "read": 28,
    "list": 12,
}
STATES = {"restore": ("deleted",), "erase": ("live", "deleted")}
"""The states of the customers that an operation is for. Default: live."""
WITHOUT_CUSTOMER = {"list": requests.listing, "lenient": requests.lenient}
AT_EXTERNAL_ID = {*EDITS, "delete"}
"""The changes that are sometimes of a customer with an external id."""


class Pools(NamedTuple):
    """The customers that all clients share, addressed by id or by external id."""

    by_id: Pool
    by_external_id: Pool


class Client(Worker):
    """Sends one operation after another."""

    pause = (0.0, 0.08)

    def __init__(
        self, number: int, connection: Connection, pools: Pools, log: Log, rng: Random
    ) -> None:
        super().__init__(f"client {number}", log, rng)
        self._number = number
        self._connection = connection
        self._pools = pools
        self._count = 0

    def step(self) -> None:
        self._log.add(self._perform(*self._choose()))

    def _choose(self) -> tuple[Operation, Request]:
        """Return an operation and its request."""
        self._count += 1
        key = f"+12{self._number:02d}{self._count:07d}"  # a number of a possible form
        (kind,) = self._rng.choices(list(MIX), list(MIX.values()))
        if kind in WITHOUT_CUSTOMER:
            return WITHOUT_CUSTOMER[kind](self._number, key)
        if kind in PUTS:
            return requests.put(self._number, kind, key, self._rng.randrange(EXTERNAL_IDS))
        several = self._pools.by_id.some(self._rng, BATCH, "live") if kind in BULK else []
        if several:
            return requests.bulk(self._number, kind, key, several)
        return self._choose_customer(kind, key)

    def _choose_customer(self, kind: str, key: str) -> tuple[Operation, Request]:
        """Return an operation on one customer, or one that creates a customer if none is known."""
        is_external = kind in AT_EXTERNAL_ID and self._rng.random() < BY_EXTERNAL_ID
        pool = self._pools.by_external_id if is_external else self._pools.by_id
        known = pool.one(self._rng, *STATES.get(kind, ("live",)))
        if kind in CREATES or known is None:
            return requests.create(self._number, key, BATCH if kind == "batch" else 0)
        if kind == "read":
            return requests.read(self._number, key, known)
        tag = requests.named_tag(known) if is_external else self._tag(kind, known)
        return requests.change(self._number, kind, key, known, tag)

    def _tag(self, kind: str, known: Seen) -> str | None:
        return requests.if_match(kind, known, self._rng, ANY_VERSION)

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
        gone: list[str] = []
        try:
            operation.seen = requests.shown(operation, response)
            gone = requests.gone(operation, response)
        except (ValueError, LookupError, TypeError) as error:
            operation.wrong = f"the response {response.status} can't be parsed: {error!r}"
        own = self._pools.by_external_id if operation.is_external else self._pools.by_id
        for seen in operation.seen:
            # Nobody erases a customer whose create is pending: a retry would create another one.
            if operation.kind in (*CREATES, *PUTS):
                own.add(seen)
            for pool in self._pools:
                pool.learn(seen)
        if operation.customer and operation.outcome == "done" and not operation.seen:
            gone = [operation.customer]  # or rather, its version is unknown
        # A restore finds no erased customer. Other clients may restore a deleted one.
        states = ("live", "deleted") if operation.kind in STATES else ("live",)
        for customer in gone:
            own.forget(customer, *states)


def outcome(response: Response) -> str | None:
    """Return what the problem says about the request's outcome, if it can be parsed."""
    try:
        return cast("str | None", json.loads(response.body)["outcome"])
    except (ValueError, LookupError, TypeError):
        return None
