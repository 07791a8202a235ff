"""What the three ways to the database cost a function: `python -m benchmarks.backends`.

It fills a private MariaDB, runs the Data API server before it, and has the app answer the requests
of `make bench` in fresh processes: over the slim client, over boto3, and over PyMySQL without the
Data API. Counted are the instructions of the function's process, by valgrind, or its CPU seconds
with `--cpu`. A trigger gives each new customer an email address of its own, as processes create the
same ones.
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
from benchmarks.meter import LAMBDA, OURS, ROOT, Costs, MeasuringError, Meter, has_valgrind
from chalicelib.database import connect
from chalicelib.settings import Settings
from local import seed
from local.database_server import DatabaseServer
from local.processes import Child, LocalError, answers, free_port

CUSTOMERS = 100
FIRST = "logging"  # which AWS's runtime client imports, too
FRESH = (
    "CREATE TRIGGER fresh BEFORE INSERT ON customers FOR EACH ROW"
    " SET NEW.email = CONCAT(UUID_SHORT(), '@example.com'), NEW.email_key = NEW.email"
)
KNOWN = "UPDATE customers SET id = :id ORDER BY id LIMIT 1"
HEAD = "| {} | cold start | warm get | warm list of 50 | warm create |\n|---|--:|--:|--:|--:|"


@contextmanager
def backends(directory: Path) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """Give what the environment says for each way."""
    server = DatabaseServer(directory / "database", free_port())
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


def costs(more: Mapping[str, str], bytecode: str, *, by_valgrind: bool) -> Costs:
    path = {"PATH": os.environ.get("PATH", os.defpath), "HOME": bytecode}
    environment = {**LAMBDA, **path, "PYTHONPYCACHEPREFIX": bytecode, **more}
    return Meter([sys.executable], FIRST, ROOT, environment).costs(OURS, by_valgrind=by_valgrind)


def main() -> int:
    """Measure, and print a table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backends", description=__doc__)
    parser.add_argument("--cpu", action="store_true", help="count CPU time, which is quicker")
    by_valgrind = not parser.parse_args().cpu
    if by_valgrind and not has_valgrind():
        parser.error("valgrind is missing: install it, or take --cpu")
    unit, size = ("million instructions", 1e-6) if by_valgrind else ("milliseconds of CPU", 1e3)
    print(HEAD.format(unit))
    try:
        with TemporaryDirectory(prefix="benchmark-") as place, backends(Path(place)) as ways:
            for name, more in tqdm(ways.items(), desc="ways", leave=False):
                found = costs(more, f"{place}/bytecode", by_valgrind=by_valgrind)
                print(
                    f"| {name} |", *(f"{each * size:.2f} |" for each in found.values()), flush=True
                )
    except (LocalError, MeasuringError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    print(f"\nPython {platform.python_version()} on {platform.machine()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
