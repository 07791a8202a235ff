"""Remove environments, caches and outputs of the Makefile's commands: `python3 -m local.clean`.

It runs without `.venv`, so it uses the standard library only.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (an older Python ends here)
    sys.exit("error: Python 3.11 or newer is required: make clean PYTHON=python3.13")

import argparse
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from local import state
from local.engines import ENGINES, mysql
from local.processes import PROJECT, LocalError

MADE = [
    ".coverage",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".schemathesis",
    ".venv",
    "artifacts",
    "out",
    "tests/contract/node/node_modules",
    "tests/local/node/node_modules",
]
DATA = [
    *[f"{name}{suffix}" for name in ENGINES for suffix in ("", ".unfinished")],
    *["logs", "issuer.json", state.CHECKOUT, "lock"],
]
"""The entries that a stack creates in its state directory; the lock is removed last."""


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.clean",
        description="Remove the environments, caches and outputs of this checkout.",
        epilog="Environment: LOCAL_STATE (.local, where the data is).",
    )
    parser.add_argument(
        "--data",
        action="store_true",
        help="remove the local stack's data, too, and the copy of MySQL",
    )
    arguments = parser.parse_args()
    try:
        removed = clean(state.from_environ(os.environ), data=arguments.data)
    except LocalError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"cannot remove {error.filename} ({error.strerror})")
    print(f"Removed {', '.join(map(str, removed))}." if removed else "There is nothing to remove.")
    return 0


def clean(directory: Path, *, data: bool) -> list[Path]:
    """Remove environments and caches; with `data` also the state directory and the copy of MySQL.

    Return the removed paths. Links are removed, never followed. Raises LocalError if a run is
    alive.
    """
    found = state.find(directory)
    with state.unused(found):
        removed = [path.relative_to(PROJECT) for path in _made() if _remove(path)]
        for path in PROJECT.rglob("__pycache__"):
            _remove(path)
        if data:
            removed += [path for path in _data(directory, found) if _remove(path)]
    return removed


def _made() -> Iterator[Path]:
    yield from (PROJECT / name for name in MADE)
    yield from PROJECT.glob(".coverage.*")


def _data(directory: Path, found: Path) -> Iterator[Path]:
    if found.parent == state.home():
        yield found
    elif (found / "lock").exists():  # in a directory of the user's own, which stays
        yield from (found / name for name in DATA)
    if state.is_default(directory) and directory.is_symlink():
        yield directory
    yield mysql.home()


def _remove(path: Path) -> bool:
    """Remove a file, link or directory; return whether it was there."""
    if not os.path.lexists(path):
        return False
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    return True


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
