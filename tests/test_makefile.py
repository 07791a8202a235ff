"""Targets of the Makefile that don't need the whole project."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the Makefile, the settings of ruff, and this environment's tools."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def _make_format(checkout: Path) -> subprocess.CompletedProcess[str]:
    # --old-file: the environment is complete, whatever its stamp says
    command = ["make", "--old-file=.venv/.installed", "format"]
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
