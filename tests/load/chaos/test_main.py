"""Invalid arguments are rejected before anything starts; a run has enough operations."""

import sys
from contextlib import closing
from pathlib import Path

import pytest

from load.chaos.__main__ import _progress, main
from load.chaos.history import Log
from tests.load.chaos.written import create, version


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seconds", "4"], "'4' is not from 5 to 3600"),
        (["--seconds", "long"], "'long' is not from 5 to 3600"),
        (["--seed", "x"], "invalid int value: 'x'"),
        (["--backends", "slim,oracle"], "'oracle' is not one of slim, boto3, mysql"),
        (["--serve", "--broken", "lost"], "--broken needs the local gateway: omit --serve"),
        (["--broken", "lots"], "'lots' is not one of duplicated, lost, "),
        (["--json", "/no/such/file"], "'/no/such/file' must be a file in an existing folder"),
    ],
)
def test_invalid_argument_is_reported_in_one_line(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["load.chaos", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_run_ends_after_its_time_and_enough_operations(tmp_path: Path) -> None:
    with (
        closing(Log(tmp_path / "history.jsonl")) as log,
        _progress(0.001, log, minimum=2) as wait,
    ):
        for number in range(2):
            assert not wait(0.01)
            log.add(create(f"k{number}", 0, version(1, f"k{number}")))
        assert wait(0.01)
