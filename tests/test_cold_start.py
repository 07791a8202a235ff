"""What a cold start imports: nothing that the first request does not need."""

import subprocess
import sys

import pytest

LATER = (
    "pymysql",
    "marshmallow",
    "email_validator",
    "boto3",
    "botocore",
    "apispec",
    "aws_xray_sdk",
    "zoneinfo",
    "jwt",
    "cryptography",
)


def imported_by(statement: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-c", statement]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize("statement", ["import app", "import app, chalicelib.auth"])
def test_app_imports_nothing_heavy(statement: str) -> None:
    modules = imported_by(statement)

    assert "chalicelib" in modules
    assert modules.isdisjoint(LATER)


def test_measurement_would_notice() -> None:
    assert {"marshmallow", "email_validator"} <= imported_by("import app, chalicelib.schemas")
    assert {"jwt", "cryptography"} <= imported_by("import chalicelib.auth, jwt")
