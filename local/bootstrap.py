"""Create or repair a virtual environment with the packages that a lock file pins.

    python3 local/bootstrap.py requirements-dev.txt .venv [--exact]

Runs before anything is installed, so it uses the standard library only. It prints nothing if the
environment is up to date, and never prints to standard output: `$(make -s token)` reads that.

pip installs the packages because pip respects all of a user's pip configuration: index, proxy,
certificates, folders of wheels. requirements-dev.txt pins pip's own version, too. The lock files
are complete, so nothing is resolved (`--no-deps`), and later releases of other packages can't
change or break the result.
"""

from __future__ import annotations  # an older Python must get as far as its error message

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "requirements-dev.txt"
OLDEST = (3, 11)
# Not compiled: that takes a third of the time, and most modules are never imported. `--no-user`
# is for a pip.conf that sets user, which pip rejects in an environment.
PIP_INSTALL = [
    *["-m", "pip", "install", "--require-hashes", "--no-deps", "--no-compile", "--no-user"],
    *["--only-binary=:all:", "--disable-pip-version-check", "--no-input", "--progress-bar=off"],
    *["--retries=2", "--requirement"],
]
# A new machine is often busy with its own updates: wait for them, at most 120 s.
APT_GET = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120"]
INSTALL_VENV = [*APT_GET, "install", "--no-install-recommends", "python3-venv"]
# pip prints one of these for each line of a lock file.
ONE_PACKAGE = re.compile(r"(Collecting|Processing|Ignoring|Requirement already satisfied)\b")


class SetupError(Exception):
    """The environment can't be set up; the message says why and what to do."""


def main() -> int:
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        return fail(f"Python 3.11 or newer is required, this is {version}: make PYTHON=python3.13")
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        environment = Environment(arguments.environment)
        environment.ensure(arguments.lock.resolve(), exact=arguments.exact)
    except SetupError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"can't set up {arguments.environment}: {error}")
    except KeyboardInterrupt:
        say("\nInterrupted. The next command sets up the environment again.")
        return 128 + signal.SIGINT
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lock", type=Path, help="the lock file, such as requirements-dev.txt")
    parser.add_argument("environment", type=Path, help="the folder, such as .venv")
    exact = "recreate the environment if another Python version created it"
    parser.add_argument("--exact", action="store_true", help=exact)
    return parser.parse_args()


class Environment:
    """A virtual environment in a folder.

    Its record names the folder, the Python version and the hashes of the installed lock files. The
    record is removed before a change and written after it: without one, a setup was interrupted.
    """

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self.folder = folder.resolve()
        self.python = self.folder / "bin" / "python"
        self._record = self.folder / "setup.json"
        self._log = self.folder / "setup.log"

    def ensure(self, lock: Path, *, exact: bool = False) -> None:
        """Make the environment usable and install the lock file, unless that is done already."""
        if self._is_ready(lock, exact=exact):
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(self.folder.parent):
            if self._is_ready(lock, exact=exact):
                return
            if defect := self._defect(exact=exact):
                self._create(defect)
            self._install(lock)

    def _is_ready(self, lock: Path, *, exact: bool) -> bool:
        return not self._defect(exact=exact) and self._read()["locks"].get(lock.name) == _hash(lock)

    def _defect(self, *, exact: bool) -> str:
        """Return why the environment can't be used, or "" if it can."""
        record = self._read()
        if not record:
            return "it is incomplete"
        if record["folder"] != str(self.folder):
            return f"it was created in {record['folder']}"
        if (found := self._python_version()) != record["python"]:
            return f"its Python {record['python']} is now {found or 'missing'}"
        if exact and record["python"] != _version():
            return f"it has Python {record['python']}"
        return ""

    def _python_version(self) -> str:
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            command = [str(self.python), "-ISc", code]
            return subprocess.run(
                command, capture_output=True, text=True, check=False
            ).stdout.strip()
        except OSError:
            return ""

    def _create(self, defect: str) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)
            say(f"Recreating {self.name}, because {defect}.")
        self.folder.mkdir()
        if not importlib.util.find_spec("ensurepip"):
            self._install_ensurepip()
        self._run([sys.executable, "-m", "venv", self.folder])
        pinned_pip = self.folder / "pip.txt"
        pinned_pip.write_text(pins(TOOLS)["pip"])
        self._run([self.python, *PIP_INSTALL, pinned_pip])
        self._write({"folder": str(self.folder), "python": _version(), "locks": {}})

    def _install_ensurepip(self) -> None:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            command = "sudo apt-get install python3-venv"
            raise SetupError(f"this Python lacks ensurepip; on Debian and Ubuntu run `{command}`")
        say("Installing Debian's package python3-venv")
        self._run([*APT_GET, "update"])
        self._run(INSTALL_VENV)

    def _install(self, lock: Path) -> None:
        record = self._read()
        self._record.unlink()
        count = len(pins(lock))
        say(f"Installing {count} packages into {self.name} for Python {record['python']}")
        with progress_bar(count) as advance:
            self._run([self.python, *PIP_INSTALL, lock], advance)
        self._quote_interpreters()
        record["locks"][lock.name] = _hash(lock)
        self._write(record)

    def _quote_interpreters(self) -> None:
        """Quote the interpreter in programs that pip wrote for a path with spaces.

        pip puts the path between double quotes, where the shell replaces `$` and ends at a quote.
        """
        for program in (self.folder / "bin").iterdir():
            lines = program.read_bytes().split(b"\n", 2)
            if lines[0] == b"#!/bin/sh" and lines[1].startswith(b"'''exec' "):
                lines[1] = f"'''exec' {shlex.quote(str(self.python))} \"$0\" \"$@\"".encode()
                program.write_bytes(b"\n".join(lines))

    def _run(
        self, command: Sequence[str | Path], advance: Callable[[], None] | None = None
    ) -> None:
        """Run a command with its output in the log; call `advance` for each package.

        Raises SetupError if the command fails.
        """
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        output = []
        with self._log.open("a") as log, _started(command, environment) as process:
            for line in process.stdout or ():
                output.append(line)
                log.write(line)
                if advance and ONE_PACKAGE.match(line):
                    advance()
        if process.returncode:
            raise SetupError(f"{explain(''.join(output))} (complete output: {self._log})")

    def _read(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self._record.read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return record

    def _write(self, record: dict[str, Any]) -> None:
        unfinished = self._record.with_suffix(".new")
        unfinished.write_text(json.dumps(record))
        unfinished.replace(self._record)


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[], None]]:
    """Yield a function to call once per package; draws a bar on a terminal, nothing elsewhere."""
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        show(f"  {'#' * (30 * done // total):.<30} {done} of {total}")

    def show(text: str) -> None:
        if sys.stderr.isatty():
            print(f"{text}\r", end="", file=sys.stderr, flush=True)

    yield advance
    show(" " * 60)


def explain(output: str) -> str:
    """Turn pip's, venv's or apt's output into a sentence that says what to do."""
    if missing := re.search(r"No matching distribution found for (\S+)", output):
        unreachable = re.search(r"(?:Failed to |Connection (?!object)|SSL)[^\")\n]*", output)
        cause = unreachable[0].rstrip("'") if unreachable else "the package index doesn't offer it"
        return (
            f"can't download {missing[1]}: {cause}. Check the network and pip's configuration "
            "(`python3 -m pip config list`), or name a folder of wheels in PIP_FIND_LINKS"
        )
    errors = re.findall(r"^(?:ERROR|Error|E): *(.+)", output, re.MULTILINE)
    return errors[0] if errors else (output.strip().rpartition("\n")[2] or "the setup failed")


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Wait until no other setup runs in the folder, and keep others out."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _started(
    command: Sequence[str | Path], environment: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    except BaseException:
        process.terminate()
        raise
    finally:
        process.wait()


def pins(lock: Path) -> dict[str, str]:
    """Return the lines of each pinned package, with its hashes, by name."""
    blocks = re.findall(r"^[a-z0-9].*(?:\n    --hash.*)*", lock.read_text(), re.MULTILINE)
    return {re.split(r"[^\w.-]", block)[0]: block for block in blocks}


def _hash(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def say(message: str) -> None:
    print(message, file=sys.stderr)


def fail(message: str) -> int:
    say(f"error: {message}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
