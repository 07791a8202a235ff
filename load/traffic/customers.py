"""The customers of a run: made up, and known to be what the service has confirmed."""

import random
from dataclasses import dataclass, field
from typing import Any

from local import seed

NOBODYS_PHONE = "+447700900123"
"""Of the numbers kept for drama: https://www.ofcom.org.uk/phones-and-broadband/phone-numbers."""


@dataclass
class Known:
    """A customer, and the last version that the service has confirmed."""

    id: str
    version: int
    document: dict[str, Any]


@dataclass
class Customers:
    """Those of a run, told from all others by `mark`, with which their email addresses begin.

    `settled` are read and changed, and stay until the end. `young` were created by the load, and
    only deleted: so nobody reads what is gone, and a 404 is never due to chance.
    """

    mark: str
    chance: random.Random
    settled: list[Known] = field(default_factory=list)
    young: list[Known] = field(default_factory=list)
    _busy: set[str] = field(default_factory=set)
    _count: int = 0

    def new(self) -> dict[str, Any]:
        """Return a customer that is nowhere yet, with a reserved domain (RFC 2606)."""
        self._count += 1
        customer = seed.generate(self.chance.randrange(10**6))
        unique = f"{self.mark}-{self._count}"
        own = {"email": f"{unique}@example.com", "external_id": unique, "phone": NOBODYS_PHONE}
        return customer | own

    def add(self, document: dict[str, Any], *, settled: bool) -> None:
        """Remember a customer that the service has created."""
        known = Known(document["id"], document["version"], document)
        (self.settled if settled else self.young).append(known)

    def any(self) -> Known:
        return self.chance.choice(self.settled)

    def take(self) -> Known | None:
        """Return one that nobody else changes until `give_back`, or None if there is hardly any."""
        for _ in range(10):
            if (known := self.any()).id not in self._busy:
                self._busy.add(known.id)
                return known
        return None

    def give_back(self, known: Known, version: int | None) -> None:
        """Remember the confirmed version; None is an unclear one, and nobody takes it again."""
        if version is not None:
            known.version = version
            self._busy.discard(known.id)
