"""Import a file: create its customers, in batches, each exactly once.

The idempotency key of a batch is a hash of its body. So an import that is repeated, in whole or in
part, creates no customer twice. The state file only saves time: it names the batches that are done,
and the rows that were rejected.

A batch is atomic. If the service rejects it, the rows that it names as invalid are left out. If
rows conflict with existing customers, the batch is halved, down to single rows. The rows that the
service names as conflicts are not enough for that: if an earlier run has created a half, and was
interrupted, then the service names the rows of that half, too. Its key is the same again, so the
service recognizes it.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from customers_client.asynchronous import AsyncCustomers
from customers_client.errors import InvalidResponse, ProblemError
from customers_client.transfer import tables
from customers_client.transfer.tables import Row, Table

BATCH = 100
PATH = "/customers/batch"
CREATED = 201
INVALID, CONFLICT, TOO_LARGE = 400, 409, 413

Progress = Callable[[int], object]


class State:
    """The progress of an import, in an SQLite file: finished batches, and rejected rows."""

    def __init__(self, path: Path, digest: str) -> None:
        """Open the state, or begin it again if it belongs to another import.

        Raises TransferError if another process uses it.
        """
        self._database = tables.open_state(path)
        execute = self._database.execute
        execute("CREATE TABLE IF NOT EXISTS import (digest TEXT)")
        execute("CREATE TABLE IF NOT EXISTS done (batch INTEGER PRIMARY KEY)")
        execute("CREATE TABLE IF NOT EXISTS rejected (number INTEGER PRIMARY KEY, reason TEXT)")
        if execute("SELECT digest FROM import").fetchall() != [(digest,)]:
            for table in ("import", "done", "rejected"):
                execute(f"DELETE FROM {table}")  # noqa: S608 (constants)
            execute("INSERT INTO import VALUES (?)", [digest])
        self.has_changed = False
        """Whether a batch has been finished since."""

    def is_done(self, batch: int) -> bool:
        found = self._database.execute("SELECT 1 FROM done WHERE batch = ?", [batch])
        return found.fetchone() is not None

    def finish(self, batch: int, rejected: Mapping[int, str]) -> None:
        self._database.execute("BEGIN")
        with self._database:
            self._database.executemany("REPLACE INTO rejected VALUES (?, ?)", rejected.items())
            self._database.execute("INSERT INTO done VALUES (?)", [batch])
        self.has_changed = True

    def count_rejected(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM rejected").fetchone()[0])

    def rejected(self) -> Iterator[tuple[int, str]]:
        yield from self._database.execute("SELECT number, reason FROM rejected ORDER BY number")

    def close(self) -> None:
        self._database.close()


class Creator:
    """Creates rows in as few requests as possible."""

    def __init__(self, client: AsyncCustomers) -> None:
        self._http = client.http

    async def create(self, rows: Sequence[Row]) -> dict[int, str]:
        """Create the rows. Return the reasons of those that were rejected, by their numbers.

        Raises CustomersError if the service rejects the caller, or is not available.
        """
        rejected = {row.number: row.reason for row in rows if row.reason}
        return rejected | await self._create([row for row in rows if not row.reason])

    async def _create(self, rows: Sequence[Row]) -> dict[int, str]:
        if not rows:
            return {}
        try:
            await self._send(rows)
        except ProblemError as error:
            if error.status not in {INVALID, CONFLICT, TOO_LARGE}:
                raise
            return await self._create_others(rows, error)
        return {}

    async def _create_others(self, rows: Sequence[Row], error: ProblemError) -> dict[int, str]:
        reasons = _reasons(rows, error)
        if len(rows) == 1:
            return reasons or {rows[0].number: error.problem.detail}
        if reasons and error.status == INVALID:
            return reasons | await self._create([row for row in rows if row.number not in reasons])
        half = len(rows) // 2
        return await self._create(rows[:half]) | await self._create(rows[half:])

    async def _send(self, rows: Sequence[Row]) -> None:
        body = json.dumps({"items": [row.customer for row in rows]}).encode()
        key = hashlib.sha256(body).hexdigest()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        response = await self._http.post(PATH, content=body, headers=headers)
        if response.status_code != CREATED:
            raise InvalidResponse(
                f"POST {PATH}: the status is {response.status_code}, not {CREATED}"
            )


def _reasons(rows: Sequence[Row], error: ProblemError) -> dict[int, str]:
    """Return what the problem says about each row, which it names by its place in the batch."""
    reasons: dict[int, str] = {}
    for item in error.errors:
        match str(item.pointer or "").split("/"):
            case ["", "items", index, *place] if index.isdecimal() and int(index) < len(rows):
                number = rows[int(index)].number
                text = ": ".join(filter(None, ["/".join(place), item.detail]))
                reasons[number] = "; ".join(filter(None, [reasons.get(number), text]))
    return reasons


async def send(
    client: AsyncCustomers, table: Table, state: State, parallel: int, progress: Progress
) -> None:
    """Create all customers of the table, except those of batches that are done.

    Raises TransferError, CustomersError, sqlite3.Error, OSError.
    """
    try:
        await _send(client, table, state, parallel, progress)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def _send(
    client: AsyncCustomers, table: Table, state: State, parallel: int, progress: Progress
) -> None:
    creator, slots = Creator(client), asyncio.Semaphore(parallel)

    async def create(number: int, rows: Sequence[Row]) -> None:
        try:
            state.finish(number, await creator.create(rows))
        finally:
            slots.release()
        progress(len(rows))

    async with asyncio.TaskGroup() as tasks:
        for number, rows in enumerate(_batches(table.rows())):
            if state.is_done(number):
                progress(len(rows))
            else:
                await slots.acquire()
                tasks.create_task(create(number, rows))


def _batches(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def write_rejected(table: Table, state: State, path: Path) -> None:
    """Write the rejected rows to a file, in the order of the table."""
    rows = table.rows()
    rejected = (
        (next(row for row in rows if row.number == number), reason)
        for number, reason in state.rejected()
    )
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding=table.encoding, newline="") as file:
        table.write_rejected(file, rejected)
    part.replace(path)
