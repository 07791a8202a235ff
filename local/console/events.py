"""The relay of a laptop: it sends the events to EVENTS_URL, and the console shows them.

It is the relay of the functions with another bus: signed webhooks.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock, Thread
from typing import NamedTuple

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, DatabaseError
from chalicelib.events import relay
from chalicelib.events.cloudevents import Event
from chalicelib.events.relay import EventsRejected
from serve.webhooks import Webhooks

KEPT = 200  # events
POLL_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0


class Delivery(NamedTuple):
    """An event, its attempts, and the outcome of the last one."""

    event: Event
    attempts: int
    outcome: str

    def row(self) -> dict[str, object]:
        """Return what the pages show."""
        return {
            "id": self.event.id,
            "time": self.event.time,
            "type": self.event.type,
            "resource_id": self.event.resource_id,
            "version": self.event.version,
            "outcome": self.outcome,
            "attempts": self.attempts,
        }


class Deliveries:
    """A bus that sends each event to a URL, or nowhere, and keeps the last ones. Thread-safe."""

    def __init__(self, url: str | None, secret: str) -> None:
        self._webhooks = Webhooks(url, secret) if url else None
        self._latest: OrderedDict[str, Delivery] = OrderedDict()
        self._lock = Lock()

    def put(self, events: Sequence[Event]) -> list[bool]:
        """Return whether the consumer accepted each event."""
        return [self._put(event) for event in events]

    @property
    def latest(self) -> list[Delivery]:
        """The last events, newest first."""
        with self._lock:
            return list(reversed(self._latest.values()))

    def _put(self, event: Event) -> bool:
        is_accepted, outcome = (
            self._webhooks.send(event) if self._webhooks else (True, "no consumer")
        )
        with self._lock:
            earlier = self._latest.pop(event.id, None)
            attempts = earlier.attempts + 1 if earlier else 1
            self._latest[event.id] = Delivery(event, attempts, outcome)
            if len(self._latest) > KEPT:
                self._latest.popitem(last=False)
        return is_accepted


def follow(
    database: Database, deliveries: Deliveries, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Send events forever. Pauses grow while the consumer accepts none."""
    pause = POLL_SECONDS
    while True:
        try:
            for _ in relay.run(database, CUSTOMERS, deliveries):
                pause = POLL_SECONDS
        except EventsRejected:
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        except DatabaseError:  # it may start again
            pause = POLL_SECONDS
        sleep(pause)


def start(database: Database, deliveries: Deliveries) -> None:
    """Send events in the background, until this process ends."""
    Thread(target=follow, args=(database, deliveries), name="relay", daemon=True).start()
