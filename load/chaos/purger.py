"""The purge job: erases some of the deleted customers, while clients restore them."""

import threading
from contextlib import suppress
from random import Random
from uuid import UUID

from chalicelib.customers import erasure
from chalicelib.database import Database, DatabaseError
from chalicelib.deadlines import Deadline
from load.chaos.history import ERASURES, Attempt, Log, Operation, now
from load.chaos.pool import Pool

PAUSE = (0.3, 1.2)
DEADLINE = 10.0
# As if the retention had passed.
MAKE_DUE = "UPDATE customers SET purge_at = '2000-01-01' WHERE id = :id AND purge_at IS NOT NULL"


class Purger(threading.Thread):
    """Runs the purge for one customer after another until `stopping` is set, and logs each."""

    def __init__(self, database: Database, pool: Pool, log: Log, rng: Random) -> None:
        super().__init__(name="purger")
        self._database = database
        self._pool = pool
        self._log = log
        self._rng = rng
        self._count = 0
        self.stopping = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stopping.wait(self._rng.uniform(*PAUSE)):
                if deleted := self._pool.one(self._rng, "deleted"):
                    self._log.add(self._purge(deleted.id))
                    self._pool.forget(deleted.id, "deleted")
        except Exception as error:  # noqa: BLE001 (reported by the thread that joins this one)
            self.failure = error

    def _purge(self, customer: str) -> Operation:
        """Erase the customer, unless it was restored before."""
        self._count += 1
        began, erased = now(), set[UUID]()
        with suppress(DatabaseError), Deadline(DEADLINE):
            self._database.execute(MAKE_DUE, id=UUID(customer).bytes)
            erased = set(erasure.purge(self._database))
        status = ERASURES["purge"] if UUID(customer) in erased else 0
        attempts = [Attempt(began, now(), status)]
        return Operation(-1, "purge", f"purge {self._count}", customer, attempts=attempts)
