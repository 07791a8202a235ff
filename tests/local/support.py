"""Shared by the tests of the local stack: process lists, and small disks."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from local.processes import PROJECT

T = TypeVar("T")
ODD = 'my projects/größe o\'api "x" $y;&#%'
"""A path with characters that are special to shells, make and other programs."""


def eventually(condition: Callable[[], T], seconds: float = 60) -> T:
    """Wait until `condition` returns a true value, and return it. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "the condition stayed false"
        time.sleep(0.02)
    return result


def is_alive(pid: int) -> bool:
    """Return whether a process runs. Zombies don't count."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def command_line(pid: int) -> str:
    return " ".join(psutil.Process(pid).cmdline())


def processes() -> list[tuple[int, int, str]]:
    """Return process id, parent's id and command line of all processes."""
    return [
        (process.pid, process.info["ppid"], " ".join(process.info["cmdline"] or ()))
        for process in psutil.process_iter(["ppid", "cmdline"])
    ]


@contextmanager
def disk(mount: Path, options: str) -> Iterator[Path]:
    """Mount a small disk, in memory. Skips the test if this is not permitted."""
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(mount)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes Linux and root")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def checkout(directory: Path) -> Path:
    """Create a checkout with the modules that create and clean its state; return its path."""
    (directory / "local").mkdir(parents=True)
    for module in (PROJECT / "local").glob("*.py"):
        shutil.copy(module, directory / "local")
    shutil.copytree(PROJECT / "local" / "engines", directory / "local" / "engines")
    return directory
