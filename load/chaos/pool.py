"""The customers that all clients of a run share, so that their requests conflict."""

import threading
from random import Random

from load.chaos.history import Seen

SIZE = 25
"""Number of recently created customers that clients read and change."""


class Pool:
    """The most recently created customers in their last known version, live or deleted.

    A customer that has left never returns, even if a late response shows it.
    """

    def __init__(self) -> None:
        self._customers: dict[str, Seen] = {}
        self._lock = threading.Lock()

    def add(self, created: Seen) -> None:
        """Add a customer, and remove the oldest one if there are too many."""
        with self._lock:
            self._customers.setdefault(created.id, created)
            if len(self._customers) > SIZE:
                self._customers.pop(next(iter(self._customers)))

    def learn(self, seen: Seen) -> None:
        """Store the version if it is newer. Removes an erased customer."""
        with self._lock:
            known = self._customers.get(seen.id)
            if known and seen.state == "erased":
                self._customers.pop(seen.id)
            elif known and seen.version > known.version:
                self._customers[seen.id] = seen

    def forget(self, customer: str, *states: str) -> None:
        """Remove a customer if its last known version has one of the states."""
        with self._lock:
            if (known := self._customers.get(customer)) and known.state in states:
                self._customers.pop(customer)

    def one(self, rng: Random, *states: str) -> Seen | None:
        """Return any customer in one of the states, or None."""
        return next(iter(self.some(rng, 1, *states)), None)

    def some(self, rng: Random, count: int, *states: str) -> list[Seen]:
        """Return up to `count` customers in one of the states."""
        with self._lock:
            found = [seen for seen in self._customers.values() if seen.state in states]
        return rng.sample(found, min(count, len(found)))
