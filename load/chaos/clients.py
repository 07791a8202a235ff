"""HTTP clients that retry requests without a response, as well-behaved clients do."""

import json
from http import HTTPStatus
from random import Random
from typing import cast

from load.chaos import requests
from load.chaos.connection import Connection, Request
from load.chaos.history import CREATES, Attempt, Log, Operation, now
from load.chaos.pool import Pool
from load.chaos.workers import Worker
from load.traffic.mix import Response

HOW_MANY = 10
BATCH = 3
WAITS = (0.1, 0.5)
"""Seconds before a retry. Shorter than `Retry-After`, so that retries meet more faults."""
GIVES_UP = 0.03
"""Probability that a client gives up after an attempt with an unknown outcome."""
ANY_VERSION = 0.15
"""Share of the changes that accept any version."""
MIX = {
    "create": 14,
    "batch": 3,
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


class Client(Worker):
    """Sends one operation after another."""

    pause = (0.0, 0.08)

    def __init__(
        self, number: int, connection: Connection, pool: Pool, log: Log, rng: Random
    ) -> None:
        super().__init__(f"client {number}", log, rng)
        self._number = number
        self._connection = connection
        self._pool = pool
        self._count = 0

    def step(self) -> None:
        self._log.add(self._perform(*self._choose()))

    def _choose(self) -> tuple[Operation, Request]:
        """Return an operation and its request."""
        self._count += 1
        key = f"+12{self._number:02d}{self._count:07d}"  # a number of a possible form
        (kind,) = self._rng.choices(list(MIX), list(MIX.values()))
        if kind == "list":
            return requests.listing(self._number, key)
        known = self._pool.one(self._rng, *STATES.get(kind, ("live",)))
        if kind in CREATES or known is None:
            return requests.create(self._number, key, BATCH if kind == "batch" else 0)
        if kind == "read":
            return requests.read(self._number, key, known)
        tag = requests.if_match(kind, known, self._rng, ANY_VERSION)
        return requests.change(self._number, kind, key, known, tag)

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
            operation.seen = requests.shown(operation, response)
        except (ValueError, LookupError, TypeError) as error:
            operation.wrong = f"the response {response.status} can't be parsed: {error!r}"
        # Nobody erases a customer whose create is pending: a retry would create another one.
        learn = self._pool.add if operation.kind in CREATES else self._pool.learn
        for seen in operation.seen:
            learn(seen)
        is_version_unknown = operation.outcome == "done" and not operation.seen
        if operation.customer and (response.status == HTTPStatus.NOT_FOUND or is_version_unknown):
            # A restore finds no erased customer. Other clients may restore a deleted one.
            states = ("live", "deleted") if operation.kind in STATES else ("live",)
            self._pool.forget(operation.customer, *states)


def outcome(response: Response) -> str | None:
    """Return what the problem says about the request's outcome, if it can be parsed."""
    try:
        return cast("str | None", json.loads(response.body)["outcome"])
    except (ValueError, LookupError, TypeError):
        return None
