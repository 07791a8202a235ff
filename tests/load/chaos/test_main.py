"""Invalid arguments are rejected before anything starts."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seconds", "4"], "'4' is not from 5 to 3600"),
        (["--seconds", "long"], "'long' is not from 5 to 3600"),
        (["--seed", "x"], "invalid int value: 'x'"),
        (["--backends", "slim,oracle"], "'oracle' is not one of slim, boto3, mysql"),
        (["--broken", "lots"], "'lots' is not one of duplicated, lost, "),
        (["--json", "/no/such/file"], "'/no/such/file' must be a file in an existing folder"),
    ],
)
def test_invalid_argument_is_reported_in_one_line(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "load.chaos", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
