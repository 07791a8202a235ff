"""Targets of the Makefile that don't need the whole project."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.makefile import ALONE, BESIDE, LAST, NOT_TRIED, SERVED

ROOT = Path(__file__).parents[1]
MISSING = "echo 'pyenv: version 3.13 is not installed' >&2; exit 1"  # pyenv before 2.5
TOO_OLD = "exit 1"  # pyenv 2.5 runs the system's Python, which may be too old: the check fails


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the Makefile, the settings of ruff, and this environment's tools."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def _make_format(checkout: Path) -> subprocess.CompletedProcess[str]:
    # --old-file: don't set up the environment
    command = ["make", "--old-file=setup", "format"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def test_format_with_unfixable_finding_formats_and_reports(checkout: Path) -> None:
    unfixable, unformatted = checkout / "unfixable.py", checkout / "unformatted.py"
    unfixable.write_text("UNDEFINED = undefined\n")
    unformatted.write_text("import os\nVALUE  =  1\n")

    done = _make_format(checkout)

    assert unformatted.read_text() == "VALUE = 1\n"
    assert "F821" in done.stdout
    assert "unfixable.py:1" in done.stdout
    assert done.returncode != 0


def test_format_without_findings_succeeds(checkout: Path) -> None:
    unformatted = checkout / "unformatted.py"
    unformatted.write_text("import os\nVALUE  =  1\n")

    done = _make_format(checkout)

    assert unformatted.read_text() == "VALUE = 1\n"
    assert done.returncode == 0, done.stdout + done.stderr


def _shim(checkout: Path, inside: str, outside: str) -> None:
    """Create a python3 that runs one command inside the checkout, and another one elsewhere.

    pyenv's python3 does: inside, it wants the version in .python-version.
    """
    shim = checkout / "shims" / "python3"
    shim.parent.mkdir()
    shim.write_text(f"#!/bin/sh\nif [ -e Makefile ]; then {inside}; fi\n{outside}\n")
    shim.chmod(0o755)


def _python(checkout: Path) -> str:
    """Return the interpreter that the Makefile would create .venv with, or an error."""
    program = "import sys; print(sys.executable)"
    (checkout / "show.mk").write_text(f"show:\n\t@$(PYTHON) -c '{program}'\n")
    done = subprocess.run(
        ["make", "-f", "Makefile", "-f", "show.mk", "show"],
        cwd=checkout,
        env={"PATH": f"{checkout}/shims:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout or done.stderr).strip()


@pytest.mark.parametrize("inside", [MISSING, TOO_OLD], ids=["missing", "too old"])
def test_python_is_the_global_one_if_the_checkouts_version_is_missing(
    checkout: Path, inside: str
) -> None:
    _shim(checkout, inside, f'exec {shlex.quote(sys.executable)} "$@"')

    assert _python(checkout) == sys.executable


def test_python_is_the_checkouts_version_if_installed(checkout: Path) -> None:
    installed = checkout / "python of the checkout"
    installed.symlink_to(sys.executable)
    _shim(checkout, f'exec "{installed}" "$@"', f'exec {shlex.quote(sys.executable)} "$@"')

    assert _python(checkout) == str(installed)


def test_python_that_fails_everywhere_reports_its_own_error(checkout: Path) -> None:
    _shim(checkout, MISSING, MISSING)

    assert "is not installed" in _python(checkout)


def test_each_command_is_tested_from_an_odd_path_or_listed_with_a_reason() -> None:
    rules = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert sorted([*SERVED, *BESIDE, *ALONE, *LAST, *NOT_TRIED]) == sorted(rules)


def test_help_lists_each_command() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)

    for command in (*SERVED, *BESIDE, *ALONE, *LAST, *NOT_TRIED):
        assert re.search(rf"^  make {command} +\S", done.stdout, re.MULTILINE), command
