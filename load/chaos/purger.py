"""The purge job: erases some of the deleted customers, while clients restore them."""

from contextlib import suppress
from http import HTTPStatus
from random import Random
from uuid import UUID

from chalicelib.customers import erasure
from chalicelib.database import Database, DatabaseError
from chalicelib.deadlines import Deadline
from load.chaos.history import Attempt, Log, Operation, now
from load.chaos.pool import Pool
from load.chaos.workers import Worker

DEADLINE_SECONDS = 10.0
# As if the retention had passed.
MAKE_DUE = "UPDATE customers SET purge_at = '2000-01-01' WHERE id = :id AND purge_at IS NOT NULL"


class Purger(Worker):
    """Runs the purge job for one deleted customer after another."""

    pause = (0.3, 1.2)

    def __init__(self, database: Database, pool: Pool, log: Log, rng: Random) -> None:
        super().__init__("purger", log, rng)
        self._database = database
        self._pool = pool
        self._count = 0

    def step(self) -> None:
        if deleted := self._pool.one(self._rng, "deleted"):
            self._log.add(self._purge(deleted.id))
            self._pool.forget(deleted.id, "deleted")

    def _purge(self, customer: str) -> Operation:
        """Erase the customer, unless it was restored before."""
        self._count += 1
        began, erased = now(), set[UUID]()
        with suppress(DatabaseError), Deadline(DEADLINE_SECONDS):
            self._database.execute(MAKE_DUE, id=UUID(customer).bytes)
            erased = set(erasure.purge(self._database))
        status = HTTPStatus.NO_CONTENT if UUID(customer) in erased else 0
        attempts = [Attempt(began, now(), status)]
        return Operation(-1, "purge", f"purge {self._count}", customer, attempts=attempts)
