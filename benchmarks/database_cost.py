"""Measure what each operation costs the database: `python -m benchmarks.database_cost`.

`benchmarks.operations` makes the requests. The cost is the CPU time of the database server's
process, which includes its work in the background. Slices of requests of all operations take turns
in random order, and the results are medians of the slices. Requests that need a customer of their
own get new ones before their slice. Both engines are measured one after the other.
docs/performance.md gets the table.
"""

import argparse
import json
import logging
import platform
import random
import re
import sys
from statistics import median

from tqdm import tqdm

from benchmarks import budget, servers
from benchmarks.meter import ROOT
from benchmarks.operations import OPERATIONS, Caller, Failed, running
from benchmarks.results import table
from local import engines
from local.engines import Engine
from local.processes import LocalError

PAGE = ROOT / "docs" / "performance.md"
FIGURES = re.compile("(?<=<!-- database_cost -->\n).*?(?=<!-- end -->)", re.DOTALL)
CUSTOMERS = 10_000
SLICE, SLICES = 20, 30
BULK_SLICE = 2
NAMES = {
    "list": "list of 50",
    "changes": "changes, 50",
    "batch": "batch of 100",
    "patch batch": "bulk patch of 100",
    "delete batch": "bulk delete of 100",
}
BULK = {"batch", "patch batch", "delete batch"}


def main() -> int:
    """Measure both engines, print the table, and write it to the page. Return the exit code."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.database_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    logging.disable()
    try:
        costs = {str(own.find()): measure(own) for own in engines.ENGINES.values()}
    except (Failed, LocalError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    results = report(costs)
    print(results)
    PAGE.write_text(FIGURES.sub(lambda _: f"{results}\n", PAGE.read_text()))
    return 0


def measure(engine: Engine) -> dict[str, float]:
    """Return milliseconds of the database's CPU time for a request of each operation."""
    with running(engine, CUSTOMERS) as (server, caller):
        return _slices(caller, server.pid, engine.name)


def _slices(caller: Caller, pid: int, engine: str) -> dict[str, float]:
    costs: dict[str, list[float]] = {kind: [] for kind in OPERATIONS}
    for number in tqdm(range(SLICES + 1), desc=engine, leave=False):
        for kind in random.sample([*OPERATIONS], len(OPERATIONS)):
            cost = slice_cost(caller, kind, pid)
            if number:  # the first slice fills caches
                costs[kind].append(cost)
    return {kind: median(own) for kind, own in costs.items()}


def slice_cost(caller: Caller, kind: str, pid: int) -> float:
    """Return milliseconds of the CPU time of process `pid` for a request of an operation."""
    requests = OPERATIONS[kind](caller, BULK_SLICE if kind in BULK else SLICE)
    before = servers.cpu_seconds(pid)
    for own in requests:
        caller.call(own)
    return (servers.cpu_seconds(pid) - before) / len(requests) * 1000


def report(costs: dict[str, dict[str, float]]) -> str:
    """Return the table of both engines, next to the instructions of a warm function."""
    instructions = json.loads(budget.FILE.read_text())
    rows = [
        [
            NAMES.get(kind, kind),
            *(f"{own[kind]:.2f}" for own in costs.values()),
            f"{own / 1e6:.1f}" if (own := instructions.get(f"{kind} instructions")) else "",
        ]
        for kind in OPERATIONS
    ]
    engines_ms = [f"{engine}, ms of CPU" for engine in costs]
    head = ["operation", *engines_ms, "function, million instructions"]
    where = f"Python {platform.python_version()}, {platform.machine()}."
    return f"{table(head, rows)}\n\n{where}"


if __name__ == "__main__":
    sys.exit(main())
