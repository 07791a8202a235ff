"""The running API, fuzzed by what its own document says of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from openapi import ROOT, SHOWN
from tests.service import Service

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
LEAST = 2_000  # cases


def test_fuzzing_finds_nothing(service: Service, tmp_path: Path) -> None:
    """Send what the document allows and what it forbids, alone and in sequences that it links."""
    program = Path(sys.executable).with_name("schemathesis")
    report = tmp_path / "report.json"
    command = (
        *(program, "--config-file", CONFIGURATION, "run", SHOWN, "--url", service.url),
        *("--no-color", "--report-json-path", report),
    )
    environment = {**os.environ, "CONTRACT_TOKEN": service.token, "PYTHONPATH": str(ROOT)}
    fuzzing = subprocess.run(
        command, env=environment, check=False, cwd=tmp_path, capture_output=True, text=True
    )
    sys.stdout.write(fuzzing.stdout)  # the seed, the counts, and how to repeat what failed

    assert fuzzing.returncode == 0, fuzzing.stdout
    assert json.loads(report.read_text())["test_cases"]["generated"] >= LEAST
