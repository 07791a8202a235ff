"""What the database makes of requests: the keys that it walks, and how much it reads of them."""

from collections.abc import Mapping
from typing import Any

from benchmarks.growth.measuring import Place
from benchmarks.growth.requests import Prepare
from chalicelib.database import Database, Row, Value, connect
from chalicelib.settings import Settings

CALLS = 20


class Recorded(Database):
    """A database that remembers the statements it was given."""

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


def explain(prepare: Prepare, place: Place) -> tuple[str, float]:
    """Return the keys that a request walks, and how many entries it reads of them."""
    database = connect(Settings(database_url=place.url))
    before = _read(database)
    for _ in range(CALLS):
        recorded = Recorded(database)
        prepare(place.one())(recorded)
    read = (_read(database) - before) / CALLS
    plans = [
        row
        for sql, parameters in recorded.statements
        for row in database.fetch_all(f"EXPLAIN {sql}", **parameters)
    ]
    walked = (f"{row['key']!s} ({row['type']!s})" for row in plans if row["key"])
    return ", ".join(dict.fromkeys(walked)).replace("ix_customers_", ""), read


def _read(database: Database) -> int:
    counters = database.fetch_all("SHOW SESSION STATUS LIKE 'Handler_read_%'")
    return sum(int(str(row["Value"])) for row in counters if "rnd" not in str(row["Variable_name"]))
