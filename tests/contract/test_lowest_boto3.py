"""The package contains no boto3: it works with the Lambda runtime's boto3, down to this version.

Older versions of botocore can't disable retries, so the SDK would retry writes.
"""

import subprocess
from pathlib import Path

import pytest

from infrastructure import interpreters

ROOT = Path(__file__).parents[2]
LOWEST = "1.12.0"
LAST_THAT_FAILS = "1.11.17"

STATEMENTS = """
import sys
sys.path.insert(0, sys.argv[1])
import boto3
from chalicelib.database import DatabaseError, connect
from chalicelib.settings import Settings
database = connect(Settings(endpoint_url=sys.argv[2]))
sql = "SELECT :n AS n, :text AS text, CAST(NULL AS CHAR) AS nothing"
row = database.fetch_one(sql, n=7, text="é")
assert row == {"n": 7, "text": "é", "nothing": None}, row
try:
    database.execute("INSERT INTO nowhere VALUES (1)")
except DatabaseError as error:
    assert error.code == 1146, error
print(boto3.__version__)
"""


def run_with_version(
    version: str, directory: Path, data_api: str
) -> subprocess.CompletedProcess[str]:
    """Run statements with this version of boto3, in a new environment of the oldest Python.

    These old versions don't run on Python 3.12 and later.
    """
    oldest = interpreters.find(interpreters.SUPPORTED[0])
    if oldest is None:
        pytest.skip(f"Python {interpreters.SUPPORTED[0]} is not installed")
    python = directory / "bin" / "python"
    subprocess.run([oldest, "-m", "venv", directory], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", f"boto3=={version}"]
    subprocess.run(install, check=True, capture_output=True)
    command = [str(python), "-c", STATEMENTS, str(ROOT), data_api]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_lowest_version_runs_statements(tmp_path: Path, data_api: str) -> None:
    answer = run_with_version(LOWEST, tmp_path, data_api)

    assert answer.stdout.strip() == LOWEST, answer.stderr


@pytest.mark.slow
def test_previous_version_fails(tmp_path: Path, data_api: str) -> None:
    answer = run_with_version(LAST_THAT_FAILS, tmp_path, data_api)

    assert 'retry configuration for "mode"' in answer.stderr
