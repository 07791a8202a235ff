"""The server with the SDK of another language: AWS's JavaScript SDK on Node."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.database_server import DatabaseServer
from tests.local.data_api import ARNS, DATABASE, connect, serving

NODE = Path(__file__).parent / "node"
INSTALLED = NODE / "node_modules" / ".package-lock.json"
KEY = {"DATA_API_ACCESS_KEY_ID": "AKIDNODE", "DATA_API_SECRET_ACCESS_KEY": "s/e+c=ret"}


@pytest.fixture(scope="module")
def sdk() -> Path:
    """Install the SDK that is locked next to this file, if necessary. Return its folder."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("the tests of AWS's SDK for JavaScript take Node and npm")
    lock = NODE / "package-lock.json"
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        npm = run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
        if npm.returncode:
            pytest.skip(f"npm could not install AWS's SDK for JavaScript: {npm.stderr}")
        INSTALLED.touch()
    return NODE


def run(
    *command: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=NODE,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.exhaustive
@pytest.mark.slow
def test_javascript_sdk_works(sdk: Path, database_server: DatabaseServer, tmp_path: Path) -> None:
    """Types, null, blobs, big integers, parameters, errors, transactions and signatures work."""
    arns = ["--resource-arn", ARNS["resourceArn"], "--secret-arn", ARNS["secretArn"]]
    options = [*arns, "--statement-timeout", "6"]
    with serving(database_server.url, tmp_path, *options, environment=KEY) as (url, _):
        connect(url, (KEY["DATA_API_ACCESS_KEY_ID"], KEY["DATA_API_SECRET_ACCESS_KEY"]))
        where = {
            "DATA_API_URL": url,
            "DATABASE": DATABASE,
            "RESOURCE_ARN": ARNS["resourceArn"],
            "SECRET_ARN": ARNS["secretArn"],
        }
        told = run("node", "--test", str(sdk / "conformance.mjs"), environment=KEY | where)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "pass 6" in told.stdout
