"""The five operations. Each call gets a thread, a connection and a timeout.

Only the event loop decides what may run, so no locks are needed. Calls outside of transactions wait
for one of a limited number of slots. A transaction runs one call at a time. There is a thread for
each slot and each transaction, so calls that wait for a transaction's locks can never occupy the
thread that the transaction needs to end.

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_Operations.html
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import parameters, statements
from .address import Address
from .connections import Connection, Pool
from .database_errors import database_errors
from .errors import StatementTimeoutException
from .requests import Fields
from .results import Shape
from .threads import Threads
from .timeouts import Attempt
from .transactions import ABORTED, ENDED, Transaction, Transactions

STATEMENTS = 32
TRANSACTIONS = 64
KILLERS = 4
KILL_GRACE = 5.0

Response = dict[str, Any]
Work = Callable[[Connection], Response]
Future = asyncio.Future[Response]


@dataclass(frozen=True)
class Limits:
    """Timeouts in seconds, and the maximum size of a row in bytes.

    The defaults are AWS's. Without `lock_wait`, the time that a statement waits for a row lock, the
    server's setting applies. AWS documents a limit of 64 KB per row, but returns larger rows.
    """

    statement: float = 45
    transaction_idle: float = 180
    transaction_total: float = 86_400
    row: int | None = None
    lock_wait: int | None = None


class Service:
    """The operations, from validated fields to AWS's responses. All raise DataApiError."""

    def __init__(self, address: Address, limits: Limits) -> None:
        self._address = address
        self._limits = limits
        self._pool = Pool(address, STATEMENTS, limits.lock_wait)
        self._transactions = Transactions(
            self._pool, TRANSACTIONS, limits.transaction_idle, limits.transaction_total
        )
        self._slots = asyncio.Semaphore(STATEMENTS)
        self._threads = Threads("call")
        self._killers = ThreadPoolExecutor(KILLERS, "killer")

    def log_in(self) -> None:
        """Open the first connection. Raises pymysql.Error if the login fails."""
        self._pool.give_back(self._pool.take(None))

    async def execute_statement(self, fields: Fields) -> Response:
        """Run one statement, in a transaction or alone."""
        statements.check(fields["sql"])
        work = partial(
            statements.execute,
            sql=fields["sql"],
            parameters=parameters.read(fields.get("parameters", [])),
            shape=Shape.of(fields),
            row_limit=self._limits.row,
        )
        return await self._run(fields, work)

    async def batch_execute_statement(self, fields: Fields) -> Response:
        """Run one statement for each parameter set. Atomic outside of a transaction."""
        statements.check(fields["sql"])
        sets = [parameters.read(parameter_set) for parameter_set in fields.get("parameterSets", [])]
        work = partial(statements.execute_batch, sql=fields["sql"], sets=sets)
        return await self._run(fields, work if "transactionId" in fields else _atomic(work))

    async def begin_transaction(self, fields: Fields) -> Response:
        """Begin a transaction on its own connection."""
        transaction = self._transactions.open(
            fields["resourceArn"], fields.get("database") or self._address.database
        )

        def begin(attempt: Attempt) -> Response:
            with database_errors():
                transaction.connection = self._pool.take(transaction.database)
                with attempt.on(transaction.connection):
                    transaction.connection.forget_results()
                    transaction.connection.begin()
            return {"transactionId": transaction.id}

        return await self._in_time(begin, partial(self._after_begin, transaction))

    async def commit_transaction(self, fields: Fields) -> Response:
        """Commit, and end the transaction regardless of the result."""
        return await self._end(fields, Connection.commit, "Transaction Committed")

    async def rollback_transaction(self, fields: Fields) -> Response:
        """Roll back, and end the transaction regardless of the result."""
        return await self._end(fields, Connection.rollback, "Rollback Complete")

    def end_transaction(self, transaction_id: str, cause: str) -> None:
        """Roll back a transaction because of `cause`, unless a call is using it."""
        self._transactions.cut_off(transaction_id, cause)

    async def expire_transactions(self) -> None:
        """Roll back expired transactions, in an endless loop."""
        pause = min(self._limits.transaction_idle, self._limits.transaction_total, 4) / 4
        while True:
            await asyncio.sleep(pause)
            self._transactions.expire()

    def close(self) -> None:
        """End running calls, roll back open transactions, and reject new calls. Blocks."""
        self._pool.close()

    async def _run(self, fields: Fields, work: Work) -> Response:
        keep_running = fields.get("continueAfterTimeout", False)
        if (transaction_id := fields.get("transactionId")) is not None:
            transaction = self._transactions.claim(
                transaction_id, fields["resourceArn"], fields.get("database")
            )
            on_it = partial(_in_transaction, transaction, work)
            after = partial(self._after_call, transaction)
            return await self._in_time(on_it, after, keep_running=keep_running)
        await self._slots.acquire()
        alone = partial(self._alone, fields, work)
        return await self._in_time(alone, self._after_slot, keep_running=keep_running)

    async def _end(
        self, fields: Fields, end: Callable[[Connection], None], status: str
    ) -> Response:
        transaction = self._transactions.claim(fields["transactionId"], fields["resourceArn"], None)

        def work(connection: Connection) -> Response:
            end(connection)
            return {"transactionStatus": status}

        on_it = partial(_in_transaction, transaction, work)
        # If a COMMIT were killed, its outcome would be unknown to the client.
        return await self._in_time(on_it, partial(self._after_end, transaction), keep_running=True)

    async def _in_time(
        self,
        work: Callable[[Attempt], Response],
        after: Callable[[Future], None],
        *,
        keep_running: bool = False,
    ) -> Response:
        """Run `work` in a thread, and `after` when it ends, even after the timeout."""
        attempt = Attempt(self._pool)
        future = self._threads.run(partial(work, attempt))
        future.add_done_callback(after)
        done, _ = await asyncio.wait((future,), timeout=self._limits.statement)
        if done:
            return future.result()
        if not keep_running:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._killers, attempt.expire)
            await asyncio.wait((future,), timeout=KILL_GRACE)
        raise StatementTimeoutException(attempt.connection_id)

    def _alone(self, fields: Fields, work: Work, attempt: Attempt) -> Response:
        with self._pool.connection(fields.get("database")) as connection, attempt.on(connection):
            if statements.reads_results(fields["sql"]):  # of another client's call
                connection.forget_results()
            return work(connection)

    def _after_slot(self, future: Future) -> None:
        self._slots.release()
        _error(future)

    def _after_begin(self, transaction: Transaction, future: Future) -> None:
        if _error(future):
            self._transactions.end(transaction, ABORTED)
        else:
            self._transactions.release(transaction)

    def _after_call(self, transaction: Transaction, future: Future) -> None:
        error = _error(future)
        if error and getattr(error, "aborts_transaction", True):
            self._transactions.end(transaction, ABORTED)
        else:
            self._transactions.release(transaction)

    def _after_end(self, transaction: Transaction, future: Future) -> None:
        self._transactions.end(transaction, ABORTED if _error(future) else ENDED)


def _in_transaction(transaction: Transaction, work: Work, attempt: Attempt) -> Response:
    connection = transaction.in_use()
    with database_errors(), attempt.on(connection):
        return work(connection)


def _atomic(work: Work) -> Work:
    def batch(connection: Connection) -> Response:
        connection.begin()
        try:
            response = work(connection)
            statements.check_time(connection)
            connection.commit()
        except BaseException:
            connection.spoiled = True  # closing it rolls back
            raise
        return response

    return batch


def _error(future: Future) -> BaseException | None:
    """Return a call's exception. This keeps asyncio from reporting it as never retrieved."""
    return asyncio.CancelledError() if future.cancelled() else future.exception()
