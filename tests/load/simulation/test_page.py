"""docs/scaling.md matches docs/scaling/results.json, and `make simulate` generates both."""

import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import psutil
import pytest

from load.simulation import MEASURED, PAGE, RESULTS, page, plots
from load.simulation.assumptions import ASSUMPTIONS
from load.simulation.calibration import HIGHEST_ERROR, compared
from load.simulation.designs import EXPLAINED, STEPS
from load.simulation.figures import rounded
from load.simulation.plan import Effort


@pytest.fixture(scope="module")
def results() -> Any:
    return json.loads(RESULTS.read_text())


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "load.simulation", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_page_tables_match_the_results(results: Any) -> None:
    assert PAGE.read_text() == page.filled(PAGE.read_text(), results)


def test_page_contains_every_table() -> None:
    marked = [found[2] for found in page.MARK.finditer(PAGE.read_text())]
    assert sorted(marked) == sorted(page.TABLES)


def test_manually_changed_table_is_detected(results: Any) -> None:
    text = PAGE.read_text().replace("prod as it is |", "prod as it was |", 1)
    assert page.filled(text, results) != text


def test_plots_match_the_results(results: Any) -> None:
    drawn_by_name = plots.drawn(results)
    assert set(drawn_by_name) == {path.name for path in RESULTS.parent.glob("*.svg")}
    for name, drawn in drawn_by_name.items():
        assert (RESULTS.parent / name).read_text() == drawn
        assert f"scaling/{name}" in PAGE.read_text()


def test_plots_support_dark_mode_and_say_simulated(results: Any) -> None:
    for drawn in plots.drawn(results).values():
        title = ET.fromstring(drawn).findtext("{http://www.w3.org/2000/svg}title", "")  # noqa: S314 (ours)
        assert "simulated" in title.lower()
        assert "prefers-color-scheme: dark" in drawn


def test_results_match_current_assumptions_and_designs(results: Any) -> None:
    assert results["assumptions"] == {name: vars(item) for name, item in ASSUMPTIONS.items()}
    assert list(results["ladder"]) == list(STEPS) == list(EXPLAINED)
    assert set(results["bounds"]) == {"base", *ASSUMPTIONS}


def test_results_agree_with_theory_and_measurements(results: Any) -> None:
    assert all(item["holds"] for item in results["theory"].values())
    assert results["seeds"] >= 30
    for share, row in results["calibration"]["rates"].items():
        assert abs(row["throughput"]["error"]) < (0.15 if float(share) < 1 else HIGHEST_ERROR)
        assert abs(row["utilization"]["error"]) < HIGHEST_ERROR


def test_measurements_can_be_compared_again(results: Any) -> None:
    again = compared(MEASURED, results["seed"], Effort())
    assert rounded(again, 4)["rates"] == results["calibration"]["rates"]


@pytest.mark.slow
def test_quick_run_with_equal_seed_gives_equal_results(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "same", "other")]
    for file, seed in zip(files, ("a", "a", "b"), strict=True):
        done = simulate("--quick", "--seed", seed, "--output", str(file))
        assert done.returncode == 0, done.stderr
    one, same, other = (file.read_text() for file in files)
    assert one == same != other
    assert json.loads(one).keys() == json.loads(RESULTS.read_text()).keys()


def test_quick_run_prints_a_table_and_writes_nothing() -> None:
    before = RESULTS.read_bytes(), PAGE.read_bytes()
    done = simulate("--quick")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("| requests a second | gives first")
    assert (RESULTS.read_bytes(), PAGE.read_bytes()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fast",), "--fast"),
        (("--output", "/nowhere/at/all"), "/nowhere/at/all"),  # checked at startup
        (("--output", "/"), "can't write to /"),
    ],
)
def test_invalid_argument_is_reported_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = simulate(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_no_file_and_no_process(
    tmp_path: Path, ending: signal.Signals
) -> None:
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "load.simulation", "--quick", "--output", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
        assert running.stderr
        seen = b""
        while not re.search(rb" [1-9]\d*/", seen):  # until the first run has ended
            seen += running.stderr.read(1)
        children = psutil.Process(running.pid).children()
        assert len(children) == 2
        running.send_signal(ending)
        said = running.stderr.read().decode()
    assert running.returncode == 130
    assert said.splitlines()[-1] == "simulation: stopped; nothing was written"
    assert "Traceback" not in said
    assert not any(item.is_running() for item in children)
    assert not file.exists()


def test_local_stack_can_be_measured() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "load.simulation.measuring", "--help"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "--rounds" in help_text
    assert all(json.loads(MEASURED.read_text())["loads"].values())
