"""The Makefile's commands work from a path with characters that are special in shells and make."""

import os
import re
import shlex
import shutil
import signal
import site
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from local import bootstrap
from local.processes import PROJECT, free_port
from tests.local.support import ODD, eventually
from tests.makefile import ALONE, BESIDE, SERVED

PORTS = ("PORT", "DATA_API_PORT", "DATABASE_PORT", "CONSOLE_PORT", "XRAY_PORT")
SLOW = {"check", "compare", "docs"}
"""Commands of the Makefile that take more than 20 seconds here."""


class Checkout:
    """A copy of the project's files, with its own ports and state folder."""

    def __init__(self, directory: Path, home: Path) -> None:
        self.path = directory
        inherited = {k: v for k, v in os.environ.items() if k != "LOCAL_STATE" and "AWS" not in k}
        ports = {name: str(free_port()) for name in PORTS}
        self.environment = {**inherited, **ports, "XDG_STATE_HOME": str(home)}

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *arguments],
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def serve(self, command: str) -> Iterator[str]:
        """Run a command until Ctrl-C; yield what it prints."""
        log = self.path.with_name(f"{command}.log")
        with log.open("w") as output:
            process = subprocess.Popen(
                ["make", command],
                cwd=self.path,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            eventually(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, 120)
            assert process.poll() is None, log.read_text()
            yield log.read_text()
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Copy the files in git, including uncommitted ones, and link the running environment."""
    if not shutil.which("git") or not (PROJECT / ".git").exists():
        pytest.skip("git is missing, or this is not a clone")
    directory = tmp_path_factory.mktemp("paths") / ODD
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=PROJECT, capture_output=True, check=True).stdout
    for name in map(os.fsdecode, names.split(b"\0")[:-1]):
        if (PROJECT / name).exists():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, directory / name)
    make_environment(directory / ".venv")
    return Checkout(directory, tmp_path_factory.mktemp("home") / ODD)


def make_environment(directory: Path) -> None:
    """Create environments with the packages of the running one, like those of `make setup`."""
    venv.create(directory, symlinks=True)
    (packages,) = directory.glob("lib/python*/site-packages")
    (packages / "running.pth").write_text("\n".join(site.getsitepackages()))
    (directory / "bin" / "ruff").symlink_to(Path(sys.executable).with_name("ruff"))
    record(directory, "requirements-dev.txt", "requirements/contract.txt")
    for name in ("audit", "bench", "fuzz"):
        (directory / name).mkdir()
        (directory / name / "bin").symlink_to(directory / "bin")
        record(directory / name, f"requirements/{name}.txt")


def record(directory: Path, *locks: str) -> None:
    environment = bootstrap.Environment(directory)
    hashes = {Path(lock).name: bootstrap._hash(PROJECT / lock) for lock in locks}
    environment._write({"folder": str(directory), "python": bootstrap._version(), "locks": hashes})


@pytest.mark.parametrize("command", SERVED)
def test_command_serves_from_an_odd_path(checkout: Checkout, command: str) -> None:
    with checkout.serve(command) as said:
        for name, arguments in BESIDE.items():
            done = checkout.make(name, *arguments)
            assert done.returncode == 0, done.stderr
        if command == "run":
            assert len(said.splitlines()) <= 12
            assert pasted(checkout, said).startswith('{"items":[{')
        done = checkout.make("clean")
        assert done.returncode == 2
        assert "is in use by another `make run`" in done.stderr

    (data,) = (Path(checkout.environment["XDG_STATE_HOME"]) / "customers-api").iterdir()
    assert (checkout.path / ".local").resolve() == data
    assert f"data     {shlex.quote(str(data))}" in said


@pytest.mark.parametrize(
    "command",
    [pytest.param(name, marks=[pytest.mark.exhaustive] * (name in SLOW)) for name in ALONE],
)
def test_command_works_from_an_odd_path(checkout: Checkout, command: str) -> None:
    done = checkout.make(command, *ALONE[command])

    assert done.returncode == 0, done.stdout + done.stderr


def test_link_to_an_odd_path_leads_to_the_same_data(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkout.path)
    through = Checkout(link, Path(checkout.environment["XDG_STATE_HOME"]))

    assert through.make("token").returncode == 0
    assert len(list(Path(checkout.environment["XDG_STATE_HOME"], "customers-api").iterdir())) == 1


def test_odd_path_is_cleaned(checkout: Checkout) -> None:
    done = checkout.make("clean", "DATA=1", f"PYTHON={sys.executable}")

    assert done.returncode == 0, done.stderr
    assert not (checkout.path / ".venv").exists()
    assert not os.path.lexists(checkout.path / ".local")
    assert list(Path(checkout.environment["XDG_STATE_HOME"], "customers-api").iterdir()) == []
    assert PROJECT.joinpath(sys.executable).exists()


def pasted(checkout: Checkout, said: str) -> str:
    """Send the printed request, its header by another shell; return the response's body."""
    found = re.search(r"^  list +curl (\S+) -H (.+)$", said, re.MULTILINE)
    assert found
    others = {k: v for k, v in checkout.environment.items() if k not in PORTS}
    echo = ["sh", "-c", f"printf %s {found[2]}"]
    header = subprocess.run(
        echo, cwd=checkout.path, env=others, capture_output=True, text=True, check=True
    ).stdout
    name, _, value = header.partition(": ")
    return requests.get(found[1], headers={name: value}, timeout=30).text
