"""Compare the cost of the three database backends in a function: `python -m benchmarks.backends`.

Fills a private database, starts the Data API server, and lets the app handle the requests of `make
bench` in fresh processes: with the slim client, with boto3, and with PyMySQL without the Data API.
Valgrind counts the instructions of the function's process; `--cpu` measures CPU seconds instead.
All processes create the same customers, so a trigger makes their email addresses unique.
"""

import argparse
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from tqdm import tqdm

from benchmarks import servers
from benchmarks.events import CUSTOMER_ID
from benchmarks.meter import OURS, MeasuringError, Meter, has_valgrind
from local import seed
from local.processes import LocalError

CUSTOMERS = 100
UNIQUE = (
    "CREATE TRIGGER make_unique BEFORE INSERT ON customers FOR EACH ROW"
    " SET NEW.email = CONCAT(UUID_SHORT(), '@example.com'), NEW.email_key = NEW.email"
)
KNOWN = "UPDATE customers SET id = :id ORDER BY id LIMIT 1"
HEAD = "| {} | cold start | warm get | warm list of 50 | warm create |\n|---|--:|--:|--:|--:|"

Variables = Mapping[str, str]


@contextmanager
def running(directory: Path, customers: int) -> Iterator[tuple[Variables, Variables]]:
    """Run a database with customers, and yield the variables for the Data API and for MySQL.

    One customer has the id that the requests contain.
    """
    with servers.database(directory) as server:
        database = servers.migrate(server.url)
        seed.load(database, customers)
        database.execute(KNOWN, id=UUID(CUSTOMER_ID).bytes)
        database.execute(UNIQUE)
        bytecode = {"HOME": str(directory), "PYTHONPYCACHEPREFIX": str(directory / "bytecode")}
        with servers.data_api(directory, server.url) as api:
            url = f"http://127.0.0.1:{api.port}"
            yield (
                {**bytecode, "AWS_ENDPOINT_URL_RDS_DATA": url},
                {**bytecode, **mysql(server.url)},
            )


def mysql(url: str) -> Variables:
    """Return the variables that select MySQL, although `meter.LAMBDA` selects the Data API."""
    return {"DATABASE_URL": url, "DATABASE_RESOURCE_ARN": ""}


def main() -> int:
    """Measure and print a table. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backends", description=__doc__)
    parser.add_argument("--cpu", action="store_true", help="measure CPU time, which is quicker")
    by_valgrind = not parser.parse_args().cpu
    if by_valgrind and not has_valgrind():
        parser.error("valgrind is not installed: install it, or use --cpu")
    try:
        with TemporaryDirectory(prefix="benchmark-") as directory:
            measure(Path(directory), by_valgrind=by_valgrind)
    except (LocalError, MeasuringError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    print(f"\nPython {platform.python_version()} on {platform.machine()}.")
    return 0


def measure(directory: Path, *, by_valgrind: bool) -> None:
    """Print the table."""
    unit, factor = ("million instructions", 1e-6) if by_valgrind else ("milliseconds of CPU", 1e3)
    print(HEAD.format(unit))
    with running(directory, CUSTOMERS) as (data_api, mysql):
        backends = {
            "Data API, slim": {**data_api, "DATA_API_CLIENT": "slim"},
            "Data API, boto3": {**data_api, "DATA_API_CLIENT": "boto3"},
            "MySQL, PyMySQL": mysql,
        }
        for name, variables in tqdm(backends.items(), desc="backends", leave=False):
            costs = Meter([sys.executable], variables).costs(OURS, by_valgrind=by_valgrind)
            print(f"| {name} |", *(f"{cost * factor:.2f} |" for cost in costs.values()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
