"""Invalid arguments are rejected before anything starts."""

import sys

import pytest

from load.chaos.__main__ import main


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
