"""`make test-all` runs the installed versions of Python, and reports the missing ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure import interpreters
from tests import every_python

Commands = list[list[str]]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Record the commands that run on a machine with two of the versions; return them."""
    found = {version: Path(f"/opt/python{version}") for version in ("3.11", "3.13")}
    monkeypatch.setattr(interpreters, "find", found.get)
    monkeypatch.setattr(sys, "argv", ["every_python", "-k", "it"])
    ran: Commands = []

    def call(command: list[str], cwd: Path) -> int:
        assert cwd == every_python.ROOT
        ran.append(command)
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    return ran


def test_each_version_runs_in_its_own_environment(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    assert every_python.main() == 0

    bootstrap = ["local/bootstrap.py", "requirements-dev.txt"]
    assert commands == [
        ["/opt/python3.11", *bootstrap, ".venv/3.11"],
        [".venv/3.11/bin/python", "-m", "pytest", "-k", "it"],
        ["/opt/python3.13", *bootstrap, ".venv/3.13"],
        [".venv/3.13/bin/python", "-m", "pytest", "-k", "it"],
    ]
    assert capsys.readouterr().out.splitlines()[-5:] == [
        "Python 3.11: passed",
        "Python 3.12: not found on this machine",
        "Python 3.13: passed",
        "Python 3.14: not found on this machine",
        interpreters.ADVICE,
    ]


@pytest.mark.parametrize("failing", ["bootstrap.py", "pytest"])
def test_failing_version_does_not_stop_the_others(
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: str,
) -> None:
    def call(command: list[str], cwd: Path) -> int:  # noqa: ARG001 (as subprocess's)
        commands.append(command)
        return int("3.11" in command[0] and failing in " ".join(command))

    monkeypatch.setattr(subprocess, "call", call)

    assert every_python.main() == 1
    assert commands[-1][0] == ".venv/3.13/bin/python"
    said = capsys.readouterr().out
    assert "\nPython 3.11: failed\n" in said
    assert "\nPython 3.13: passed\n" in said


@pytest.mark.usefixtures("commands")
def test_run_without_any_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "find", lambda _: None)
    assert every_python.main() == 1


def test_only_selects_a_version(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["every_python", "--only", "3.13", "-x"])

    assert every_python.main() == 0
    assert commands[-1] == [".venv/3.13/bin/python", "-m", "pytest", "-x"]
    assert len(commands) == 2
