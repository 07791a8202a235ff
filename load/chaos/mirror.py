"""A copy of all customers, which follows the feed of changes with the read scope alone."""

import json
import threading
import time
from http import HTTPStatus

from load.chaos import requests
from load.chaos.connection import Connection, Request
from load.chaos.history import Attempt, Log, Operation, Seen, now

BEGINNING = "/customers/changes"
PAUSE = 0.2
"""Seconds between two pages. Much shorter than `Retry-After`, so that more pages meet faults."""
PATIENCE = 30.0


class NotFollowed(Exception):
    """The feed does not respond although no fault is active."""


class Mirror(threading.Thread):
    """Follows the feed until `stopping` is set. Logs each page as a read of what it shows."""

    def __init__(self, connection: Connection, log: Log) -> None:
        super().__init__(name="mirror")
        self.customers: dict[str, Seen] = {}
        self._connection = connection
        self._log = log
        self._next = BEGINNING
        self._count = 0
        self.stopping = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stopping.wait(PAUSE):
                self._follow()
        except Exception as error:  # noqa: BLE001 (reported by the thread that joins this one)
            self.failure = error

    def catch_up(self) -> None:
        """Follow the feed to its end. Raises NotFollowed."""
        end = time.monotonic() + PATIENCE
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
