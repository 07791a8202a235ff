"""The directory that keeps the local stack's data, logs and lock from one run to the next.

The directory is in the user's state folder, and belongs to one checkout, by its path. `.local` in
the checkout links to it. It is outside the checkout because `chalice local` restarts whenever any
file below the checkout changes, and a database's files change with every request.

A checkout that was copied along with its link gets its own directory. One that was moved
takes its directory along.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from local import reaper
from local.processes import PROJECT, LocalError, make_private

DIRECTORY = PROJECT / ".local"
CHECKOUT = "checkout"
"""The file in a checkout's state directory that holds the path of the checkout."""


def from_environ(environ: Mapping[str, str]) -> Path:
    """Return the state directory that LOCAL_STATE names; default: `.local`."""
    return Path(environ.get("LOCAL_STATE") or os.path.relpath(DIRECTORY))


@contextmanager
def locked(state: Path) -> Iterator[int]:
    """Hold the lock of a state directory; yield its descriptor, for programs to share the lock.

    Waits for what a killed run left behind to end. Raises LocalError if a run is alive.
    """
    make(state)
    with _locked(state) as descriptor:
        yield descriptor


@contextmanager
def unused(state: Path) -> Iterator[None]:
    """Hold the lock of a state directory if it exists, and make nothing if it doesn't.

    Raises LocalError if a run is alive.
    """
    if not (state / "lock").exists():
        yield
        return
    with _locked(state):
        yield


def make(state: Path) -> None:
    """Make a state directory, unless it is there; several processes may do so at once.

    Raises LocalError if a run is alive in the directory of a checkout that was moved.
    """
    directory = find(state)
    if not is_default(state) or is_made_by_user():
        make_private(directory)
        return
    if directory != _own() and directory.parent == home():
        with unused(directory), suppress(FileNotFoundError):  # another process was first
            directory.rename(_own())
        directory = _own()
    for ours in (home(), directory):
        make_private(ours)
        ours.chmod(0o700)  # if a version that left it readable to others made it
    (directory / CHECKOUT).write_bytes(os.fsencode(PROJECT))
    _link(directory)


def find(state: Path) -> Path:
    """Return the directory that a state directory is, or will be; change nothing.

    A link that does not lead to the checkout's own directory counts in two cases: the user made
    it, or the checkout that owned the directory was moved here.
    """
    there = state.resolve()
    if not is_default(state) or is_made_by_user():
        return there
    if not DIRECTORY.is_symlink() or not os.access(there, os.R_OK | os.X_OK):
        return _own()
    owner = _owner(there)
    if owner == PROJECT or (owner is None and there.parent != home()):
        return there
    was_moved = owner and (owner / DIRECTORY.name).resolve() != there and not _own().exists()
    return there if was_moved else _own()


def is_default(state: Path) -> bool:
    """Return whether a state directory is `.local`, which is this module's to link."""
    return os.path.abspath(state) == str(DIRECTORY)  # noqa: PTH100 (`absolute` keeps `..`)


def is_made_by_user() -> bool:
    """Return whether `.local` is a directory, not a link."""
    return DIRECTORY.is_dir() and not DIRECTORY.is_symlink()


def home() -> Path:
    """Return the directory that holds the state directories of the user's checkouts."""
    # https://specifications.freedesktop.org/basedir-spec/latest/
    base = Path(os.environ.get("XDG_STATE_HOME", ""))  # a relative one is invalid
    base = base if base.is_absolute() else Path.home() / ".local" / "state"
    return base.resolve() / "customers-api"


def _own() -> Path:
    checkout = hashlib.sha256(os.fsencode(PROJECT)).hexdigest()[:8]
    return home() / f"{PROJECT.name[:50]}-{checkout}"  # a name has at most 255 bytes


def _owner(directory: Path) -> Path | None:
    with suppress(FileNotFoundError):
        return Path(os.fsdecode((directory / CHECKOUT).read_bytes()))
    return None


def _link(directory: Path) -> None:
    if DIRECTORY.resolve() != directory:
        DIRECTORY.unlink(missing_ok=True)
        with suppress(FileExistsError):
            DIRECTORY.symlink_to(directory)


@contextmanager
def _locked(state: Path) -> Iterator[int]:
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
