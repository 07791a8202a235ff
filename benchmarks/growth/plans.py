"""Query plans of requests: the indexes that the database uses, and the entries that it reads."""

from collections.abc import Mapping
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.growth.filling import forget
from benchmarks.growth.measuring import Sampled
from benchmarks.growth.requests import Call, Prepare
from chalicelib.database import Database, Row, Value, connect
from chalicelib.settings import Settings

CALLS = 20


class Recorder(Database):
    """A database that records its statements."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements: list[tuple[str, Mapping[str, Value]]] = []

    def transaction(self) -> Any:
        raise NotImplementedError

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        self.statements.append((sql, parameters))
        if sql.startswith("SELECT"):
            return self._database.fetch_all(sql, **parameters), 0
        return [], self._database.execute(sql, **parameters)


class Explained(NamedTuple):
    """The indexes that a request uses, and the number of entries that it reads, on average."""

    indexes: str
    entries: float


def explain(prepare: Prepare, sampled: Sampled) -> list[Explained]:
    """Return the plans of requests that follow each other."""
    database = connect(Settings(database_url=sampled.url))
    runs = [
        [_run(database, call) for call in prepare(customer)]
        for customer in sampled.customers(CALLS)
    ]
    explained = [
        Explained(_indexes(database, of_call[-1][0]), mean(entries for _, entries in of_call))
        for of_call in zip(*runs, strict=True)
    ]
    forget(sampled.url)
    return explained


def _run(database: Database, call: Call) -> tuple[Recorder, int]:
    recorder = Recorder(database)
    return recorder, entries_read(database, lambda _: call(recorder))


def _indexes(database: Database, recorder: Recorder) -> str:
    plans = [
        row
        for sql, parameters in recorder.statements
        for row in database.fetch_all(f"EXPLAIN {sql}", **parameters)
    ]
    used = (f"{row['key']!s} ({row['type']!s})" for row in plans if row["key"])
    return ", ".join(dict.fromkeys(used)).replace("ix_customers_", "")


def entries_read(database: Database, call: Call) -> int:
    """Return the number of entries that a call reads."""
    before = _counted(database)
    call(database)
    return _counted(database) - before


def _counted(database: Database) -> int:
    counters = database.fetch_all("SHOW SESSION STATUS LIKE 'Handler_read_%'")
    return sum(int(str(row["Value"])) for row in counters if "rnd" not in str(row["Variable_name"]))
