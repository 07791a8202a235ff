"""`make simulate` writes the results, and the tables and plots of docs/scaling.md."""

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

from load.simulation import MEASURED, PAGE, PLOTS, RESULTS, page, plots
from load.simulation import __main__ as command
from load.simulation.assumptions import ASSUMPTIONS
from load.simulation.calibration import HIGHEST_ERROR, compared
from load.simulation.designs import EXPLAINED, STEPS
from load.simulation.figures import rounded
from load.simulation.plan import Effort

pytestmark = pytest.mark.exhaustive

TABLES = {name: table for _, name, table, _ in page.MARK.findall(PAGE.read_text())}


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "load.simulation", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Results of a quick run. Their figures are too coarse for the page."""
    file = tmp_path_factory.mktemp("simulation") / "results.json"
    done = simulate("--quick", "--seed", "a", "--output", str(file))
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())


def test_page_has_every_table() -> None:
    assert sorted(TABLES) == sorted(page.TABLES)


def test_page_is_filled_with_the_tables_of_the_results(results: Any) -> None:
    filled = page.filled(PAGE.read_text(), results)
    for _, name, table, _ in page.MARK.findall(filled):
        assert table == page.TABLES[name](results) + "\n"
    assert page.MARK.sub("", filled) == page.MARK.sub("", PAGE.read_text())


def test_page_shows_the_current_assumptions_and_steps() -> None:
    shown = re.findall(r"^\| `(\w+)` \| (.*?) \|", TABLES["bounds"], re.MULTILINE)
    assert dict(shown) == {name: page.assumption(vars(ASSUMPTIONS[name])) for name, _ in shown}
    assert {"data_api_ms", "per_acu"} <= dict(shown).keys()
    assert TABLES["steps"] == page.steps({}) + "\n"
    assert list(STEPS) == list(EXPLAINED)


def test_page_shows_the_current_calibration() -> None:
    calibration = rounded(compared(MEASURED, "1", Effort()), 4)
    assert TABLES["calibration"] == page.calibration({"calibration": calibration}) + "\n"
    for share, row in calibration["rates"].items():
        assert abs(row["throughput"]["error"]) < (0.15 if float(share) < 1 else HIGHEST_ERROR)
        assert abs(row["utilization"]["error"]) < HIGHEST_ERROR


def test_page_links_to_every_plot(results: Any) -> None:
    drawn = plots.drawn(results)
    assert sorted(drawn) == sorted(path.name for path in PLOTS.iterdir())
    for name in drawn:
        assert f"scaling/{name}" in PAGE.read_text()


def test_plots_are_svg_with_dark_mode_and_say_that_they_are_simulated(results: Any) -> None:
    committed = [path.read_text() for path in PLOTS.iterdir()]
    for drawn in [*committed, *plots.drawn(results).values()]:
        title = ET.fromstring(drawn).findtext("{http://www.w3.org/2000/svg}title", "")  # noqa: S314 (ours)
        assert "simulated" in title.lower()
        assert "prefers-color-scheme: dark" in drawn


def test_results_cover_all_assumptions_and_steps(results: Any) -> None:
    assert results["assumptions"] == {name: vars(each) for name, each in ASSUMPTIONS.items()}
    assert list(results["ladder"]) == list(STEPS)
    assert set(results["bounds"]) == {"base", *ASSUMPTIONS}


@pytest.mark.slow
def test_same_seed_gives_same_results(results: Any, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("same", "other")]
    for file, seed in zip(files, ("a", "b"), strict=True):
        done = simulate("--quick", "--seed", seed, "--output", str(file))
        assert done.returncode == 0, done.stderr
    same, other = (json.loads(file.read_text()) for file in files)
    assert results == same != other


def test_quick_run_prints_a_table_and_writes_nothing() -> None:
    before = PAGE.read_bytes(), RESULTS.exists() and RESULTS.read_bytes()
    done = simulate("--quick")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("| requests per second | largest utilization")
    assert (PAGE.read_bytes(), RESULTS.exists() and RESULTS.read_bytes()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fast",), "--fast"),
        (("--output", "/nowhere/at/all"), "/nowhere/at/all"),  # at startup, not after minutes
        (("--output", "/"), "/ can't be written"),
    ],
)
def test_usage_error_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = simulate(*arguments)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_draw_without_results_is_rejected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(sys, "argv", ["simulate", "--draw"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert command.main() == 2
    assert "results.json is missing; run without --draw first" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_stopped_run_writes_nothing(tmp_path: Path, ending: signal.Signals) -> None:
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
    assert not any(each.is_running() for each in children)
    assert not file.exists()


def test_measuring_has_a_command() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "load.simulation.measuring", "--help"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "--rounds" in help_text
    assert all(json.loads(MEASURED.read_text())["loads"].values())
