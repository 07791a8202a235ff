"""What a request costs at ten thousand and at ten million customers: `python -m benchmarks.growth`.

It fills a private MariaDB with a database of each size, all of them in memory, and calls what the
API calls: `chalicelib.customers.lists`, `updates` and `creates`. Each request is for another
customer, chosen at random, and each list starts at another place. The sizes take turns, call by
call, so that a disturbance affects all sizes. A ratio is that of the medians of the largest and the
smallest.

The calls go through PyMySQL. Through the Data API they would take longer by the same few
milliseconds at each size, in which growth would hide. For the same reason the processor time of the
database alone is told, too: that of the client, and of others on the machine, is not in it.
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
from benchmarks.growth.measuring import CLIENTS, Clients, Measured, Place, Results, alone, sample
from benchmarks.growth.requests import GROWING, REQUESTS
from chalicelib.database import connect
from chalicelib.settings import Settings
from local import seed
from local.database_server import DatabaseServer
from local.engines import ENGINES
from local.processes import LocalError, free_port

ENGINE = ENGINES["mariadb"]  # `keys` reads its files
HIGHEST_RATIO = 1.3
BYTES = 1_400
"""What a customer takes in memory, with all keys."""


@contextmanager
def server(directory: Path, sizes: list[int]) -> Iterator[tuple[DatabaseServer, dict[int, str]]]:
    """Run a server with a database of each size, that has all of them in memory."""
    memory = max(256 << 20, sum(sizes) * BYTES)
    options = {
        "innodb-buffer-pool-size": str(memory),
        "innodb-log-file-size": "4G",
        "innodb-flush-log-at-trx-commit": "0",
        "innodb-sort-buffer-size": "64M",
        "innodb-fill-factor": "90",  # about as full as keys that have grown
    }
    database_server = DatabaseServer(directory / "database", free_port(), options, engine=ENGINE)
    try:
        database_server.start()
        yield database_server, filling.fill(database_server.url, sizes)
    finally:
        database_server.stop()


def warm(url: str) -> None:
    """Read each key once, from end to end."""
    database = connect(Settings(database_url=url))
    for row in database.fetch_all("SHOW KEYS FROM customers WHERE Seq_in_index = 1"):
        along = f"customers FORCE INDEX ({row['Key_name']!s})"
        filling.answer(url, f"SELECT COUNT(*) FROM {along}")  # noqa: S608 (its own key)


def measure(
    places: Mapping[int, Place], arguments: argparse.Namespace, pid: int
) -> tuple[Results, Results]:
    """Measure each request that is wanted, of one client and of many."""
    wanted = {name: each for name, each in (REQUESTS | GROWING).items() if arguments.only in name}
    by_one, by_many = {}, {}
    clients = Clients(places, pid)  # first: a process is not forked well once there are connections
    try:
        for name, prepare in tqdm(wanted.items(), desc="requests"):
            by_one[name] = alone(prepare, places, arguments.seconds, pid)
            if name in REQUESTS:  # the others take so long that nothing is to be learned
                by_many[name] = clients.measure(name, 2 * arguments.seconds)
    finally:
        clients.close()
    return by_one, by_many


def table(results: Results) -> str:
    """Return the medians by size, and the ratio of the largest to the smallest."""
    sizes = list(next(iter(results.values())))
    head = ["request", *(f"{size:,}" for size in sizes), "ratio", "ratio of database CPU time"]
    lines = [head, ["---"] * len(head)]
    for name, by_size in results.items():
        medians = [f"{median(each.took):.2f} ms" for each in by_size.values()]
        lines.append(
            [f"`{name}`", *medians, f"{ratio(by_size):.2f}", f"{worked_ratio(by_size):.2f}"]
        )
    return _markdown(lines)


def ratio(by_size: Mapping[int, Measured]) -> float:
    return median(by_size[max(by_size)].took) / median(by_size[min(by_size)].took)


def worked_ratio(by_size: Mapping[int, Measured]) -> float:
    return median(by_size[max(by_size)].worked) / median(by_size[min(by_size)].worked)


def table_of_keys(directory: Path, sizes: list[int]) -> str:
    """Return what each key takes of each customer, and how deep it is."""
    found = {size: keys.read(directory / "database", f"customers_{size}") for size in sizes}
    head = ["index", *(f"{size:,}: bytes per customer; levels" for size in sizes)]
    lines = [head, ["---"] * len(head)]
    for name in found[sizes[0]]:
        told = [f"{found[n][name].size / n:.0f}; {found[n][name].depth}" for n in sizes]
        lines.append([name, *told])
    sums = [f"{sum(key.size for key in found[n].values()) / n:.0f}" for n in sizes]
    return _markdown([*lines, ["total", *sums]])


def table_of_plans(places: Mapping[int, Place]) -> str:
    """Return the keys of each request, and how many entries it reads."""
    head = ["request", "indexes (EXPLAIN type)", *(f"{size:,}: entries read" for size in places)]
    lines = [head, ["---"] * len(head)]
    for name, prepare in REQUESTS.items():
        found = [plans.explain(prepare, place) for place in places.values()]
        lines.append([f"`{name}`", found[-1][0], *(f"{read:.1f}" for _, read in found)])
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
    """Return the requests whose ratio is too high, of those that are not to grow."""
    return [
        name for name, each in results.items() if name in REQUESTS and ratio(each) > HIGHEST_RATIO
    ]


def run(directory: Path, arguments: argparse.Namespace) -> bool:
    """Load, measure and print; return whether all ratios are low enough."""
    with server(directory, arguments.sizes) as (database_server, urls):
        for url in tqdm(urls.values(), desc="into memory"):
            warm(url)
        places = {size: sample(url) for size, url in urls.items()}
        walked, trees = table_of_plans(places), table_of_keys(directory, arguments.sizes)
        by_one, by_many = measure(places, arguments, database_server.pid)
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
            database=ENGINE.find(),
        ).strip()
    )
    return not too_high


def main() -> None:
    """Measure, and print the tables; fail when a ratio is too high."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument(
        "--sizes", type=_sizes, default="10000,1000000,10000000", help="(%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=6, help="for each request (%(default)s)")
    parser.add_argument("--only", default="", help="requests that have this in their names")
    parser.add_argument(
        "--directory", type=Path, help="what is loaded is kept there, and found again"
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
