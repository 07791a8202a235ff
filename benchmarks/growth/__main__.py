"""Compare the cost of requests at up to ten million customers: `python -m benchmarks.growth`.

Fills a private server of the engine of ENGINE with one database per size, all in memory, and calls
the functions that each operation of the API calls (`requests`). Each request is for a random
customer, and each list starts at another place. The sizes alternate, call by call, so that a
disturbance affects all sizes. A ratio compares the medians of the largest and the smallest size.

The calls go through PyMySQL. The Data API would add the same few milliseconds at each size, which
would hide the growth. For the same reason the report also shows the CPU time of the database alone,
which excludes the client and other programs.
"""

import argparse
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tqdm import tqdm

from benchmarks.growth import filling, keys, plans
from benchmarks.growth.measuring import (
    CLIENTS,
    MAX_RATIO,
    MAX_RATIO_OF_MANY,
    Clients,
    Measured,
    Results,
    Sampled,
    alone,
    sample,
)
from benchmarks.growth.requests import AND, GROWING, REQUESTS
from benchmarks.results import table
from local import seed
from local.database_server import DatabaseServer
from local.processes import LocalError


def measure(
    databases: Mapping[int, Sampled], arguments: argparse.Namespace, pid: int
) -> tuple[Results, Results]:
    """Measure each selected request, with one client and with many."""
    selected = {
        name: prepare for name, prepare in (REQUESTS | GROWING).items() if arguments.only in name
    }
    by_one: Results = {}
    by_many: Results = {}
    clients = Clients(databases, pid)  # first: a process with connections can't be forked safely
    try:
        for name, prepare in tqdm(selected.items(), desc="requests"):
            by_one |= alone(name, prepare, databases, arguments.seconds, pid)
            if name in REQUESTS:  # the others take too long to be worth it
                by_many |= clients.measure(name, 2 * arguments.seconds)
    finally:
        clients.close()
    return by_one, by_many


def table_of_times(results: Results) -> str:
    """Return the medians by size, and the ratio of the largest to the smallest."""
    sizes = next(iter(results.values()), {})
    head = ["request", *(f"{size:,}" for size in sizes), "ratio", "ratio of database CPU time"]
    rows = []
    for name, by_size in results.items():
        medians = [f"{median(measured.durations):.2f} ms" for measured in by_size.values()]
        smallest, largest = by_size[min(by_size)], by_size[max(by_size)]
        cpu_ratio = median(largest.cpu_times) / median(smallest.cpu_times)
        rows.append([f"`{name}`", *medians, f"{ratio(by_size):.2f}", f"{cpu_ratio:.2f}"])
    return table(head, rows)


def ratio(by_size: Mapping[int, Measured]) -> float:
    return median(by_size[max(by_size)].durations) / median(by_size[min(by_size)].durations)


def table_of_keys(server: DatabaseServer, sizes: list[int]) -> str:
    """Return the bytes that each index takes per customer, and its depth."""
    by_size = {size: keys.read(server, filling.database_name(size)) for size in sizes}
    head = ["index", *(f"{size:,}: bytes per customer; levels" for size in sizes)]
    rows = [
        [name, *(f"{by_size[n][name].size / n:.0f}; {by_size[n][name].depth}" for n in sizes)]
        for name in by_size[sizes[0]]
    ]
    totals = [f"{sum(key.size for key in by_size[n].values()) / n:.0f}" for n in sizes]
    return table(head, [*rows, ["total", *totals]])


def table_of_plans(databases: Mapping[int, Sampled]) -> str:
    """Return the indexes that each request uses, and the number of entries that it reads."""
    head = ["request", "indexes (EXPLAIN type)", *(f"{size:,}: entries read" for size in databases)]
    rows = []
    for name, prepare in REQUESTS.items():
        explained = [plans.explain(prepare, sampled) for sampled in databases.values()]
        for part, *by_size in zip(name.split(AND), *explained, strict=True):
            entries = (f"{plan.entries:.1f}" for plan in by_size)
            rows.append([f"`{part}`", by_size[-1].indexes, *entries])
    return table(head, rows)


REPORT = """
One client:

{one}

{clients} concurrent clients:

{many}

Over {target} with one client, or {target_of_many} with many: {over}

{keys}

{plans}

Method: medians of calls for {seconds:g} s per request, with many clients twice that. The sizes
alternate. All data is in memory. Rows are inserted in the order of their ids, and indexes are built
by sorting. {cores} cores, Python {python}, {database}.
"""


def too_high(results: Results, max_ratio: float) -> list[str]:
    """Return the requests that should not grow, but whose ratio is too high."""
    constant = {name: by_size for name, by_size in results.items() if name not in GROWING}
    return [name for name, by_size in constant.items() if ratio(by_size) > max_ratio]


def run(directory: Path, arguments: argparse.Namespace) -> bool:
    """Load, measure and print. Return whether all ratios are low enough."""
    with filling.running(directory, arguments.sizes) as (server, urls):
        databases = {size: sample(url) for size, url in urls.items()}
        plans_used, indexes = table_of_plans(databases), table_of_keys(server, arguments.sizes)
        by_one, by_many = measure(databases, arguments, server.pid)
    of_many = (f"{name}, {CLIENTS} clients" for name in too_high(by_many, MAX_RATIO_OF_MANY))
    over = [*too_high(by_one, MAX_RATIO), *of_many]
    print(
        REPORT.format(
            one=table_of_times(by_one),
            many=table_of_times(by_many),
            clients=CLIENTS,
            target=MAX_RATIO,
            target_of_many=MAX_RATIO_OF_MANY,
            over="; ".join(over) or "none",
            keys=indexes,
            plans=plans_used,
            seconds=arguments.seconds,
            cores=os.cpu_count(),
            python=platform.python_version(),
            database=server.engine.find(),
        ).strip()
    )
    return not over


def main() -> None:
    """Measure and print the tables. Fail if a ratio is too high."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument(
        "--sizes", type=_sizes, default="10000,1000000,10000000", help="(%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=6, help="per request (%(default)s)")
    parser.add_argument("--only", default="", help="only requests whose name contains this")
    parser.add_argument("--directory", type=Path, help="keep the databases here, and reuse them")
    arguments = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="benchmark-") as temporary:
            is_low = run(arguments.directory or Path(temporary), arguments)
    except LocalError as error:
        sys.exit(f"benchmark: {error}")
    sys.exit(not is_low)


def _sizes(text: str) -> list[int]:
    return sorted(map(seed.positive, text.split(",")))


if __name__ == "__main__":
    main()
