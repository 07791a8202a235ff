"""Measure the cost of a fresh process: user-space instructions (valgrind), or CPU seconds.

The number of instructions hardly depends on other load on the machine. Bytecode is compiled before
the measurement.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from zipfile import ZipFile

from benchmarks import stub
from benchmarks.events import TOKEN

ROOT = Path(__file__).parent.parent
KINDS = ("get", "list", "create")
VALGRIND = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
INSTRUCTIONS = re.compile(r"I\s+refs:\s+([\d,]+)")
FIRST = "logging"  # AWS's runtime client imports it, too
BEFORE = 50  # requests until a process reaches its steady state
FURTHER = 50  # enough requests that one resized dict hardly changes the mean
FURTHER_BY_CLOCK = 500  # because seconds vary more
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
    """Modules that a cold start loads, bytes of their files, and peak bytes of memory."""

    modules: int
    code: int
    peak: int


OURS = Program("app", "app")
AUTHORIZER, PURGE = Program("app", "authorize"), Program("app", "purge_customers")
RELAY = Program("app", "relay_events")
Costs = dict[str, float]
"""The costs of a cold start, and of a further request of each kind."""


class MeasuringError(Exception):
    """A program failed. The message is its output."""


class Meter:
    """Runs programs in fresh processes, with the environment variables of a function.

    Each process runs the command `python` in `folder`, and imports the module `first` before
    anything else. `variables` are additional environment variables, such as `HOME`.
    """

    def __init__(
        self,
        python: Iterable[str],
        variables: Mapping[str, str],
        folder: Path = ROOT,
        first: str = FIRST,
    ) -> None:
        self._command = [*python, "-m", "benchmarks.measured", first]
        self._folder = folder
        self._environment = {**LAMBDA, "PATH": os.environ.get("PATH", os.defpath), **variables}

    def costs(
        self, program: Program, kinds: Sequence[str] = KINDS, *, by_valgrind: bool = True
    ) -> Costs:
        """Return the costs of a program, in instructions or in seconds.

        The cold start includes one request of the first kind.
        """
        for kind in kinds:
            self._run([], program, kind, 1)  # compiles the bytecode
        further = FURTHER if by_valgrind else FURTHER_BY_CLOCK
        warm = [(kind, BEFORE + n) for kind in kinds for n in (0, further)]
        runs = [(kinds[0], 0), (kinds[0], 1), *warm]
        count = self._instructions if by_valgrind else self._seconds
        with ThreadPoolExecutor(os.cpu_count() if by_valgrind else 1) as pool:
            counts = dict(zip(runs, pool.map(lambda run: count(program, *run), runs), strict=True))
        return {
            "cold": counts[kinds[0], 1] - counts[kinds[0], 0],
            **{
                kind: (counts[kind, BEFORE + further] - counts[kind, BEFORE]) / further
                for kind in kinds
            },
        }

    def cold(self, program: Program) -> float:
        """Return the instructions of a cold start with a get."""
        return self.colds(program, ["get"])["get"]

    def colds(self, program: Program, kinds: Sequence[str]) -> Costs:
        """Return the instructions of a cold start with each kind of request."""
        runs = [(kinds[0], 0), *((kind, 1) for kind in kinds)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            base, *counts = pool.map(lambda run: self._instructions(program, *run), runs)
        return {kind: count - base for kind, count in zip(kinds, counts, strict=True)}

    def statistics(self, program: Program) -> Statistics:
        """Return the statistics of a process after its first request."""
        modules, code, peak, _ = self._run([], program, "get", 1, "statistics").split()[-4:]
        return Statistics(int(modules), int(code), int(peak) * 1024)

    def _instructions(self, program: Program, kind: str, requests: int) -> float:
        match = INSTRUCTIONS.search(self._run(VALGRIND, program, kind, requests))
        if not match:
            raise MeasuringError("valgrind counted no instructions")
        return float(match[1].replace(",", ""))

    def _seconds(self, program: Program, kind: str, requests: int) -> float:
        return float(self._run([], program, kind, requests, "statistics").split()[-1])

    def _run(self, by: list[str], program: Program, kind: str, requests: int, *more: str) -> str:
        completed = subprocess.run(  # noqa: S603 (this program)
            [*by, *self._command, *program, kind, str(requests), *more],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if completed.returncode:
            raise MeasuringError(f"{program.module}, {kind}: {completed.stderr.strip()[-2000:]}")
        return completed.stderr


def runs(more: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return which processes to compare: of which kind, and how many, their requests are."""
    warm = [(kind, BEFORE + n) for kind in KINDS for n in (0, more[kind])]
    return [("get", 0), ("get", 1), *warm]


@contextmanager
def meter(python: str, first: str) -> Iterator[Meter]:
    """Yield a meter whose programs use the stub and store bytecode in a temporary directory."""
    with stub.running() as address, TemporaryDirectory(prefix="customers-bytecode-") as bytecode:
        variables = {"PYTHONPYCACHEPREFIX": bytecode, "HOME": bytecode}
        yield Meter([python], {"AWS_ENDPOINT_URL_RDS_DATA": address, **variables}, first=first)


@contextmanager
def package_meter(python: Path, package: Path, first: str = FIRST) -> Iterator[Meter]:
    """Yield a meter whose programs can import an unpacked package and Python's own library only.

    As in a function, Python can't write bytecode, and uses that of the package.
    """
    with stub.running() as address:
        variables = {
            "AWS_ENDPOINT_URL_RDS_DATA": address,
            "TOKEN_JWKS_URL": f"{address}/keys",
            TOKEN: stub.token(LAMBDA["TOKEN_ISSUER"], LAMBDA["TOKEN_AUDIENCE"]),
            "HOME": str(package),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(package / "python"),
        }
        yield Meter([str(python), "-S"], variables, package, first)


def unpack(build: Path, target: Path, python: Path) -> None:
    """Unpack the output of `packaging.build` into a folder, and add the measuring programs.

    Also compiles the measuring programs. A process that compiles them itself does some work that
    the cold start would do otherwise, and the measured cold start would be a tenth too low.
    """
    for name in ("deployment.zip", "tracing.zip", "authorizer.zip"):
        with ZipFile(build / name) as archive:
            archive.extractall(target)
    folder = target / "benchmarks"
    shutil.copytree(ROOT / "benchmarks", folder, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([str(python), "-m", "compileall", "-q", str(folder)], check=True)  # noqa: S603


def has_valgrind() -> bool:
    return shutil.which("valgrind") is not None
