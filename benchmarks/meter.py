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
STATISTICS = re.compile(r"\d+ \d+ \d+ [\d.e-]+")  # a line of `measured.print_statistics`
FIRST = "logging"  # AWS's runtime client imports it, too
FURTHER = 20  # enough requests that one resized dict hardly changes the mean
FURTHER_BY_CLOCK = 500  # because seconds vary more
LARGE = {"batch": 5, "patch batch": 5}
"""Requests for 100 customers, of which a fifth is enough."""
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
        self._command, self._first = list(python), first
        self._folder = folder
        self._environment = {**LAMBDA, "PATH": os.environ.get("PATH", os.defpath), **variables}

    def costs(
        self, program: Program, kinds: Sequence[str] = KINDS, *, by_valgrind: bool = True
    ) -> Costs:
        """Return the costs of a program, in instructions or in seconds.

        The cold start includes one request of the first kind.
        """
        self._further([], program, dict.fromkeys(kinds, 1))  # compiles the bytecode
        count = self._instructions if by_valgrind else self._seconds
        with ThreadPoolExecutor(os.cpu_count() if by_valgrind else 1) as pool:
            further = pool.submit(self.further, program, kinds, by_valgrind=by_valgrind)
            base, first = pool.map(lambda requests: count(program, kinds[0], requests), (0, 1))
        return {"cold": first - base, **further.result()}

    def further(self, program: Program, kinds: Sequence[str], *, by_valgrind: bool = True) -> Costs:
        """Return the cost of a further request of each kind, in instructions or in seconds."""
        further = FURTHER if by_valgrind else FURTHER_BY_CLOCK
        numbers = {kind: further // LARGE.get(kind, 1) for kind in kinds}
        printed = self._further(VALGRIND if by_valgrind else [], program, numbers)
        count = _read_instructions if by_valgrind else _read_seconds
        counts = count(printed)[: 2 * len(kinds)]  # the last one is that of the parent
        return {
            kind: (twice - once) / numbers[kind]
            for kind, once, twice in zip(kinds, counts[::2], counts[1::2], strict=True)
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

    def counts(self, module: str, *arguments: str) -> list[float]:
        """Return the instructions of each process of a module's program, the parent's last."""
        command = [*self._command, "-m", module, *arguments]
        self._python(command)  # compiles the bytecode
        return _read_instructions(self._python([*VALGRIND, *command]))

    def statistics(self, program: Program) -> Statistics:
        """Return the statistics of a process after its first request."""
        modules, code, peak, _ = self._run([], program, "get", 1, "statistics").split()[-4:]
        return Statistics(int(modules), int(code), int(peak) * 1024)

    def _instructions(self, program: Program, kind: str, requests: int) -> float:
        return _read_instructions(self._run(VALGRIND, program, kind, requests))[0]

    def _seconds(self, program: Program, kind: str, requests: int) -> float:
        return _read_seconds(self._run([], program, kind, requests, "statistics"))[-1]

    def _run(self, by: list[str], program: Program, kind: str, requests: int, *more: str) -> str:
        arguments = [self._first, *program, kind, str(requests), *more]
        return self._python([*by, *self._command, "-m", "benchmarks.measured", *arguments])

    def _further(self, by: list[str], program: Program, numbers: Mapping[str, int]) -> str:
        arguments = [self._first, *program, *(f"{kind}={n}" for kind, n in numbers.items())]
        return self._python([*by, *self._command, "-m", "benchmarks.further", *arguments])

    def _python(self, command: Sequence[str]) -> str:
        """Return what the process prints. Raises MeasuringError."""
        completed = subprocess.run(  # noqa: S603 (this program)
            command,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if completed.returncode:
            raise MeasuringError(f"{' '.join(command)}: {completed.stderr.strip()[-2000:]}")
        return completed.stderr


def _read_instructions(printed: str) -> list[float]:
    """Return the instructions of each process, in the order of their ends."""
    counts = INSTRUCTIONS.findall(printed)
    if not counts:
        raise MeasuringError("valgrind counted no instructions")
    return [float(count.replace(",", "")) for count in counts]


def _read_seconds(printed: str) -> list[float]:
    """Return the CPU seconds of each process, in the order of their ends."""
    return [float(line.split()[-1]) for line in printed.splitlines() if STATISTICS.fullmatch(line)]


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
