"""Compare the cost of requests at up to ten million customers: `python -m benchmarks.growth`.

Fills a private MariaDB with one database per size, all in memory, and calls the functions that the
API calls: `chalicelib.customers.lists`, `updates` and `creates`. Each request is for a random
customer, and each list starts at another place. The sizes take turns, call by call, so that a
disturbance affects them equally. A ratio compares the medians of the largest and smallest size.

The calls go through PyMySQL. The Data API would add the same few milliseconds at each size, which
would hide the growth. For the same reason the report also shows the CPU time of the database alone,
which excludes the client and other programs.
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tqdm import tqdm

from benchmarks.growth import filling, keys, plans
from benchmarks.growth.measuring import CLIENTS, Clients, Measured, Results, Sampled, alone, sample
from benchmarks.growth.requests import GROWING, REQUESTS
from chalicelib.database import connect
from chalicelib.settings import Settings
from local import seed
from local.mariadb import MariaDB, find_server
from local.processes import LocalError, free_port

HIGHEST_RATIO = 1.3
BYTES = 1_400
"""Memory of a customer in bytes, with all indexes."""


@contextmanager
def server(directory: Path, sizes: list[int]) -> Iterator[tuple[MariaDB, dict[int, str]]]:
    """Run a MariaDB with one database per size, large enough to keep all of them in memory."""
    memory = max(256 << 20, sum(sizes) * BYTES)
    options = {
        "innodb-buffer-pool-size": str(memory),
        "innodb-log-file-size": "4G",
        "innodb-flush-log-at-trx-commit": "0",
        "innodb-sort-buffer-size": "64M",
        "innodb-fill-factor": "90",  # about as full as indexes that have grown
    }
    mariadb = MariaDB(directory / "mariadb", free_port(), options)
    try:
        mariadb.start()
        yield mariadb, filling.fill(mariadb.url, sizes)
    finally:
        mariadb.stop()


def warm(url: str) -> None:
    """Read each index once, completely."""
    database = connect(Settings(database_url=url))
    for row in database.fetch_all("SHOW KEYS FROM customers WHERE Seq_in_index = 1"):
        along = f"customers FORCE INDEX ({row['Key_name']!s})"
        filling.answer(url, f"SELECT COUNT(*) FROM {along}")  # noqa: S608 (an index of our own)


def measure(
    databases: Mapping[int, Sampled], arguments: argparse.Namespace, pid: int
) -> tuple[Results, Results]:
    """Measure each selected request, with one client and with many."""
    wanted = {
        name: request for name, request in (REQUESTS | GROWING).items() if arguments.only in name
    }
    by_one, by_many = {}, {}
    clients = Clients(
        databases, pid
    )  # first, because a process with connections can't be forked safely
    try:
        for name, prepare in tqdm(wanted.items(), desc="requests"):
            by_one[name] = alone(prepare, databases, arguments.seconds, pid)
            if name in REQUESTS:  # the others take too long to be worth it
                by_many[name] = clients.measure(name, 2 * arguments.seconds)
    finally:
        clients.close()
    return by_one, by_many


def table(results: Results) -> str:
    """Return the medians by size, and the ratio of the largest to the smallest."""
    sizes = list(next(iter(results.values())))
    head = ["request", *(f"{size:,}" for size in sizes), "ratio", "database's processor"]
    lines = [head, ["---"] * len(head)]
    for name, by_size in results.items():
        medians = [f"{median(figure.took):.2f} ms" for figure in by_size.values()]
        lines.append(
            [f"`{name}`", *medians, f"{ratio(by_size):.2f}", f"{worked_ratio(by_size):.2f}"]
        )
    return _markdown(lines)


def ratio(by_size: Mapping[int, Measured]) -> float:
    return median(by_size[max(by_size)].took) / median(by_size[min(by_size)].took)


def worked_ratio(by_size: Mapping[int, Measured]) -> float:
    return median(by_size[max(by_size)].worked) / median(by_size[min(by_size)].worked)


def table_of_keys(directory: Path, sizes: list[int]) -> str:
    """Return the bytes that each index takes per customer, and its depth."""
    keys_by_size = {size: keys.read(directory / "mariadb", f"customers_{size}") for size in sizes}
    head = ["key", *(f"{size:,}: bytes a customer; levels" for size in sizes)]
    lines = [head, ["---"] * len(head)]
    for name in keys_by_size[sizes[0]]:
        rows = [
            f"{keys_by_size[n][name].size / n:.0f}; {keys_by_size[n][name].depth}" for n in sizes
        ]
        lines.append([name, *rows])
    sums = [f"{sum(key.size for key in keys_by_size[n].values()) / n:.0f}" for n in sizes]
    return _markdown([*lines, ["together", *sums]])


def table_of_plans(databases: Mapping[int, Sampled]) -> str:
    """Return the indexes that each request uses, and the number of entries that it reads."""
    head = ["request", "keys (EXPLAIN's type)", *(f"{size:,}: entries read" for size in databases)]
    lines = [head, ["---"] * len(head)]
    for name, prepare in REQUESTS.items():
        explained = [plans.explain(prepare, sampled) for sampled in databases.values()]
        lines.append([f"`{name}`", explained[-1][0], *(f"{read:.1f}" for _, read in explained)])
    return _markdown(lines)


def _markdown(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


REPORT = """
One client:

{one}

{clients} clients at once:

{many}

Over {target}: {over}

{keys}

{plans}

Method: medians of calls for {seconds:g} s each, of many clients twice that, the sizes in turns.
{cores} cores, Python {python}, {database}, all in memory; rows loaded in the order of their ids,
keys sorted.
"""


def over(results: Results) -> list[str]:
    """Return the requests that should not grow, but whose ratio is too high."""
    return [
        name
        for name, result in results.items()
        if name in REQUESTS and ratio(result) > HIGHEST_RATIO
    ]


def run(directory: Path, arguments: argparse.Namespace) -> bool:
    """Load, measure and print. Return whether all ratios are low enough."""
    with server(directory, arguments.sizes) as (mariadb, urls):
        for url in tqdm(urls.values(), desc="into memory"):
            warm(url)
        databases = {size: sample(url) for size, url in urls.items()}
        walked, trees = table_of_plans(databases), table_of_keys(directory, arguments.sizes)
        by_one, by_many = measure(databases, arguments, mariadb.pid)
    too_high = [*over(by_one), *(f"{name}, {CLIENTS} clients" for name in over(by_many))]
    print(
        REPORT.format(
            one=table(by_one),
            many=table(by_many),
            clients=CLIENTS,
            target=HIGHEST_RATIO,
            over="; ".join(too_high) or "none",
            keys=trees,
            plans=walked,
            seconds=arguments.seconds,
            cores=os.cpu_count(),
            python=platform.python_version(),
            database=find_server(),
        ).strip()
    )
    return not too_high


def main() -> None:
    """Measure and print the tables. Exits with an error if a ratio is too high."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument(
        "--sizes", type=_sizes, default="10000,1000000,10000000", help="(%(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=6, help="seconds per request (%(default)s)"
    )
    parser.add_argument(
        "--only", default="", help="only measure requests whose name contains this text"
    )
    parser.add_argument(
        "--directory", type=Path, help="store the databases in this folder, and reuse them"
    )
    arguments = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="benchmark-") as temporary:
            directory = arguments.directory or Path(temporary)
            is_low = run(directory, arguments)
    except LocalError as error:
        sys.exit(f"benchmark: {error}")
    sys.exit(not is_low)


def _sizes(text: str) -> list[int]:
    return sorted(map(seed.positive, text.split(",")))


if __name__ == "__main__":
    main()
