"""The fictitious customers of a run, with the last version that the service has confirmed."""

import random
from dataclasses import dataclass, field
from typing import Any

from local import seed

NOBODYS_PHONE = "+447700900123"
"""Numbers reserved for drama: https://www.ofcom.org.uk/phones-and-broadband/phone-numbers."""


@dataclass
class Known:
    """A customer, and the last version that the service has confirmed."""

    id: str
    version: int
    document: dict[str, Any]


@dataclass
class Customers:
    """The customers of a run. `mark` identifies them: their email addresses begin with it.

    `settled` customers are read and changed until the end. `young` customers were created by the
    load and are only deleted. So no request reads a deleted customer, and every 404 is a fault.
    """

    mark: str
    rng: random.Random
    settled: list[Known] = field(default_factory=list)
    young: list[Known] = field(default_factory=list)
    _busy: set[str] = field(default_factory=set)
    _count: int = 0

    def new(self) -> dict[str, Any]:
        """Return a new customer with a reserved email domain (RFC 2606)."""
        self._count += 1
        customer = seed.generate(self.rng.randrange(10**6))
        unique = f"{self.mark}-{self._count}"
        own = {"email": f"{unique}@example.com", "external_id": unique, "phone": NOBODYS_PHONE}
        return customer | own

    def add(self, document: dict[str, Any], *, settled: bool) -> None:
        """Store a customer that the service has created."""
        known = Known(document["id"], document["version"], document)
        (self.settled if settled else self.young).append(known)

    def any(self) -> Known:
        return self.rng.choice(self.settled)

    def take(self) -> Known | None:
        """Return a customer for exclusive use until `give_back`, or None if too few are left."""
        for _ in range(10):
            if (known := self.any()).id not in self._busy:
                self._busy.add(known.id)
                return known
        return None

    def release(self, known: Known, version: int | None) -> None:
        """Store the confirmed version. None: its version is unknown, so it is not used again."""
        if version is not None:
            known.version = version
            self._busy.discard(known.id)
