"""Find the Python interpreters of this machine: `python -m infrastructure.interpreters 3.13`.

Searches the usual locations: the running interpreter, `PATH`, pyenv, uv, Homebrew and python.org's
installer. Runs each candidate to learn its version, because pyenv puts programs on `PATH` even for
versions that it then refuses to run.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from infrastructure.stages import PYTHON

SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
"""The versions that the project's own programs and tests run on."""
ADVICE = (
    "Install it (for example with `uv python install` or `pyenv install`), or put its folder on"
    " PATH."
)
SECONDS = 10
# Free-threaded builds and prereleases use other bytecode, or need other wheels.
PROBE = """
import sys, sysconfig
print(sys.implementation.name, "%d.%d" % sys.version_info[:2], sys.version_info.releaselevel,
      "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "standard")
print(sys.executable)
"""


def find(version: str) -> Path | None:
    """Return a CPython interpreter of the version, such as "3.13", or None.

    Prefers the running interpreter, then the first on `PATH`.
    """
    if version == running():
        return Path(sys.executable)
    programs = (program for program in _candidates(version) if os.access(program, os.X_OK))
    return next(filter(None, (_confirmed(program, version) for program in programs)), None)


def running() -> str:
    """Return the version of the running interpreter."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _candidates(version: str) -> Iterator[Path]:
    name = f"python{version}"
    yield from (Path(folder, name) for folder in os.get_exec_path())
    for root, pattern in _places(version):
        for folder in sorted(root.glob(pattern), key=_numbers, reverse=True):
            yield folder / name


def _places(version: str) -> Iterator[tuple[Path, str]]:
    """Yield the locations of installed interpreters: a folder, and a pattern below it."""
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    yield pyenv, f"versions/{version}.*/bin"
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")
    yield uv, f"cpython-{version}.*/bin"
    for prefix in (Path("/opt/homebrew"), Path("/usr/local"), Path("/home/linuxbrew/.linuxbrew")):
        yield prefix, "bin"
        yield prefix, f"opt/python@{version}/bin"
    yield Path("/Library/Frameworks/Python.framework/Versions"), f"{version}/bin"
    yield Path("/usr"), "bin"


def _numbers(path: Path) -> list[int]:
    """Sort 3.13.10 after 3.13.9."""
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _confirmed(program: Path, version: str) -> Path | None:
    """Return the interpreter that the program runs, if it is a standard build of the version."""
    command = [str(program), "-I", "-c", PROBE]
    try:
        done = subprocess.run(  # noqa: S603 (a Python of this machine)
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    kind, _, executable = done.stdout.strip().partition("\n")
    return Path(executable) if kind == f"cpython {version} final standard" else None


def main() -> int:
    """Print the interpreter of a version (default: the functions'); return the exit code."""
    version = sys.argv[1] if sys.argv[1:] else PYTHON
    if found := find(version):
        print(found)
        return 0
    print(f"error: this machine has no Python {version}. {ADVICE}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
