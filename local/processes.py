"""Child processes that never outlive the process that started them.

A `Child` leads its own process group, because some programs (Chalice's autoreloader) start
child processes, too. One `local.reaper` process knows the groups of all children and ends
them if this process is killed.
"""

import contextlib
import functools
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from local import reaper

PROJECT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60.0
"""Seconds after which a program that is not ready counts as stuck."""
API_LISTENS = "The API listens on"
"""The start of a line that the API logs when it has started."""

PORTS = 11_000
"""Number of ports from which `free_port` chooses."""
MAX_RESERVATIONS = 200
_reservations: deque[int] = deque()
"""The descriptors of the ports that reserve others, oldest first."""

# The child itself reports its group, before it becomes the program: so there is no moment at
# which this process can be killed and the reaper not hear of the child.
_REPORT_AND_BECOME = 'echo "+$$" >&0 && exec "$@" </dev/null'


class LocalError(Exception):
    """Something that stops the local stack; the message tells a developer what to do about it."""


class Child:
    """A program that runs from its construction to `stop()`, with its output in a new log file.

    Only the user can read the log, also if another run left it.
    It runs in the project's directory. `inherit` lists file descriptors, beside the standard
    ones, that stay open in it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        inherit: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self._stopped = False
        make_private(log.parent)
        log.touch(mode=0o600)
        log.chmod(0o600)  # if another version left it readable to others
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _REPORT_AND_BECOME, "sh", *command],
                cwd=PROJECT,
                env=environment,
                stdin=_reports(),
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=inherit,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """As `subprocess` has it: negative for a signal, None while the program runs."""
        return self._process.poll()

    @property
    def has_ended(self) -> bool:
        return self.exit_code is not None

    def finish(self) -> None:
        """Wait for the program's end; raise LocalError if it failed."""
        with self:
            if self._process.wait() != 0:
                raise LocalError(self.obituary())

    def wait_until(self, ready: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Wait until `ready()`; raise LocalError if the program ends first or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.has_ended:
                raise LocalError(self.obituary())
            if time.monotonic() > deadline:
                raise LocalError(f"{self.name} is not ready after {seconds:g} s; see {self.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the program and its children: SIGTERM, ten seconds, SIGKILL. Twice does nothing."""
        if self._stopped:
            return
        reaper.signal_group(self.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(reaper.PATIENCE)
        reaper.signal_group(self.pid, signal.SIGKILL)
        self._process.wait()
        os.write(_reports(), b"-%d\n" % self.pid)
        self._stopped = True

    def obituary(self) -> str:
        """How the program ended, where its log is, and the last lines of it."""
        lines = self.log.read_text(errors="replace").splitlines()[-10:]
        end = "".join(f"\n    {line}" for line in lines)
        return f"{self.name} ended ({_how(self._process.returncode)}); {self.log} ends:{end}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def make_private(directory: Path) -> None:
    """Make a directory that only the user can read, unless it exists."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def answers(port: int) -> bool:
    """Whether a program on this machine accepts connections on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_free(port: int, kind: int = socket.SOCK_STREAM) -> bool:
    """Whether a program could listen on a port of this machine, of TCP unless `kind` says UDP."""
    with socket.socket(type=kind) as probe:
        if kind == socket.SOCK_STREAM:
            # As servers do, so that connections that one left in TIME_WAIT do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a free port of this machine, which no other call returns while this process keeps it.

    A process keeps its last MAX_RESERVATIONS ports until it ends.

    It is below those that systems give to outgoing connections (from 32768 on), one of which
    could otherwise take it before its server does.
    """
    while True:
        port = 10_000 + secrets.randbelow(PORTS)  # whatever a test has done to random's seed
        if _reserve(port) and is_free(port):
            return port


def _reserve(port: int) -> bool:
    """Return whether this process has reserved a port, which its server can still bind.

    The reservation is another port, which only one process can bind.
    """
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", port + PORTS))
        except OSError:
            return False
        _reservations.append(other.detach())
    if len(_reservations) > MAX_RESERVATIONS:
        os.close(_reservations.popleft())
    return True


def _how(exit_code: int) -> str:
    if exit_code < 0:
        return signal.Signals(-exit_code).name
    return f"exit code {exit_code}"


@functools.cache
def _reports() -> int:
    """Start the reaper; return the descriptor to which process groups are reported."""
    read, write = os.pipe()
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", reaper.__file__],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, read, 0),
            # An inherited terminal or pipe would stay open as long as the reaper.
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
        setsigmask=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
    )
    os.close(read)
    return write
