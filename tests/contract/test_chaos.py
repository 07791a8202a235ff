"""Short runs of `make chaos`: the service passes, and a service with a fault of each kind fails.

Both are real runs. The failures of the second prove that the first could fail.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from load.chaos.broken import FAULTS

pytestmark = pytest.mark.slow

ALL = ",".join(FAULTS)
# Enough to meet each planted fault several times. A quick machine makes them in 12 s.
MADE = ("--operations", "1000")


def start(directory: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "load.chaos", "--json", str(directory / "figures"), *arguments]
    return subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(directory: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    with start(directory, *arguments) as process:
        told, errors = process.communicate(timeout=900)
    assert (directory / "figures").exists(), errors
    return process.returncode, told, json.loads((directory / "figures").read_text())


@pytest.mark.exhaustive  # .ci/run runs it on MySQL
def test_kills_of_database_and_api_lose_and_duplicate_no_write(tmp_path: Path) -> None:
    code, told, figures = run(tmp_path, "--seconds", "12", *MADE, "--seed", "1", "--without-mirror")

    assert (code, figures["result"]) == (0, "pass"), told
    assert set(figures["breaches"].values()) == {0}
    assert figures["final_read"]
    assert figures["counts"]["acknowledged"] > 50
    assert figures["counts"]["repeated"] > 0
    assert min(figures["kills"][part] for part in ("database", "API")) > 0
    assert [item.name for item in tmp_path.iterdir()] == ["figures"]


def test_every_planted_fault_is_detected(tmp_path: Path) -> None:
    code, told, figures = run(tmp_path, "--seconds", "12", *MADE, "--seed", "1", "--broken", ALL)

    assert (code, figures["result"]) == (1, "fail")
    for name, breaches in figures["breaches"].items():
        assert breaches > 0, f"{name}\n{told}"
        assert f"{name}, {breaches} in total:\n- " in told
    (kept,) = (item for item in tmp_path.iterdir() if item.is_dir())
    assert (kept / "history.jsonl").stat().st_size > 0


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("fault", "kind", "write"),
    [
        ("put-twice", "duplicated", "crm."),
        ("lost-lenient", "lost", "lenient"),
        ("torn", "partial", "patch all"),
        ("torn-deletions", "partial", "delete all"),
    ],
)
def test_fault_of_a_kind_of_write_is_detected(
    tmp_path: Path, fault: str, kind: str, write: str
) -> None:
    arguments = ("--seconds", "20", *MADE, "--seed", "1", "--without-mirror", "--broken", fault)
    code, told, figures = run(tmp_path, *arguments)

    assert (code, figures["result"]) == (1, "fail")
    assert figures["breaches"][kind] > 0, told
    assert f"- {write}" in told


def test_ctrl_c_stops_all_processes_with_result_unknown(tmp_path: Path) -> None:
    with start(tmp_path, "--seconds", "500") as process:
        shown = ""
        while "operations" not in shown and process.stderr and (more := process.stderr.read(1)):
            shown += more
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        told, errors = process.communicate(timeout=120)

    assert process.returncode == 130, told + errors
    assert "unknown: no violation was found, but the final data could not be read." in told
    assert len(children) > 3  # including the reaper
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    assert [item.name for item in tmp_path.iterdir()] == ["figures"]
