"""The directory that keeps the local stack's data, logs and lock from one run to the next.

It is `.local` in the project, which is a link to a directory elsewhere: `chalice local` restarts
whenever any file below the project's directory changes, and a database's files change with
every request.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from local import reaper
from local.processes import PROJECT, LocalError

DIRECTORY = PROJECT / ".local"


@contextmanager
def locked(state: Path) -> Iterator[int]:
    """Hold the lock of a state directory; yield its descriptor, for programs to share the lock.

    Waits for what a killed run left behind to end. Raises LocalError if a run is alive.
    """
    make(state)
    with (state / "lock").open("a+") as lock:
        deadline = time.monotonic() + reaper.PATIENCE + 5
        while not _try(lock):
            holder = _holder(lock)
            if _is_alive(holder) or time.monotonic() > deadline:
                raise LocalError(
                    f"{state} is in use by another `make run`, process {holder}: stop it first"
                )
            time.sleep(0.05)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock.fileno()


def make(state: Path) -> None:
    """Make a state directory, unless it is there; several processes may do so at once."""
    if state.absolute() == DIRECTORY and not os.path.lexists(state):
        with suppress(FileExistsError):
            state.symlink_to(_outside())
    state.resolve().mkdir(parents=True, exist_ok=True)


def _outside() -> Path:
    # https://specifications.freedesktop.org/basedir-spec/latest/
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    checkout = hashlib.sha256(os.fsencode(PROJECT)).hexdigest()[:8]
    return home / "customers-api" / f"{PROJECT.name}-{checkout}"


def _try(lock: IO[str]) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _holder(lock: IO[str]) -> int | None:
    lock.seek(0)
    text = lock.read()
    return int(text) if text else None


def _is_alive(process: int | None) -> bool:
    if process is None:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
