"""Compare the cost of the three database backends in a function: `python -m benchmarks.backends`.

Fills a private MariaDB, starts the Data API server, and lets the app handle the requests of `make
bench` in fresh processes: with the slim client, with boto3, and with PyMySQL without the Data API.
Valgrind counts the instructions of the function's process; `--cpu` measures CPU seconds instead.
All processes create the same customers, so a trigger makes their email addresses unique.
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from tqdm import tqdm

import migrations
from benchmarks.events import CUSTOMER_ID
from benchmarks.meter import LAMBDA, OURS, Costs, MeasuringError, Meter, has_valgrind
from chalicelib.database import connect
from chalicelib.settings import Settings
from local import seed
from local.mariadb import MariaDB
from local.processes import Child, LocalError, answers, free_port

CUSTOMERS = 100
FIRST = "logging"  # AWS's runtime client imports it, too
FRESH = (
    "CREATE TRIGGER fresh BEFORE INSERT ON customers FOR EACH ROW"
    " SET NEW.email = CONCAT(UUID_SHORT(), '@example.com'), NEW.email_key = NEW.email"
)
KNOWN = "UPDATE customers SET id = :id ORDER BY id LIMIT 1"
HEAD = "| {} | cold start | warm get | warm list of 50 | warm create |\n|---|--:|--:|--:|--:|"


@contextmanager
def backends(directory: Path) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """Yield the environment variables of each backend."""
    server = MariaDB(directory / "mariadb", free_port())
    port = free_port()
    command = [sys.executable, "-m", "local.data_api", "--port", str(port)]
    try:
        server.start()
        environment = {**os.environ, "DATABASE_URL": server.url}
        fill(Settings(database_url=server.url))
        with Child("data-api", command, directory / "log", environment) as data_api:
            data_api.wait_until(lambda: answers(port), seconds=20)
            address = {"AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{port}"}
            yield {
                "Data API, slim": {**address, "DATA_API_CLIENT": "slim"},
                "Data API, boto3": {**address, "DATA_API_CLIENT": "boto3"},
                "MySQL, PyMySQL": {"DATABASE_URL": server.url},
            }
    finally:
        server.stop()


def fill(settings: Settings) -> None:
    migrations.apply(connect(settings), connect(settings), migrations.read(), lambda _: None)
    seed.load(connect(settings), CUSTOMERS)
    connect(settings).execute(KNOWN, id=UUID(CUSTOMER_ID).bytes)
    connect(settings).execute(FRESH)


def costs(selection: Mapping[str, str], bytecode: str, *, by_valgrind: bool) -> Costs:
    path = {"PATH": os.environ.get("PATH", os.defpath), "HOME": bytecode}
    environment = {**LAMBDA, **path, "PYTHONPYCACHEPREFIX": bytecode, **selection}
    return Meter(sys.executable, FIRST, environment).costs(OURS, by_valgrind=by_valgrind)


def main() -> int:
    """Measure and print a table. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backends", description=__doc__)
    parser.add_argument("--cpu", action="store_true", help="measure CPU time, which is quicker")
    by_valgrind = not parser.parse_args().cpu
    if by_valgrind and not has_valgrind():
        parser.error("valgrind is not installed: install it, or use --cpu")
    unit, size = ("million instructions", 1e-6) if by_valgrind else ("milliseconds of CPU", 1e3)
    print(HEAD.format(unit))
    try:
        with (
            TemporaryDirectory(prefix="benchmark-") as directory,
            backends(Path(directory)) as ways,
        ):
            for name, selection in tqdm(ways.items(), desc="ways", leave=False):
                measured_costs = costs(selection, f"{directory}/bytecode", by_valgrind=by_valgrind)
                print(
                    f"| {name} |",
                    *(f"{cost * size:.2f} |" for cost in measured_costs.values()),
                    flush=True,
                )
    except (LocalError, MeasuringError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    print(f"\nPython {platform.python_version()} on {platform.machine()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
