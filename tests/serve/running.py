"""A running server: `python -m serve` on free ports, with two processes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from local.processes import PROJECT, free_port
from tests.local.support import eventually
from tests.tokens import issuer

KEY = "a key of the tests, with more than 32 characters"


@dataclass
class Serve:
    """The process of a server, its address and its standard error."""

    process: subprocess.Popen[bytes]
    port: int
    metrics_port: int
    errors: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def workers(self) -> set[int]:
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def is_healthy(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=60).status_code == 200
        except requests.RequestException:
            return False


def environment(database_url: str, **variables: str) -> dict[str, str]:
    issuer()  # sets TOKEN_ISSUER and TOKEN_AUDIENCE
    own = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    ports = {"PORT": str(free_port()), "METRICS_PORT": str(free_port())}
    settings = {"DATABASE_URL": database_url, "CURSOR_KEY": KEY, "PROCESSES": "2", "THREADS": "4"}
    return own | ports | settings | variables


def start(
    environ: Mapping[str, str],
    *arguments: str,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "serve", *arguments]
    return subprocess.Popen(command, cwd=PROJECT, env=environ, stdout=stdout, stderr=stderr)


@contextmanager
def running(directory: Path, database_url: str, **variables: str) -> Iterator[Serve]:
    """Run a server until the block ends. Its log and errors are in the directory."""
    environ, errors = environment(database_url, **variables), directory / "errors"
    with errors.open("wb") as error_file, (directory / "log").open("wb") as log:
        process = start(environ, stdout=log.fileno(), stderr=error_file.fileno())
    server = Serve(process, int(environ["PORT"]), int(environ["METRICS_PORT"]), errors)
    try:
        eventually(lambda: server.is_healthy() or process.poll() is not None)
        assert process.poll() is None, errors.read_text()
        yield server
    finally:
        process.terminate()
        process.wait(60)
