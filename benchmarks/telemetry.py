"""Measure the cost of logs, metrics and traces in the function: `python -m benchmarks.telemetry`.

Each measurement is a fresh process that imports the app and sends API Gateway events to it, with
its own Data API server and MariaDB. One event measures the cold start; the mean of many more
measures a warm request. Three ways take turns: telemetry replaced by modules that do nothing; real
telemetry without sampling; and real telemetry with sampled requests, whose segments go to a port
without a reader. Log lines go to /dev/null. Functions import what only the measuring process needs,
so that the measured process does not load it.

The unit is instructions, which valgrind counts and which hardly vary. Without valgrind, or with
`--cpu`, the unit is CPU seconds, and each ratio is the median of the rounds' ratios.
"""

import argparse
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from statistics import median
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import uuid4

WAYS = ("without", "unsampled", "sampled")
KINDS = ("health", "get", "list", "create")
VALGRIND = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
INSTRUCTIONS = re.compile(r"I\s+refs:\s+([\d,]+)")
WARM = {"instructions": 30, "seconds": 500}
"""Number of further requests in a process, by unit."""
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="


def disable() -> None:
    """Replace telemetry and tracing by modules that do nothing.

    Call this before they are imported.
    """
    seen = SimpleNamespace(response=None, fail=nothing)
    span = SimpleNamespace(note=nothing)
    observed, statement = nullcontext(seen), nullcontext(span)
    replace("telemetry", configure=nothing, Observed=lambda *_: observed, pseudonym=nothing)
    replace("tracing", statement=lambda _: statement, attempted=nothing)


def nothing(*_: object, **__: object) -> None:
    pass


def replace(name: str, **members: object) -> None:
    module = ModuleType(f"chalicelib.{name}")
    vars(module).update(members)
    sys.modules[module.__name__] = module


def events(kind: str, way: str, customer_id: str) -> Iterator[dict[str, Any]]:
    """Yield events with the same request; each create is for another customer."""
    method = "POST" if kind == "create" else "GET"
    route = {"health": "/health", "get": "/customers/{customer_id}"}.get(kind, "/customers")
    scopes = "customers:read customers:write"
    context = {
        "httpMethod": method,
        "resourcePath": route,
        "path": route.replace("{customer_id}", customer_id),
        "authorizer": {"principalId": "benchmark", "scopes": scopes, "expires": "4102444800"},
    }
    trace = TRACE + str(int(way == "sampled"))
    run = uuid4()
    for number in count():
        customer = {"email": f"{run}.{number}@example.com", "given_name": "Ada"}
        yield {
            "requestContext": {**context, "requestId": "9c7e436c-c191-4f6c-9b4c-8602417c11a5"},
            "headers": {"Content-Type": "application/json", "X-Amzn-Trace-Id": trace},
            "multiValueQueryStringParameters": None,
            "pathParameters": {"customer_id": customer_id},
            "stageVariables": None,
            "body": json.dumps(customer) if kind == "create" else None,
        }


def run(kind: str, way: str, customer_id: str, requests: int) -> None:
    """Run as the measured process."""
    if way == "without":
        disable()
    from app import app

    stream = events(kind, way, customer_id)
    for _ in range(requests):
        answer = app(next(stream), None)
        if answer["statusCode"] not in {200, 201}:
            sys.exit(answer["body"])


class Meter:
    """Measures the cost of a process, in `unit`."""

    def __init__(self, unit: str, data_api: int, daemon: str, customer_id: str) -> None:
        self.unit = unit
        self._customer_id = customer_id
        self._environment = {
            **os.environ,
            "PYTHONHASHSEED": "0",
            "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{data_api}",
            "AWS_XRAY_DAEMON_ADDRESS": daemon,
        }
        self._environment.pop("DATABASE_URL", None)

    def costs(self, kind: str, way: str) -> tuple[float, float]:
        """Return the cost of a cold start, and of each further request."""
        further = WARM[self.unit]
        cold, all_of_them = (self._cost(kind, way, requests) for requests in (1, 1 + further))
        return cold, (all_of_them - cold) / further

    def _cost(self, kind: str, way: str, requests: int) -> float:
        own = ["--run", kind, way, self._customer_id, str(requests)]
        command = [sys.executable, "-m", "benchmarks.telemetry", *own]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        completed = subprocess.run(  # noqa: S603 (this program)
            [*VALGRIND, *command] if self.unit == "instructions" else command,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if completed.returncode:
            sys.exit(completed.stderr)
        if match := INSTRUCTIONS.search(completed.stderr):
            return float(match[1].replace(",", ""))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def meter(unit: str) -> Iterator[Meter]:
    """Run the function's dependencies, with a customer to read."""
    import migrations
    from benchmarks.data_api import servers
    from chalicelib.customers import creates, schemas
    from chalicelib.database import connect
    from chalicelib.settings import Settings

    with servers() as (_, port), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        settings = Settings(endpoint_url=f"http://127.0.0.1:{port}")
        database = connect(settings)
        migrations.apply(database, connect(settings), migrations.read(), nothing)
        fields = schemas.load_customer({"email": "ada@example.com", "given_name": "Ada"})
        (created,) = creates.create(database, fields).items
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        yield Meter(unit, port, address, created["id"])


def measure(unit: str, rounds: int) -> None:
    """Print the ratios for each kind of request."""
    from tqdm import tqdm

    print(f"| {unit}, to those without telemetry | cold | warm |\n|---|---|---|")
    with meter(unit) as process_meter:
        for kind in KINDS:
            costs = [
                {way: process_meter.costs(kind, way) for way in WAYS}
                for _ in tqdm(range(rounds), desc=kind, leave=False)
            ]
            for way in WAYS[1:]:
                cold, warm = (
                    median(cost[way][n] / cost["without"][n] for cost in costs) for n in (0, 1)
                )
                print(f"| {kind}, {way} | {cold:.3f} | {warm:.3f} |", flush=True)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, help="number of rounds; default: 1 with valgrind, 15 with CPU seconds"
    )
    parser.add_argument(
        "--cpu", action="store_true", help="measure CPU seconds even if valgrind is available"
    )
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        kind, way, customer_id, requests = arguments.run
        run(kind, way, customer_id, int(requests))
        return
    has_valgrind = shutil.which("valgrind") and not arguments.cpu
    unit, rounds = ("instructions", 1) if has_valgrind else ("seconds", 15)
    measure(unit, arguments.rounds or rounds)


if __name__ == "__main__":
    main()
