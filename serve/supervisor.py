"""The supervisor: starts the workers, replaces those that end, and stops them on SIGTERM."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from serve import limits, metrics
from serve.closing import drop_new_connections
from serve.settings import GRACE_SECONDS, Settings

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
START_SECONDS = 5.0
"""A worker that ends sooner than this after its start has failed to start."""
MAX_FAILURES = 3
"""The server ends when this many workers in a row have failed to start."""


class Supervisor:
    """The processes that serve `listener`."""

    def __init__(
        self, settings: Settings, listener: socket.socket, environ: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._environ = environ
        self._workers: dict[subprocess.Popen[bytes], float] = {}
        self._failures = 0

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT. Returns the exit status: 1 if workers don't start."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        with tempfile.TemporaryDirectory(prefix="serve-") as directory:
            limits.create(Path(directory, limits.FILE))
            self._environ = {**self._environ, DIRECTORY: directory}
            metrics.publish(directory, self._settings.metrics_port)
            for _ in range(self._settings.processes):
                self._start()
            try:
                return self._wait()
            finally:
                self._stop()

    def _start(self) -> None:
        descriptor = self._listener.fileno()
        worker = subprocess.Popen(
            [sys.executable, "-m", "serve.worker", str(descriptor)],
            env=self._environ,
            stdin=subprocess.PIPE,  # closes when this process ends
            pass_fds=[descriptor],
        )
        self._workers[worker] = time.monotonic()

    def _wait(self) -> int:
        while signal.sigwait(SIGNALS) == signal.SIGCHLD:
            for worker in [worker for worker in self._workers if worker.poll() is not None]:
                self._replace(worker)
                if self._failures == MAX_FAILURES:
                    _print("workers don't start: see the lines above")
                    return 1
        return 0

    def _replace(self, worker: "subprocess.Popen[bytes]") -> None:
        is_failure = time.monotonic() - self._workers.pop(worker) < START_SECONDS
        self._failures = self._failures + 1 if is_failure else 0
        mark_process_dead(worker.pid, self._environ[DIRECTORY])  # type: ignore[no-untyped-call]
        _print(f"worker {worker.pid} ended ({_how(worker.returncode)}): starting another")
        self._start()

    def _stop(self) -> None:
        """Let the workers finish their requests. They accept what waits, this process can't."""
        if not is_passed(self._environ):  # systemd's stays open
            drop_new_connections(self._listener)
        self._listener.close()
        for worker in self._workers:
            worker.terminate()
        end = time.monotonic() + GRACE_SECONDS + START_SECONDS
        for worker in self._workers:
            try:
                worker.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()


def is_passed(environ: Mapping[str, str]) -> bool:
    """Return whether systemd passes the socket to this process."""
    return environ.get("LISTEN_PID") == str(os.getpid())


def listen(settings: Settings, environ: Mapping[str, str]) -> socket.socket:
    """Return the socket that systemd passes, or a new one. Raises OSError.

    Source: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
    """
    if is_passed(environ):
        return socket.socket(fileno=3)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        # Of errors of getaddrinfo, whose numbers are negative, the text is complete.
        is_numbered = error.errno is not None and error.errno > 0
        reason = os.strerror(error.errno or 0) if is_numbered else error.strerror
        raise OSError(f"can't listen on {settings.host}:{settings.port}: {reason}") from None


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit code {status}"


def _print(text: str) -> None:
    print(f"serve: {text}", file=sys.stderr, flush=True)
