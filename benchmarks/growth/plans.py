"""Query plans of requests: the indexes that the database uses, and the entries that it reads."""

from collections.abc import Mapping
from typing import Any

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


def explain(prepare: Prepare, sampled: Sampled) -> tuple[str, float]:
    """Return the indexes that a request uses, and the number of entries that it reads."""
    database = connect(Settings(database_url=sampled.url))
    before = _counted(database)
    for _ in range(CALLS):
        recorder = Recorder(database)
        prepare(sampled.customer())(recorder)
    read = (_counted(database) - before) / CALLS
    plans = [
        row
        for sql, parameters in recorder.statements
        for row in database.fetch_all(f"EXPLAIN {sql}", **parameters)
    ]
    used = (f"{row['key']!s} ({row['type']!s})" for row in plans if row["key"])
    return ", ".join(dict.fromkeys(used)).replace("ix_customers_", ""), read


def entries_read(database: Database, call: Call) -> int:
    """Return the number of entries that a call reads."""
    before = _counted(database)
    call(database)
    return _counted(database) - before


def _counted(database: Database) -> int:
    counters = database.fetch_all("SHOW SESSION STATUS LIKE 'Handler_read_%'")
    return sum(int(str(row["Value"])) for row in counters if "rnd" not in str(row["Variable_name"]))
