"""Fill columns with values that the service computes, in batches, while the service runs.

A fill reads a table in passes, in the order of its primary key. The first pass computes the values
of all rows. Each further pass computes the values of the rows that were updated since the previous
pass began: the code that is still running may have written these rows without the values. The table
`schema_passes` stores the position of a pass after each batch, so a run that was killed is resumed
there.

An UPDATE names the version of each row that was read, so it never overwrites a concurrent update.
A batch is small enough for the limits of the RDS Data API: 1 MiB and 45 s per call. If a batch
takes longer nevertheless, the run waits for its end, and then updates its rows one by one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple, cast

from tqdm import tqdm

from chalicelib.database import Database, DatabaseError, DuplicateKey, Row, Value
from migrations import changes

ROWS = 100
"""Rows per UPDATE. A customer has up to 8,000 bytes, and a response of the Data API 1 MiB."""
WINDOW = 10_000
"""Rows that one statement searches for updated ones."""
SLACK = timedelta(minutes=5)
"""A row may become visible so long after its `updated_at`, which other clocks have set."""

CREATE_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_passes (name VARCHAR(255) NOT NULL PRIMARY KEY,"
    " updated_since DATETIME(3) NULL, started_at DATETIME(3) NOT NULL,"
    " after_id VARBINARY(255) NULL) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4"
    " COLLATE utf8mb4_unicode_ci"
)


class FillError(Exception):
    """The values of a row can't be computed. The message names the row, without its values."""


class Fill(NamedTuple):
    """Columns to fill, declared as `FILL` in a migration.

    The table needs the columns `id` (the primary key, BINARY), `version` and `updated_at`, as
    `chalicelib.database.tables` describes. `compute` returns the values of the same columns for
    each row, which has the columns `reads`. It must accept rows that are deleted or erased.

    `unique` are those filled columns that have a unique key. If another row has the value already,
    the row keeps what it has in these columns, and the run reports its id.
    """

    table: str
    reads: tuple[str, ...]
    compute: Callable[[Row], Mapping[str, Value]]
    unique: frozenset[str] = frozenset()


class _Pass(NamedTuple):
    """A pass over the rows that were updated since a time, or all; `after_id` None: it has ended.

    An empty `after_id` is the start of the table.
    """

    updated_since: datetime | None
    started_at: datetime
    after_id: bytes | None = b""


def run(
    database: Database,
    name: str,
    fill: Fill,
    report: Callable[[str], None],
    after_batch: Callable[[], None],
) -> None:
    """Fill all rows, then those that were updated meanwhile. Raises FillError, DatabaseError.

    Completes the pass of an earlier run first. The last pass always begins in this run: once no
    code is running that leaves the columns empty, no row is left after it.
    """
    # cached, so that the last pass does not repeat the messages of the first one
    runner = _Runner(database, name, fill, cache(report), after_batch)
    earlier = runner.load() or runner.begin(None)
    if earlier.after_id is not None:
        runner.complete(earlier)
    runner.complete(runner.begin(earlier.started_at - SLACK))


def forget(database: Database, name: str) -> None:
    """Delete the position of a fill that is complete."""
    database.execute("DELETE FROM schema_passes WHERE name = :name", name=name)


class _Runner(NamedTuple):
    database: Database
    name: str
    fill: Fill
    report: Callable[[str], None]
    after_batch: Callable[[], None]

    def load(self) -> _Pass | None:
        """Return the last pass of an earlier run."""
        row = self.database.fetch_one(
            "SELECT updated_since, started_at, after_id FROM schema_passes WHERE name = :name",
            name=self.name,
        )
        return _Pass(**row) if row else None  # type: ignore[arg-type]

    def begin(self, updated_since: datetime | None) -> _Pass:
        """Record a new pass in place of the last one."""
        new = _Pass(updated_since, datetime.now(UTC))
        self.database.execute_guarded(
            "INSERT INTO schema_passes (name, updated_since, started_at, after_id)"
            " VALUES (:name, :updated_since, :started_at, :after_id)"
            " ON DUPLICATE KEY UPDATE updated_since = :updated_since, started_at = :started_at,"
            " after_id = :after_id",
            name=self.name,
            **new._asdict(),
        )
        return new

    def complete(self, current: _Pass) -> None:
        """Fill the rows of the pass, from its position on, and record the position."""
        bar = tqdm(total=self._estimate(current), desc=self.name, unit=" rows", disable=None)
        with closing(bar):
            for rows, after_id in self._batches(current):
                self._fill(rows)
                self.database.execute_guarded(
                    "UPDATE schema_passes SET after_id = :after_id WHERE name = :name",
                    after_id=after_id,
                    name=self.name,
                )
                self.after_batch()
                bar.update(len(rows))

    def _estimate(self, current: _Pass) -> int | None:
        """Return about how many rows the pass has; None if that is unknown."""
        if current.updated_since or current.after_id:
            return None
        row = self.database.fetch_one(
            "SELECT table_rows AS estimate FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = :table",
            table=self.fill.table,
        )
        return int(str(row["estimate"] or 0)) or None if row else None

    def _batches(self, current: _Pass) -> Iterator[tuple[list[Row], bytes | None]]:
        """Yield the rows of each batch, and the position behind it: None at the end."""
        after_id = current.after_id
        while after_id is not None:
            end = self._window_end(after_id) if current.updated_since else None
            rows = self._read(after_id, end, current.updated_since)
            after_id = cast("bytes", rows[-1]["id"]) if len(rows) == ROWS else end
            yield rows, after_id

    def _window_end(self, after_id: bytes) -> bytes | None:
        """Return the last id of the window behind the position; None if the table ends before."""
        row = self.database.fetch_one(
            f"SELECT id FROM {self.fill.table} WHERE id > :after_id"  # noqa: S608 (a constant)
            " ORDER BY id LIMIT 1 OFFSET :others",
            after_id=after_id,
            others=WINDOW - 1,
        )
        return cast("bytes", row["id"]) if row else None

    def _read(
        self, after_id: bytes, end: bytes | None, updated_since: datetime | None
    ) -> list[Row]:
        given: dict[str, Value] = {"end": end, "updated_since": updated_since}
        parameters = {name: value for name, value in given.items() if value is not None}
        conditions = {
            "end": " AND id <= :end",
            "updated_since": " AND updated_at >= :updated_since",
        }
        columns = ", ".join(dict.fromkeys(("id", "version", *self.fill.reads)))
        return self.database.fetch_all(
            f"SELECT {columns} FROM {self.fill.table} WHERE id > :after_id"  # noqa: S608 (constants)
            f"{''.join(conditions[name] for name in parameters)} ORDER BY id LIMIT :rows",
            after_id=after_id,
            rows=ROWS,
            **parameters,
        )

    def _fill(self, rows: Sequence[Row]) -> None:
        computed = [self._compute(row) for row in rows]
        try:
            self._update(rows, computed, self.database.execute_to_end)
        except DatabaseError as error:
            if error.is_outcome_unknown:  # its rows may be locked
                changes.await_end(self.database, self.name, self.report, self.after_batch)
            for row, values in zip(rows, computed, strict=True):
                self._update_one(row, values)

    def _compute(self, row: Row) -> Mapping[str, Value]:
        try:
            return self.fill.compute(row)
        except Exception as error:  # its message may contain personal data
            raise FillError(f"{type(error).__name__} for the row {_hex(row)}") from error

    def _update_one(self, row: Row, values: Mapping[str, Value]) -> None:
        write = self.database.execute_guarded
        try:
            self._update([row], [values], write)
        except DuplicateKey:
            names = ", ".join(sorted(self.fill.unique))
            self.report(
                f"{self.name}: another row has the new {names} of {_hex(row)}, kept the old"
            )
            others = {name: value for name, value in values.items() if name not in self.fill.unique}
            self._update([row], [others], write)

    def _update(
        self,
        rows: Sequence[Row],
        computed: Sequence[Mapping[str, Value]],
        write: Callable[..., int],
    ) -> None:
        """Set the values in those rows that still have the version that was read."""
        columns = tuple(computed[0]) if rows else ()
        if not columns:
            return
        parameters: dict[str, Value] = {}
        for n, (row, values) in enumerate(zip(rows, computed, strict=True)):
            parameters |= {f"id_{n}": row["id"], f"version_{n}": row["version"]}
            parameters |= {f"{column}_{n}": values[column] for column in columns}
        sql = _update_sql(self.fill.table, len(rows), columns)
        write(changes.tagged(self.name, sql), **parameters)


def _update_sql(table: str, size: int, columns: Sequence[str]) -> str:
    numbers = range(size)
    values = {name: "".join(f" WHEN :id_{n} THEN :{name}_{n}" for n in numbers) for name in columns}
    settings = ", ".join(f"{name} = CASE id{cases} END" for name, cases in values.items())
    guards = " OR ".join(f"(id = :id_{n} AND version = :version_{n})" for n in numbers)
    return f"UPDATE {table} SET {settings} WHERE {guards}"  # noqa: S608 (constants)


def _hex(row: Row) -> str:
    return cast("bytes", row["id"]).hex()
