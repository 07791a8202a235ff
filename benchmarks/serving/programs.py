"""The programs that are compared, as running servers."""

import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks import servers
from local import seed
from local.issuer import Issuer
from local.processes import PROJECT, Child, answers, free_port

CUSTOMERS = 10_000
READY_SECONDS = 300
CORES = os.cpu_count() or 1
BASE = "FastAPI, SQLAlchemy"
ASYNCMY = "FastAPI, asyncmy, no ORM"
SERVE, LOCAL = "ours: serve", "ours: make run"
OURS = (SERVE, f"{SERVE}, 2 processes", LOCAL)

UVICORN = ["uvicorn", "--port", "{port}"]
# On a busy machine, uvicorn would kill workers that don't respond to it within 5 seconds.
WORKERS = ["--workers", "2", "--timeout-worker-healthcheck", "60"]
GUNICORN = ["gunicorn", "--bind", "127.0.0.1:{port}", "--workers", str(2 * CORES + 1)]
ALTERNATIVES = {
    BASE: [*UVICORN, "benchmarks.alternatives.fastapi_sync:app"],
    f"{BASE}, 2 workers": [*UVICORN, *WORKERS, "benchmarks.alternatives.fastapi_sync:app"],
    f"{BASE} async": [*UVICORN, "benchmarks.alternatives.fastapi_async:app"],
    ASYNCMY: [*UVICORN, "benchmarks.alternatives.fastapi_asyncmy:app"],
    "Flask, gunicorn": [*GUNICORN, "benchmarks.alternatives.flask_sync:app"],
    "Django REST framework": [*GUNICORN, "benchmarks.alternatives.django_rest:app"],
    "uvicorn, PyMySQL": [*UVICORN, "benchmarks.alternatives.bare:app"],
}
"""Modules that Python runs. gunicorn's documentation recommends its number of workers."""


class Running(NamedTuple):
    """A running server, and the process whose children serve, too."""

    port: int
    process: psutil.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of all its processes."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in processes)


class Comparison(NamedTuple):
    """All programs on the same database, and a token for them."""

    programs: Mapping[str, Running]
    database: psutil.Process
    token: str


@contextmanager
def running(directory: Path, python: str) -> Iterator[Comparison]:
    """Run all programs on one database with customers. `python` has the alternatives' packages."""
    with servers.database(directory) as database, ExitStack() as stack:
        seed.load(servers.migrate(database.url), CUSTOMERS)
        console = free_port()
        issuer = f"http://127.0.0.1:{console}"
        environment = {
            **os.environ,
            "DATABASE_URL": database.url,
            "TOKEN_ISSUER": issuer,
            "TOKEN_AUDIENCE": "customers",
            "TOKEN_JWKS_URL": f"{issuer}/.well-known/jwks.json",
            "CURSOR_KEY": secrets.token_hex(32),
            "LOCAL_STATE": str(directory / "local"),
            "CONSOLE_PORT": str(console),
            "DATA_API_PORT": str(free_port()),
            "XRAY_PORT": str(free_port()),
            "PYTHONDONTWRITEBYTECODE": "",  # else each program compiles its packages at each start
            "PYTHONPYCACHEPREFIX": str(directory / "bytecode"),
        }
        programs = {LOCAL: _start(stack, [sys.executable, "-m", "local", "run"], environment)}
        for name, command in ALTERNATIVES.items():
            programs[name] = _start(stack, [python, "-m", *command], environment)
        for name, count in zip(OURS, "12", strict=False):
            own = {**environment, "PROCESSES": count, "METRICS_PORT": str(free_port())}
            programs[name] = _start(stack, [sys.executable, "-m", "serve"], own)
        yield Comparison(
            {name: programs[name] for name in (*ALTERNATIVES, *OURS)},
            psutil.Process(database.process.pid),
            Issuer(directory / "local", issuer).token(),
        )


def _start(stack: ExitStack, command: list[str], environment: Mapping[str, str]) -> Running:
    port = free_port()
    command = [part.format(port=port) for part in command]
    log = Path(environment["LOCAL_STATE"]).parent / "logs" / f"{port}"
    child = Child(command[-1], command, log, {**environment, "PORT": str(port)})
    stack.enter_context(child)
    child.wait_until(lambda: answers(port), READY_SECONDS)
    return Running(port, psutil.Process(child.pid))


def wrk() -> str:
    """Return the path of the load generator. Ends the program if it is missing."""
    if path := shutil.which("wrk"):
        return path
    sys.exit("benchmark: wrk is not installed: install the package wrk (Debian, Homebrew)")


SCRIPT = PROJECT / "benchmarks" / "serving" / "load.lua"
