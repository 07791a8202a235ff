"""Compare what JSON costs the database with what it saves the function: a part of `make bench`.

The service's statements let the database write the JSON of customers. The alternative is to select
columns, and to write the JSON in the function. Both alternatives read the same customers.

- The database, which ENGINE selects, runs the statements on one connection in short slices, which
  alternate. The CPU time of the server's process is divided by the number of statements.
- The function handles the requests of `make bench` in fresh processes, which alternate, and uses
  the stub of the Data API. Its CPU time is measured and, if valgrind is installed, its
  instructions are counted.

Times, also differences, are medians of pairs. `.venv/bin/python -m benchmarks.json_cost` measures
this part alone. In docs/performance.md, the results replace those of the same engine.
"""

import argparse
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast
from uuid import UUID

from tqdm import tqdm

from benchmarks import columns, servers
from benchmarks.backends import KNOWN
from benchmarks.events import CUSTOMER, CUSTOMER_ID
from benchmarks.meter import (
    FIRST,
    OURS,
    ROOT,
    MeasuringError,
    Meter,
    Program,
    has_valgrind,
    meter,
)
from benchmarks.results import table
from chalicelib.customers import lists
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.customers.schemas import load_customer
from chalicelib.database import Database, Row, Value
from chalicelib.http import creates, reads
from chalicelib.http.resources import Document
from local import engines
from local.processes import LocalError

PAGE = ROOT / "docs" / "performance.md"
FIGURES = "(?<=<!-- make bench, ENGINE={} -->\n).*?(?=<!-- end -->)"
COLUMNS, JSON = Program("benchmarks.with_columns"), OURS
CUSTOMERS_STORED, BATCH = 1000, 100
CALLS = {"get": 200, "list": 20}
"""Statements of a slice."""
SLICES = 60
ROUNDS = 11
HEAD = [
    "microseconds of CPU",
    *("database, columns", "database, JSON", "database pays"),
    *("function, columns", "function, JSON", "function saves"),
    *("saved / paid", "million instructions saved"),
]


class Statement(NamedTuple):
    """SQL and the values of its parameters."""

    sql: str
    parameters: Mapping[str, Value]

    def run(self, database: Database) -> list[Row]:
        return database.fetch_all(self.sql, **self.parameters)


class Costs(NamedTuple):
    """Microseconds of CPU time for a request, and the median of the pairs' differences."""

    columns: float
    json: float
    difference: float


class Recorder:
    """A database that stores the statement of a read, and responds as if nothing was found."""

    statement: Statement

    def fetch_all(self, sql: str, /, **parameters: Value) -> list[Row]:
        self.statement = Statement(sql, parameters)
        return []

    def fetch_one(self, sql: str, /, **parameters: Value) -> None:
        self.fetch_all(sql, **parameters)


READS: dict[str, Callable[[Database], object]] = {
    "get": lambda database: reads.get(database, CUSTOMERS, UUID(CUSTOMER_ID)),
    "list": lambda database: lists.page(database, lists.Query(limit=50), b""),
}
NAMES = {"get": "get", "list": "list of 50"}


def statements(kind: str) -> tuple[Statement, Statement]:
    """Return the statement that selects columns, and the service's own."""
    recorder = Recorder()
    with suppress(CUSTOMERS.not_found):
        READS[kind](cast("Database", recorder))
    own = recorder.statement
    return own._replace(sql=columns.of_statement(own.sql)), own


@contextmanager
def running() -> Iterator[tuple[Database, int]]:
    """Run a database with customers like the stub's. Yield a connection, and the process id."""
    with TemporaryDirectory(prefix="benchmark-") as name, servers.database(Path(name)) as server:
        database = servers.migrate(server.url)
        for start in range(0, CUSTOMERS_STORED, BATCH):
            creates.create_all(database, CUSTOMERS, customers(start, BATCH))
        database.execute(KNOWN, id=UUID(CUSTOMER_ID).bytes)
        yield database, server.pid


def customers(start: int, count: int) -> list[Document]:
    """Return new customers."""
    numbers = range(start, start + count)
    return [load_customer({"email": f"ada.{n}@example.com", **CUSTOMER}) for n in numbers]


def of_database(database: Database, pid: int) -> dict[str, Costs]:
    """Return the costs of the database's process for each kind of request."""
    return {kind: _of_statements(kind, database, pid) for kind in READS}


def _of_statements(kind: str, database: Database, pid: int) -> Costs:
    return _medians(
        [_slice(statement, CALLS[kind], database, pid) for statement in statements(kind)]
        for _ in tqdm(range(SLICES), desc=f"database, {kind}", leave=False)
    )


def _slice(statement: Statement, calls: int, database: Database, pid: int) -> float:
    before = servers.cpu_seconds(pid)
    for _ in range(calls):
        statement.run(database)
    return (servers.cpu_seconds(pid) - before) / calls * 1e6


def of_function(meter: Meter) -> dict[str, Costs]:
    """Return the costs of the function's process for each kind of request."""
    rounds = [
        [meter.costs(program, list(READS), by_valgrind=False) for program in (COLUMNS, JSON)]
        for _ in tqdm(range(ROUNDS), desc="function", leave=False)
    ]
    return {
        kind: _medians([cost[kind] * 1e6 for cost in pair] for pair in rounds) for kind in READS
    }


def instructions(meter: Meter) -> dict[str, float]:
    """Return the million instructions that JSON saves the function, or nothing without valgrind."""
    if not has_valgrind():
        return {}
    plain, own = (meter.costs(program, list(READS)) for program in (COLUMNS, JSON))
    return {kind: (plain[kind] - own[kind]) / 1e6 for kind in READS}


def _medians(pairs: Iterable[list[float]]) -> Costs:
    plain, own = zip(*pairs, strict=True)
    return Costs(median(plain), median(own), median(b - a for a, b in zip(plain, own, strict=True)))


class Figures(NamedTuple):
    """Costs for each kind of request, and the million instructions that the function saves."""

    database: Mapping[str, Costs]
    function: Mapping[str, Costs]
    saved: Mapping[str, float]


def report(figures: Figures, engine: str) -> str:
    """Return the table, and where it was measured."""
    rows = [_row(kind, figures) for kind in READS]
    where = f"{engine}, Python {platform.python_version()}, {platform.machine()}."
    return f"{table(HEAD, rows)}\n\n{where}"


def _row(kind: str, figures: Figures) -> list[str]:
    database, function = figures.database[kind], figures.function[kind]
    paid, saved = database.difference, -function.difference
    times = [f"{time:,.0f}" for time in (*database[:2], paid, *function[:2], saved)]
    count = f"{figures.saved[kind]:.2f}" if figures.saved else ""
    return [NAMES[kind], *times, f"{saved / paid:.1f}", count]


def publish() -> None:
    """Measure, print the table, and write it to docs/performance.md.

    Raises LocalError if the database can't run, and MeasuringError if the app fails.
    """
    engine = engines.selected()
    with running() as (database, pid):
        costs = of_database(database, pid)
    with meter(sys.executable, FIRST) as bench:
        figures = Figures(costs, of_function(bench), instructions(bench))
    results = report(figures, str(engine.find()))
    print(results)
    PAGE.write_text(replace(PAGE.read_text(), engine.name, results))


def replace(page: str, engine: str, results: str) -> str:
    """Return the page with new results of an engine."""
    figures = re.compile(FIGURES.format(engine), re.DOTALL)
    return figures.sub(lambda _: f"{results}\n", page, count=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Publish, or print an error in one line. Default of `arguments`: those of the command line."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.json_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args(arguments)
    try:
        publish()
    except (LocalError, MeasuringError) as error:
        sys.exit(f"benchmark: {error}")


if __name__ == "__main__":
    main()
