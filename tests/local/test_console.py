"""The console tells the issuer's keys to this machine, and nothing to another site's pages."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from chalicelib.auth import SCOPES, Verifier
from chalicelib.settings import LOCAL_AUDIENCE, TokenSettings
from local.issuer import Issuer
from local.processes import Child, answers, free_port

PATHS = ("/", "/.well-known/jwks.json", "/.well-known/openid-configuration")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def console(state: Path) -> Iterator[str]:
    port = free_port()
    with Child(
        "console",
        [sys.executable, "-m", "local.console", "--port", str(port)],
        state / "logs" / "console.log",
        {**os.environ, "LOCAL_STATE": str(state)},
    ) as server:
        server.wait_until(lambda: answers(port), seconds=30)
        yield f"http://127.0.0.1:{port}"


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=9)


def test_keys_are_those_of_the_printed_tokens(console: str, state: Path) -> None:
    configuration = get(console + "/.well-known/openid-configuration").json()
    settings = TokenSettings(configuration["issuer"], (LOCAL_AUDIENCE,), configuration["jwks_uri"])

    caller = Verifier(settings).verify(f"Bearer {Issuer(state, console).token()}")

    assert caller.scopes == set(SCOPES) == set(configuration["scopes_supported"])
    assert configuration["issuer"] == console


def test_home_says_what_is_here(console: str) -> None:
    page = get(console)

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert all(path in page.text for path in PATHS)


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_every_answer_keeps_browsers_careful(console: str, path: str) -> None:
    answer = get(console + path)

    assert answer.status_code == (404 if path == "/nothing" else 200)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Server" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["attacker.example.com", "127.0.0.1.example.com", "192.168.0.1", "www.localhost", ""]
)
def test_other_names_of_this_address_are_refused(console: str, path: str, host: str) -> None:
    """A page of another site could have its own name lead here: DNS rebinding."""
    answer = get(console + path, Host=host)

    assert answer.status_code == 400
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_localhost_is_a_name_of_it(console: str) -> None:
    assert get(console, Host="localhost:8003").status_code == 200


def test_other_methods_are_refused(console: str) -> None:
    assert requests.post(console + PATHS[1], timeout=9).status_code == 405


def test_damaged_keys_are_explained(tmp_path: Path) -> None:
    (tmp_path / "issuer.json").write_text("{}")

    done = subprocess.run(
        [sys.executable, "-m", "local.console", "--port", str(free_port())],
        env={**os.environ, "LOCAL_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith(f"console: {tmp_path}/issuer.json can't be read")
