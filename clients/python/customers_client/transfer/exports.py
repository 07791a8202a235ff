"""Export all customers to a file, from the feed of changes.

A customer that changes meanwhile appears again in the feed. The state file, SQLite, has the place
of each customer in the unfinished file. So the last step can remove outdated lines, and customers
that were deleted or erased meanwhile. Memory doesn't grow with the number of customers.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from customers_client import shared
from customers_client.operation import Operation
from customers_client.sync import Customers
from customers_client.transfer import tables

Write = Callable[[Mapping[str, Any] | None], str]
"""Returns a customer as text, or what precedes all customers for None."""
Progress = Callable[[int], object]


class Position(NamedTuple):
    """Where an export continues: the cursor, and the length of the unfinished file."""

    cursor: str | None
    length: int


class State:
    """The progress of an export, and where each customer is in the unfinished file."""

    def __init__(self, path: Path, source: str) -> None:
        """Open the state, or begin it again if it belongs to another export.

        Raises TransferError if another process uses it.
        """
        self._path, self._source = path, source
        self._database = tables.open_state(path)
        execute = self._database.execute
        execute("CREATE TABLE IF NOT EXISTS export (source TEXT, cursor TEXT, length INTEGER)")
        execute(
            "CREATE TABLE IF NOT EXISTS kept (id TEXT PRIMARY KEY, start INTEGER, length INTEGER)"
            " WITHOUT ROWID"
        )
        execute("CREATE TABLE IF NOT EXISTS outdated (start INTEGER PRIMARY KEY, length INTEGER)")
        if execute("SELECT source FROM export").fetchall() != [(source,)]:
            self.restart()

    def restart(self) -> None:
        for table in ("export", "kept", "outdated"):
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608 (constants)
        self._database.execute("INSERT INTO export VALUES (?, NULL, 0)", [self._source])

    @property
    def position(self) -> Position:
        return Position(*self._database.execute("SELECT cursor, length FROM export").fetchone())

    @property
    def count(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM kept").fetchone()[0])

    def store(self, lines: Mapping[str, tuple[int, int] | None], position: Position) -> None:
        """Store the new places of customers, or None for those that were removed."""
        execute = self._database.execute
        execute("BEGIN")
        with self._database:
            for customer_id, place in lines.items():
                execute(
                    "INSERT INTO outdated SELECT start, length FROM kept WHERE id = ?",
                    [customer_id],
                )
                execute("DELETE FROM kept WHERE id = ?", [customer_id])
                if place:
                    execute("INSERT INTO kept VALUES (?, ?, ?)", [customer_id, *place])
            execute("UPDATE export SET cursor = ?, length = ?", position)

    def outdated(self) -> Iterator[tuple[int, int]]:
        yield from self._database.execute("SELECT start, length FROM outdated ORDER BY start")

    def delete(self) -> None:
        self._database.close()
        self._path.unlink()

    def close(self) -> None:
        self._database.close()


def run(client: Customers, target: Path, write: Write, state: State, progress: Progress) -> int:
    """Write all customers to a new file, or continue to do so. Return their number.

    Raises CustomersError, OSError, sqlite3.Error.
    """
    part = target.with_name(f"{target.name}.part")
    part.touch()
    if part.stat().st_size < state.position.length:
        state.restart()
    with part.open("r+b") as file:
        _continue(client, file, write, state, progress)
    count = state.count
    _finish(part, target, state.outdated())
    state.delete()
    return count


def _continue(
    client: Customers, file: BinaryIO, write: Write, state: State, progress: Progress
) -> None:
    cursor, length = state.position
    file.seek(length)
    file.truncate()
    if not length:
        file.write(write(None).encode())
    has_more = True
    while has_more:
        changes = shared.changes(client.http.base_url, cursor)
        unchanged = Operation(changes.method, changes.url, _to_page, changes.params)
        items, cursor, has_more = client.send(unchanged)
        lines = {item["id"]: _append(file, write, item) for item in items}
        file.flush()
        state.store(lines, Position(cursor, file.tell()))
        progress(sum(place is not None for place in lines.values()))


def _to_page(document: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str, bool]:
    """Return the unchanged items, the next cursor, and whether there are further changes."""
    return document["items"], document["next"], document["has_more"]


def _append(file: BinaryIO, write: Write, item: Mapping[str, Any]) -> tuple[int, int] | None:
    """Write a live customer, and return its place. Others have only their id and a time."""
    if "email" not in item:
        return None
    start, line = file.tell(), write(item).encode()
    file.write(line)
    return start, len(line)


def _finish(part: Path, target: Path, outdated: Iterator[tuple[int, int]]) -> None:
    """Rename the file, without the outdated lines."""
    first = next(outdated, None)
    if first is None:
        part.rename(target)
        return
    clean = part.with_name(f"{part.name}.clean")
    with part.open("rb") as source, clean.open("wb") as file:
        for start, length in chain([first], outdated):
            _copy(source, file, start - source.tell())
            source.seek(length, 1)
        shutil.copyfileobj(source, file)
    clean.rename(target)
    part.unlink()


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length > 0:
        chunk = source.read(min(length, 1 << 20))
        target.write(chunk)
        length -= len(chunk)
