"""The calibration: a simulated queue compared with the local stack."""

import json
import random
from pathlib import Path

import pytest

from load.simulation.calibration import compared, predicted
from load.simulation.plan import QUICK

pytestmark = pytest.mark.exhaustive

SAMPLES = [(0.006, 0.004)]


def test_single_requests_take_their_measured_time() -> None:
    seen = predicted(SAMPLES, 1, 60, random.Random("alone"))
    assert seen["p50"] == pytest.approx(0.006)
    assert seen["utilization"] == pytest.approx(0.004, rel=0.5)


def test_throughput_is_limited_to_one_process() -> None:
    seen = predicted(SAMPLES, 500, 10, random.Random("much"))
    assert seen["throughput"] == pytest.approx(250, rel=0.02)
    assert seen["utilization"] == pytest.approx(1, abs=0.02)
    assert seen["p95"] > 1


def test_half_loaded_queue_waits_as_theory_predicts() -> None:
    seen = predicted(SAMPLES, 125, 400, random.Random("half"))
    # between M/D/1, where it waits for half a service, and turns that are shared, for a whole one
    assert 0.006 < seen["p50"] < 0.010
    assert seen["utilization"] == pytest.approx(0.5, rel=0.05)


def test_error_compares_medians(tmp_path: Path) -> None:
    load = {"sent": 100, "throughput": 50, "utilization": 0.4, "p50": 0.012, "p95": 0.02}
    loads = [load | {"throughput": seen} for seen in (50, 90, 500)]
    measured = {"machine": "", "seconds": 20, "samples": SAMPLES, "loads": {"0.4": loads}}
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(measured))
    row = compared(file, "1", QUICK)["rates"]["0.4"]
    assert row["throughput"]["measured"] == 90
    assert row["throughput"]["error"] == pytest.approx(row["throughput"]["simulated"] / 90 - 1)
    assert row["utilization"]["error"] == pytest.approx(0, abs=0.1)


def test_large_error_is_rejected(tmp_path: Path) -> None:
    load = {"sent": 100, "throughput": 500, "utilization": 0.4, "p50": 0.012, "p95": 0.02}
    file = tmp_path / "measured.json"
    measured = {"machine": "", "seconds": 20, "samples": SAMPLES, "loads": {"0.4": [load]}}
    file.write_text(json.dumps(measured))
    with pytest.raises(ValueError, match=r"throughput is -8.% off at 0\.4 of capacity"):
        compared(file, "1", QUICK)
