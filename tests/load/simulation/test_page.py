"""docs/scaling.md says what docs/scaling/results.json has, and the command makes both."""

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


def test_the_tables_are_those_of_the_results(results: Any) -> None:
    assert PAGE.read_text() == page.filled(PAGE.read_text(), results)


def test_every_table_is_on_the_page() -> None:
    marked = [found[2] for found in page.MARK.finditer(PAGE.read_text())]
    assert sorted(marked) == sorted(page.TABLES)


def test_a_table_that_was_changed_by_hand_is_found(results: Any) -> None:
    text = PAGE.read_text().replace("prod as it is |", "prod as it was |", 1)
    assert page.filled(text, results) != text


def test_the_plots_are_those_of_the_results(results: Any) -> None:
    for name, drawn in plots.drawn(results).items():
        assert (RESULTS.parent / name).read_text() == drawn
        assert f"scaling/{name}" in PAGE.read_text()


def test_each_plot_is_svg_for_the_dark_too_and_says_that_it_is_simulated(results: Any) -> None:
    for drawn in plots.drawn(results).values():
        title = ET.fromstring(drawn).findtext("{http://www.w3.org/2000/svg}title", "")  # noqa: S314 (ours)
        assert "simulated" in title.lower()
        assert "prefers-color-scheme: dark" in drawn


def test_the_results_are_of_the_assumptions_and_steps_there_are(results: Any) -> None:
    assert results["assumptions"] == {name: vars(item) for name, item in ASSUMPTIONS.items()}
    assert list(results["ladder"]) == list(STEPS) == list(EXPLAINED)
    assert set(results["bounds"]) == {"base", *ASSUMPTIONS}


def test_the_simulation_held_to_theory_and_to_the_local_stack(results: Any) -> None:
    assert all(item["holds"] for item in results["theory"].values())
    assert results["seeds"] >= 30
    for share, row in results["calibration"]["rates"].items():
        assert abs(row["throughput"]["error"]) < (0.15 if float(share) < 1 else HIGHEST_ERROR)
        assert abs(row["utilization"]["error"]) < HIGHEST_ERROR


def test_what_was_measured_can_be_compared_again(results: Any) -> None:
    again = compared(MEASURED, results["seed"], Effort())
    assert rounded(again, 4)["rates"] == results["calibration"]["rates"]


@pytest.mark.slow
def test_a_quick_run_gives_the_same_for_the_same_seed(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "same", "other")]
    for file, seed in zip(files, ("a", "a", "b"), strict=True):
        done = simulate("--quick", "--seed", seed, "--output", str(file))
        assert done.returncode == 0, done.stderr
    one, same, other = (file.read_text() for file in files)
    assert one == same != other
    assert json.loads(one).keys() == json.loads(RESULTS.read_text()).keys()


def test_a_quick_run_prints_a_table_and_keeps_nothing() -> None:
    before = RESULTS.read_bytes(), PAGE.read_bytes()
    done = simulate("--quick")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("| requests a second | gives first")
    assert (RESULTS.read_bytes(), PAGE.read_bytes()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fast",), "--fast"),
        (("--output", "/nowhere/at/all"), "/nowhere/at/all"),  # before it works for minutes
        (("--output", "/"), "/ can't be written"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(arguments: tuple[str, ...], said: str) -> None:
    done = simulate(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_leaves_nothing(tmp_path: Path, ending: signal.Signals) -> None:
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "load.simulation", "--quick", "--output", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
        assert running.stderr
        seen = b""
        while not re.search(rb" [1-9]\d*/", seen):  # something is simulated
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


def test_the_figures_to_compare_with_can_be_measured_again() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "load.simulation.measuring", "--help"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "--rounds" in help_text
    assert all(json.loads(MEASURED.read_text())["loads"].values())
