"""A copy of all customers, which follows the feed of changes with the read scope alone."""

import json
import time
from http import HTTPStatus
from random import Random

from load.chaos import requests
from load.chaos.connection import Connection, Request
from load.chaos.history import Attempt, Log, Operation, Seen, now
from load.chaos.workers import Worker

BEGINNING = "/customers/changes"
PATIENCE_SECONDS = 120.0


class NotFollowed(Exception):
    """The feed does not respond although no fault is active."""


class Mirror(Worker):
    """Follows the feed, and logs each page as a read of what it shows."""

    pause = (0.2, 0.2)  # much shorter than `Retry-After`, so that more pages meet faults

    def __init__(self, connection: Connection, log: Log) -> None:
        super().__init__("mirror", log, Random())
        self.customers: dict[str, Seen] = {}
        self._connection = connection
        self._next = BEGINNING
        self._count = 0

    def step(self) -> None:
        self._follow()

    def catch_up(self) -> None:
        """Follow the feed to its end. Raises NotFollowed."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (has_more := self._follow()) is not False:
            if has_more is None and time.monotonic() > end:
                raise NotFollowed(f"GET {BEGINNING} does not respond")

    def _follow(self) -> bool | None:
        """Read the next page. Returns whether there are more, or None without a page."""
        self._count += 1
        operation = Operation(-1, "changes", f"page {self._count}")
        began = now()
        response = self._connection.send(Request("GET", self._next))
        retry_after = response.headers.get("retry-after")
        operation.attempts.append(Attempt(began, now(), response.status, retry_after))
        page = json.loads(response.body) if response.status == HTTPStatus.OK else None
        if page:
            operation.seen = requests.shown(operation, response)
            self.customers |= {seen.id: seen for seen in operation.seen}
            self._next = page["next"]
        self._log.add(operation)
        return page and page["has_more"]
