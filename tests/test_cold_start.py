"""A cold start imports only modules that the first request needs."""

import subprocess
import sys

LATER = (
    "pymysql",
    "marshmallow",
    "email_validator",
    "boto3",
    "botocore",
    "apispec",
    "aws_xray_sdk",
    "zoneinfo",
    "dataclasses",
    "importlib.resources",
    "chalicelib.tokens.authorizer",
    "chalicelib.http.creates",
    "chalicelib.http.updates",
    "chalicelib.http.conflicts",
    "chalicelib.http.idempotency",
    "chalicelib.customers.lists",
    "jwt",
    "cryptography",
)


def imported_by(statement: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-c", statement]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    return {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}


def test_app_imports_nothing_heavy() -> None:
    modules = imported_by("import app")

    assert "chalicelib" in modules
    assert modules.isdisjoint(LATER)


def test_authorizer_starts_without_its_libraries() -> None:
    assert imported_by("import app, chalicelib.tokens.authorizer").isdisjoint(
        {"cryptography", "http.client", "ssl"}
    )


def test_keys_are_fetched_without_http_client() -> None:
    """http.client would cost more than the rest of the authorizer. Only HTTPS needs ssl."""
    fetch = "from chalicelib.tokens import keys; keys.Keys('http://127.0.0.1:9').find('a', 'ES256')"
    modules = imported_by(f"import contextlib\nwith contextlib.suppress(Exception):\n    {fetch}")

    assert "chalicelib.connections" in modules
    assert modules.isdisjoint({"cryptography", "http.client", "email", "ssl"})


REQUEST = """
import app
route = {"httpMethod": "GET", "resourcePath": "/health", "path": "/health"}
more = ("multiValueQueryStringParameters", "pathParameters", "stageVariables", "body")
trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=%d"
event = {"requestContext": route, "headers": {"X-Amzn-Trace-Id": trace}, **dict.fromkeys(more)}
assert app.app(event, None)["statusCode"] == 200
"""


def test_request_imports_nothing_heavy() -> None:
    """Log lines, metrics and unsampled traces import nothing heavy either."""
    assert imported_by(REQUEST % 0).isdisjoint(LATER)


def test_measurement_detects_heavy_imports() -> None:
    assert {"aws_xray_sdk"} <= imported_by(REQUEST % 1)
    assert {"marshmallow", "email_validator"} <= imported_by(
        "import app, chalicelib.customers.schemas"
    )
    assert "cryptography" in imported_by("import chalicelib.tokens.authorizer, cryptography")


def test_slim_client_imports_no_http_library() -> None:
    """http.client would import email; the first HTTPS call imports ssl."""
    modules = imported_by("from chalicelib.database import slim")

    assert "socket" in modules
    assert modules.isdisjoint({*LATER, "email", "ssl", "requests", "urllib3"})
