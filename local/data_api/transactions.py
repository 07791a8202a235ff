"""The open transactions, each with its own connection, and how they end.

All of this runs on the event loop's thread, so no locks are needed.

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_BeginTransaction.html and
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api.troubleshooting.html
"""

import secrets
import time
from dataclasses import dataclass, field

from pymysql.constants import ER

from .connections import Connection, Pool
from .errors import (
    BadRequestException,
    DatabaseErrorException,
    TransactionNotFoundException,
)

EXPIRED = "Transaction may be expired."
ENDED = "One previous call resulted in a termination of your transaction."
ABORTED = "Transaction has been aborted due to an error from a previous call."

REMEMBERED = 1000


@dataclass(eq=False)
class Transaction:
    """A transaction of the cluster `resource`.

    Its connection is available after the database has started the transaction.
    """

    resource: str
    database: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(96))
    connection: Connection | None = None
    busy: bool = True
    started_at: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)

    def in_use(self) -> Connection:
        """Return the connection of a transaction that has started."""
        if self.connection is None:
            raise RuntimeError("the transaction has not started")
        return self.connection


class Transactions:
    """The open transactions, at most `limit`. They expire after `idle` or `total` seconds."""

    def __init__(self, pool: Pool, limit: int, idle: float, total: float) -> None:
        self._pool = pool
        self._limit = limit
        self._idle = idle
        self._total = total
        self._open: dict[str, Transaction] = {}
        self._causes: dict[str, str] = {}

    def open(self, resource: str, database: str) -> Transaction:
        """Create a transaction, busy with its BEGIN.

        Raises DatabaseErrorException, as MySQL would, if there are too many.
        """
        if len(self._open) >= self._limit:
            raise DatabaseErrorException("Too many connections", ER.CON_COUNT_ERROR, "08004")
        transaction = Transaction(resource, database)
        self._open[transaction.id] = transaction
        return transaction

    def claim(self, transaction_id: str, resource: str, database: str | None) -> Transaction:
        """Return a transaction of the cluster `resource`, now busy with one call.

        Raises TransactionNotFoundException; DatabaseErrorException if another call is using it;
        BadRequestException if `database` is not the transaction's.
        """
        transaction = self._open.get(transaction_id)
        if transaction is None or transaction.resource != resource:
            cause = self._causes.get(transaction_id, EXPIRED)
            raise TransactionNotFoundException(
                f"Transaction {transaction_id} is not found. {cause}"
            )
        if transaction.busy:
            raise DatabaseErrorException("Transaction is still running a query")
        if database and database != transaction.database:
            raise BadRequestException("Database name is not the same as the transaction's")
        transaction.busy = True
        return transaction

    def release(self, transaction: Transaction) -> None:
        """End a call on a transaction, which stays open."""
        transaction.busy = False
        transaction.used = time.monotonic()

    def end(self, transaction: Transaction, cause: str) -> None:
        """Remove a transaction. Unless it ended regularly, its connection is closed, too."""
        del self._open[transaction.id]
        self._store_cause(transaction.id, cause)
        if connection := transaction.connection:
            connection.spoiled = connection.spoiled or cause != ENDED
            self._pool.give_back(connection)

    def cut_off(self, transaction_id: str, cause: str) -> None:
        """End a transaction, if it exists and is not busy."""
        transaction = self._open.get(transaction_id)
        if transaction and not transaction.busy:
            self.end(transaction, cause)

    def expire(self) -> None:
        """Roll back transactions that were idle, or open, for too long."""
        now = time.monotonic()
        for transaction in list(self._open.values()):
            late = now - transaction.used > self._idle or now - transaction.started_at > self._total
            if late and not transaction.busy:
                self.end(transaction, EXPIRED)

    def _store_cause(self, transaction_id: str, cause: str) -> None:
        self._causes[transaction_id] = cause
        if len(self._causes) > REMEMBERED:
            del self._causes[next(iter(self._causes))]
