"""The interface of a database engine, and the functions that both engines share."""

import fcntl
import os
import re
import shlex
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.processes import Child, LocalError

DIRECTORIES = [
    *os.get_exec_path(),
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/usr/libexec",
    "/usr/local/mysql/bin",
    "/opt/homebrew/bin",
]
HOMEBREW = ["/opt/homebrew/opt", "/usr/local/opt"]


@dataclass(frozen=True)
class Server:
    """An installed server: the command that runs it, and the options that its place requires."""

    title: str
    version: tuple[int, ...]
    command: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.title} {self.version[0]}.{self.version[1]}"


class Engine(ABC):
    """An engine: finds, installs and initializes servers.

    `name` is the engine's value of ENGINE, and the name of its folder in the state directory.
    `room` is the free space in bytes that a new data directory, temporary files and logs take.
    """

    name: str
    title: str
    room: int
    settings: Mapping[str, str]
    """Options of the server that only this engine has, or that must be set only for it."""
    sql_modes: Sequence[str] = ()
    """SQL modes that make this engine behave like Aurora MySQL, in addition to MySQL's defaults."""

    @property
    @abstractmethod
    def administrator(self) -> str:
        """The account with all privileges, which logs in without a password on the socket only."""

    @abstractmethod
    def find(self) -> Server | None:
        """Return the installed server, or None."""

    @abstractmethod
    def install(self, logs: Path) -> None:
        """Install the server. Raises LocalError, with what to do instead."""

    @abstractmethod
    def initialize(
        self, server: Server, settings: Mapping[str, str], data: Path, log: Path
    ) -> None:
        """Create the data directory; its parent exists. Raises LocalError."""

    @abstractmethod
    def opens(self, server: Server, written_by: str) -> bool:
        """Return whether the server can open data that this server, as text, has written."""

    def get(self, logs: Path) -> Server:
        """Return the installed server, installing it if necessary. Raises LocalError."""
        if server := self.find():
            return server
        self.install(logs)
        if server := self.find():
            return server
        raise LocalError(f"{self.title} was installed, but its server is not in {DIRECTORIES}")


def options(settings: Mapping[str, str]) -> list[str]:
    """Return the options of a server's command line."""
    # The server must read no configuration file. Root must confirm that the server runs as root.
    user = ["--user=root"] if os.geteuid() == 0 else []
    return ["--no-defaults", *user, *(f"--{name}={value}" for name, value in settings.items())]


def run_in(directory: Path, command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command in a directory."""
    return ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(directory.resolve()), *command]


def programs(name: str, formula: str) -> Iterator[Path]:
    """Yield the programs of this name, where package managers put them."""
    kegs = [f"{directory}/{formula}/bin" for directory in HOMEBREW]
    for directory in dict.fromkeys([*DIRECTORIES, *kegs]):
        if program := shutil.which(name, path=directory):
            yield Path(program)


def recognize(*command: str) -> tuple[str, tuple[int, ...]]:
    """Return the title and the version of a server. Raises LocalError."""
    result = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"Ver (\d+(?:\.\d+)+)", result.stdout)
    if version is None:
        said = (result.stdout + result.stderr).strip()
        raise LocalError(f"{command[-1]} --version prints no version, but {said!r}")
    title = "MariaDB" if "MariaDB" in result.stdout else "MySQL"
    return title, tuple(map(int, version[1].split(".")))


def run_installer(command: list[str], logs: Path) -> None:
    """Run a package manager. Raises LocalError if it fails."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    Child(shlex.join(command), command, logs / "install.log", quiet).finish()


def make_once(target: Path, make: Callable[[Path], None]) -> None:
    """Create a directory with a function: completely, or not at all.

    If another process does so at the same time, waits for its end.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent):
        if target.exists():
            return
        unfinished = target.with_name(f"{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
        unfinished.mkdir(mode=0o700)
        try:
            make(unfinished)
            unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def failure(what: str, log: Path) -> LocalError:
    """Return an error in one line, with the first error in a server's or installer's log."""
    # The first error is the cause; the last is always "Aborting". MySQL adds the code and the part.
    said = log.read_text(errors="replace").strip()
    cause = re.search(r"(?:\[ERROR\] (?:\[[\w-]+\] )*|^E: )(.+)", said, re.MULTILINE)
    reason = cause[1] if cause else said.rpartition("\n")[2] or "it does not say why"
    return LocalError(f"{what}: {reason} (the whole log: {log})")
