"""The running API, fuzzed according to its OpenAPI document."""

import json
import sys
from pathlib import Path

import pytest

from app import SCOPES
from benchmarks import servers
from tests import tokens
from tests.contract.fuzzing import fuzz
from tests.serve.running import running
from tests.service import Service

MIN_CASES = 2_000


def test_fuzzing_finds_nothing(service: Service, tmp_path: Path) -> None:
    """Send valid and invalid requests, alone and in sequences along the document's links."""
    report = tmp_path / "report.json"
    fuzzing = fuzz(service, tmp_path, "--report-json-path", str(report))
    sys.stdout.write(fuzzing.stdout)

    assert fuzzing.returncode == 0, fuzzing.stdout
    assert json.loads(report.read_text())["test_cases"]["generated"] >= MIN_CASES


@pytest.mark.exhaustive
def test_fuzzing_of_serve_finds_nothing(tmp_path: Path) -> None:
    with servers.database(tmp_path) as database:
        servers.migrate(database.url)
        with running(tmp_path, database.url) as server:
            fuzzing = fuzz(Service(server.url, tokens.token(*SCOPES), database), tmp_path)

    assert fuzzing.returncode == 0, fuzzing.stdout
