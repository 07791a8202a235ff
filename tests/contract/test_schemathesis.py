"""The running API, fuzzed by what its own document says of it."""

import json
import sys
from pathlib import Path

from tests.contract.fuzzing import fuzz
from tests.service import Service

LEAST = 2_000  # cases


def test_fuzzing_finds_nothing(service: Service, tmp_path: Path) -> None:
    """Send what the document allows and what it forbids, alone and in sequences that it links."""
    report = tmp_path / "report.json"
    fuzzing = fuzz(service, tmp_path, "--report-json-path", str(report))
    sys.stdout.write(fuzzing.stdout)

    assert fuzzing.returncode == 0, fuzzing.stdout
    assert json.loads(report.read_text())["test_cases"]["generated"] >= LEAST
