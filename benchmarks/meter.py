"""Measure the cost of a fresh process: user-space instructions (valgrind), or CPU seconds.

The number of instructions hardly depends on other load on the machine. Bytecode is compiled before
the measurement, and stored in its own directory.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import stub

ROOT = Path(__file__).parent.parent
KINDS = ("get", "list", "create")
VALGRIND = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
INSTRUCTIONS = re.compile(r"I\s+refs:\s+([\d,]+)")
BEFORE = 50  # requests until a process reaches its steady state
FURTHER = {"get": 50, "list": 20, "create": 50}
FURTHER_BY_CLOCK = dict.fromkeys(KINDS, 500)  # because seconds vary more
LAMBDA = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2Vj" * 50,
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_LAMBDA_FUNCTION_NAME": "customers",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "LAMBDA_TASK_ROOT": "/var/task",
    "CURSOR_KEY": "c" * 64,
    "DATABASE_RESOURCE_ARN": "arn:aws:rds:eu-central-1:123456789012:cluster:benchmark",
    "DATABASE_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:benchmark",
    "STAGE": "dev",
    "TOKEN_ISSUER": "https://issuer.example.com",
    "TOKEN_AUDIENCE": "customers",
    "PYTHONHASHSEED": "0",
}


class Program(NamedTuple):
    """The location of a program's handler."""

    module: str
    handler: str = "handler"


class Statistics(NamedTuple):
    """Statistics of a cold start: modules, bytes of their sources, peak bytes of memory."""

    modules: int
    sources: int
    peak: int


OURS = Program("app", "app")
Costs = dict[str, float]
"""The costs of a cold start, and of one further request of each kind."""


class MeasuringError(Exception):
    """A program failed; the message is its output."""


class Meter:
    """Runs programs in fresh processes that import `first` before anything else."""

    def __init__(self, python: str, first: str, environment: Mapping[str, str]) -> None:
        self._command = [python, "-m", "benchmarks.measured", first]
        self._environment = environment

    def costs(self, program: Program, *, by_valgrind: bool = True) -> Costs:
        """Return the costs of a program, in instructions or in seconds."""
        for kind in KINDS:
            self._run([], program, kind, 1)  # compiles the bytecode
        further = FURTHER if by_valgrind else FURTHER_BY_CLOCK
        count = self._instructions if by_valgrind else self._seconds
        with ThreadPoolExecutor(os.cpu_count() if by_valgrind else 1) as pool:
            counts = pool.map(lambda run: count(program, *run), runs(further))
            measured_costs = dict(zip(runs(further), counts, strict=True))
        warm = {
            kind: (measured_costs[kind, BEFORE + n] - measured_costs[kind, BEFORE]) / n
            for kind, n in further.items()
        }
        return {"cold": measured_costs["get", 1] - measured_costs["get", 0], **warm}

    def statistics(self, program: Program) -> Statistics:
        """Return the statistics of a process after its first request."""
        modules, sources, peak, _ = self._run([], program, "get", 1, "tell").split()[-4:]
        return Statistics(int(modules), int(sources), int(peak) * 1024)

    def _instructions(self, program: Program, kind: str, requests: int) -> float:
        match = INSTRUCTIONS.search(self._run(VALGRIND, program, kind, requests))
        if not match:
            raise MeasuringError("valgrind counted no instructions")
        return float(match[1].replace(",", ""))

    def _seconds(self, program: Program, kind: str, requests: int) -> float:
        return float(self._run([], program, kind, requests, "tell").split()[-1])

    def _run(
        self, by: list[str], program: Program, kind: str, requests: int, *arguments: str
    ) -> str:
        completed = subprocess.run(  # noqa: S603 (this program)
            [*by, *self._command, *program, kind, str(requests), *arguments],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if completed.returncode:
            raise MeasuringError(f"{program.module}, {kind}: {completed.stderr.strip()[-2000:]}")
        return completed.stderr


def runs(further: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the processes to compare: the kind and number of requests of each."""
    warm = [(kind, BEFORE + n) for kind in KINDS for n in (0, further[kind])]
    return [("get", 0), ("get", 1), *warm]


@contextmanager
def meter(python: str, first: str) -> Iterator[Meter]:
    """Yield a meter whose programs have a function's environment variables, and the stub."""
    with stub.running() as address, TemporaryDirectory(prefix="customers-bytecode-") as bytecode:
        environment = {"AWS_ENDPOINT_URL_RDS_DATA": address, "PYTHONPYCACHEPREFIX": bytecode}
        path = {"PATH": os.environ.get("PATH", os.defpath), "HOME": bytecode}
        yield Meter(python, first, {**LAMBDA, **path, **environment})


def has_valgrind() -> bool:
    return shutil.which("valgrind") is not None
