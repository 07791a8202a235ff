"""A stored history can be read back."""

import time
from contextlib import closing
from pathlib import Path

from load.chaos.history import Fault, Log, now, read
from tests.load.chaos.written import bulk, change, create, version
from tests.load.chaos.written import read as reading


def test_logged_history_can_be_read_back(tmp_path: Path) -> None:
    operations = [
        create("k1", 0, version(1, "k1")),
        change("k2", 2, 1, 0, 503),
        bulk("k3", 4),
        reading(5, None),
    ]
    fault = Fault("database killed", 1.0, 2.0)
    with closing(Log(tmp_path / "history.jsonl")) as log:
        for operation in operations:
            log.add(operation)
        log.add(fault)

    assert read((tmp_path / "history.jsonl").read_text().splitlines()) == (operations, [fault])


def test_logged_line_contains_outcome_and_key(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "history.jsonl")) as log:
        log.add(change("k2", 2, 1, 0, 412))
    line = (tmp_path / "history.jsonl").read_text()
    assert '"key": "k2"' in line
    assert '"outcome": "unknown"' in line


def test_clock_agrees_with_wall_clock() -> None:
    assert abs(now() - time.time()) < 60  # either may stand still while the machine stalls
