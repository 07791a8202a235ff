"""The running API, fuzzed according to its OpenAPI document."""

import json
import sys
from pathlib import Path

from tests.contract.fuzzing import fuzz
from tests.service import Service

MIN_CASES = 2_000


def test_fuzzing_finds_nothing(service: Service, tmp_path: Path) -> None:
    """Send valid and invalid requests, alone and in sequences along the document's links."""
    report = tmp_path / "report.json"
    fuzzing = fuzz(service, tmp_path, "--report-json-path", str(report))
    sys.stdout.write(fuzzing.stdout)

    assert fuzzing.returncode == 0, fuzzing.stdout
    assert json.loads(report.read_text())["test_cases"]["generated"] >= MIN_CASES
