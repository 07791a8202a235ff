"""The fuzzer, shortly: it finds nothing, it finds what is planted, and it sees each kind of fault."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from load.fuzz.cases import MARKER, Case, authorization, request, seeds
from load.fuzz.invariants import broken
from load.fuzz.possible import is_possible
from load.fuzz.shrinking import shrunk
from load.fuzz.world import Outcome
from local.processes import PROJECT

PYTHON = PROJECT / ".venv" / "fuzz" / "bin" / "python"
RUNS = 2_000
HEADERS_PY = Path("chalicelib/headers.py")
# no seed has four entity tags: it takes mutation to get there
SANE = "    if len(tags) > MOST_TAGS:\n"
FAULT = "    if len(tags) > 3:\n        raise KeyError(value)\n"


def fuzz(project: Path, folder: Path, runs: int = RUNS) -> subprocess.CompletedProcess[str]:
    options = ["--python", str(PYTHON), "--runs", str(runs), "--seed", "1", "--folder", str(folder)]
    return subprocess.run(
        [str(PROJECT / ".venv" / "bin" / "python"), "-m", "load.fuzz", *options],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_hostile_events_break_nothing(tmp_path: Path) -> None:
    done = fuzz(PROJECT, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["executions"] >= RUNS
    # else they are too wrong to get anywhere
    assert {"200", "201", "204", "400", "401", "404", "409", "412", "415"} <= told["seen"].keys()


def test_planted_fault_is_found_and_can_be_repeated(tmp_path: Path) -> None:
    copy, folder = tmp_path / "copy", tmp_path / "folder"
    for name in ("chalicelib", "infrastructure", "load", "local", "migrations", "openapi", "tests"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(PROJECT / "docs", copy / "docs")
    shutil.copy(PROJECT / "app.py", copy)
    sane = (copy / HEADERS_PY).read_text()
    (copy / HEADERS_PY).write_text(sane.replace(SANE, FAULT + SANE))

    done = fuzz(copy, folder)

    assert done.returncode == 1
    assert "answers 500: KeyError at chalicelib/headers.py" in done.stdout
    (found, *_) = (folder / "found").glob("*.json")
    assert f"--replay {found}" in done.stdout.replace("../", "/") or found.name in done.stdout
    again = subprocess.run(
        [str(PROJECT / ".venv" / "bin" / "python"), "-m", "load.fuzz", "--replay", str(found)],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1
    assert "answers 500: KeyError at chalicelib/headers.py" in again.stdout
