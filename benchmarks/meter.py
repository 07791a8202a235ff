"""What a fresh process costs: user-space instructions by valgrind, or CPU seconds without it.

Instructions hardly depend on what else the machine does. Bytecode is compiled before anything is
counted, and kept in a directory of its own.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from zipfile import ZipFile

from benchmarks import stub

ROOT = Path(__file__).parent.parent
KINDS = ("get", "list", "create")
VALGRIND = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
INSTRUCTIONS = re.compile(r"I\s+refs:\s+([\d,]+)")
BEFORE = 50  # requests, until a process does what it always does
MORE = dict.fromkeys(KINDS, 50)  # so many that a dict that is resized once hardly counts
MORE_BY_CLOCK = dict.fromkeys(KINDS, 500)  # as seconds vary
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
    """Where a program's handler is."""

    module: str
    handler: str = "handler"


class Told(NamedTuple):
    """Modules that a cold start loads, bytes of their sources, bytes of memory at most."""

    modules: int
    sources: int
    peak: int


OURS = Program("app", "app")
Costs = dict[str, float]
"""What the cold start and a further request of each kind cost."""


class MeasuringError(Exception):
    """A program did not do what it is measured for; the message is what it said."""


class Meter:
    """Runs programs in fresh processes of a Python, in which `first` is imported first."""

    def __init__(
        self, python: Iterable[str], first: str, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._command = [*python, "-m", "benchmarks.measured", first]
        self._folder = folder
        self._environment = environment

    def costs(self, program: Program, *, by_valgrind: bool = True) -> Costs:
        """Return the costs of a program, in instructions or in seconds."""
        for kind in KINDS:
            self._run([], program, kind, 1)  # which compiles
        more = MORE if by_valgrind else MORE_BY_CLOCK
        count = self._instructions if by_valgrind else self._seconds
        with ThreadPoolExecutor(os.cpu_count() if by_valgrind else 1) as pool:
            counts = pool.map(lambda run: count(program, *run), runs(more))
            found = dict(zip(runs(more), counts, strict=True))
        warm = {
            kind: (found[kind, BEFORE + n] - found[kind, BEFORE]) / n for kind, n in more.items()
        }
        return {"cold": found["get", 1] - found["get", 0], **warm}

    def cold(self, program: Program) -> float:
        """Return the instructions of a cold start."""
        return self._instructions(program, "get", 1) - self._instructions(program, "get", 0)

    def told(self, program: Program) -> Told:
        """Return what a process says of itself after its first request."""
        modules, sources, peak, _ = self._run([], program, "get", 1, "tell").split()[-4:]
        return Told(int(modules), int(sources), int(peak) * 1024)

    def _instructions(self, program: Program, kind: str, requests: int) -> float:
        match = INSTRUCTIONS.search(self._run(VALGRIND, program, kind, requests))
        if not match:
            raise MeasuringError("valgrind counted no instructions")
        return float(match[1].replace(",", ""))

    def _seconds(self, program: Program, kind: str, requests: int) -> float:
        return float(self._run([], program, kind, requests, "tell").split()[-1])

    def _run(self, by: list[str], program: Program, kind: str, requests: int, *more: str) -> str:
        done = subprocess.run(  # noqa: S603 (this program)
            [*by, *self._command, *program, kind, str(requests), *more],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise MeasuringError(f"{program.module}, {kind}: {done.stderr.strip()[-2000:]}")
        return done.stderr


def runs(more: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return which processes to compare: of which kind, and how many, their requests are."""
    warm = [(kind, BEFORE + n) for kind in KINDS for n in (0, more[kind])]
    return [("get", 0), ("get", 1), *warm]


@contextmanager
def meter(python: str, first: str) -> Iterator[Meter]:
    """Give a meter whose programs have the environment of a function, and the stub."""
    with stub.running() as address, TemporaryDirectory(prefix="customers-bytecode-") as bytecode:
        more = {"AWS_ENDPOINT_URL_RDS_DATA": address, "PYTHONPYCACHEPREFIX": bytecode}
        path = {"PATH": os.environ.get("PATH", os.defpath), "HOME": bytecode}
        yield Meter([python], first, ROOT, {**LAMBDA, **path, **more})


@contextmanager
def package_meter(python: Path, first: str, package: Path) -> Iterator[Meter]:
    """Yield a meter whose programs can import an unpacked package and Python's own library only.

    As in a function, Python can't write bytecode, and uses that of the package.
    """
    with stub.running() as address:
        more = {"AWS_ENDPOINT_URL_RDS_DATA": address, "PYTHONPATH": str(package / "python")}
        more["PYTHONDONTWRITEBYTECODE"] = "1"
        path = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(package)}
        yield Meter([str(python), "-S"], first, package, {**LAMBDA, **path, **more})


def unpack(made: Path, target: Path, python: Path) -> None:
    """Unpack what `packaging.build` made into a folder, with the programs that measure it.

    Those are compiled before: a process that compiles them itself does some work that the cold
    start would do otherwise, and the cold start seems a tenth cheaper than it is.
    """
    for name in ("deployment.zip", "tracing.zip"):
        with ZipFile(made / name) as archive:
            archive.extractall(target)
    folder = target / "benchmarks"
    shutil.copytree(ROOT / "benchmarks", folder, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([str(python), "-m", "compileall", "-q", str(folder)], check=True)  # noqa: S603


def has_valgrind() -> bool:
    return shutil.which("valgrind") is not None
