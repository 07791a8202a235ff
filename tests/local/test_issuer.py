"""The local token issuer: its keys stay private, and the API accepts its tokens."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app import SCOPES
from chalicelib.settings import LOCAL_AUDIENCE, LOCAL_ISSUER, TokenSettings
from chalicelib.tokens.authorizer import InvalidToken, Verifier
from local.issuer import Issuer
from local.processes import LocalError
from tests.test_auth import KeyServer

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with closing(KeyServer()) as server:
        yield server


@pytest.fixture
def issuer(tmp_path: Path, server: KeyServer) -> Issuer:
    issuer = Issuer(tmp_path)
    server.publish(*issuer.jwks()["keys"])
    return issuer


@pytest.fixture
def verifier(server: KeyServer) -> Verifier:
    return Verifier(TokenSettings(LOCAL_ISSUER, (LOCAL_AUDIENCE,), server.url))


def run(state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.issuer", *arguments],
        cwd=PROJECT,
        env={**os.environ, "LOCAL_STATE": str(state), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_issued_token_is_accepted_by_the_api(
    issuer: Issuer, verifier: Verifier, algorithm: str
) -> None:
    text = issuer.token(["customers:read"], subject="ada", seconds=60, algorithm=algorithm)

    caller = verifier.verify(f"Bearer {text}")

    assert caller.subject == "ada"
    assert caller.scopes == {"customers:read"}
    assert caller.expires == pytest.approx(time.time() + 60, abs=30)


def test_claims_can_be_replaced_or_removed(issuer: Issuer, verifier: Verifier) -> None:
    for text in (
        issuer.token(audience="other"),
        issuer.token(seconds=-60),
        issuer.token(iss="https://elsewhere.example.com"),
        issuer.token(sub=None),
    ):
        with pytest.raises(InvalidToken):
            verifier.verify(f"Bearer {text}")


def test_keys_are_stored_between_runs(tmp_path: Path, issuer: Issuer) -> None:
    assert Issuer(tmp_path).jwks() == issuer.jwks()
    assert Issuer(tmp_path / ".").jwks() == issuer.jwks()


def test_only_public_keys_are_published(issuer: Issuer) -> None:
    private = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

    assert [key["alg"] for key in issuer.jwks()["keys"]] == ["ES256", "RS256"]
    assert all(private.isdisjoint(key) for key in issuer.jwks()["keys"])


def test_keys_are_readable_only_by_the_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Issuer(tmp_path)
    finally:
        os.umask(before)

    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_concurrently_started_issuers_share_keys(tmp_path: Path) -> None:
    program = "import sys, pathlib, local.issuer as i; sys.stdin.read()\n"
    program += "print(i.Issuer(pathlib.Path(sys.argv[1])).jwks())"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    published = {process.communicate(timeout=60)[0] for process in started}

    assert len(published) == 1
    assert b"ES256" in published.pop()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"keys": [1]}', "\0"])
def test_damaged_keys_are_explained(tmp_path: Path, text: str) -> None:
    file = tmp_path / "issuer.json"
    file.write_text(text)

    with pytest.raises(LocalError, match=f"can't read {file}: delete it"):
        Issuer(tmp_path)
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_failed_write_leaves_no_file(tmp_path: Path) -> None:
    file = tmp_path / "issuer.json"
    file.symlink_to(tmp_path / "gone")

    with pytest.raises(OSError, match="No such file"):
        Issuer(tmp_path)

    assert list(tmp_path.iterdir()) == [file]


def test_only_the_token_is_printed(tmp_path: Path, server: KeyServer, verifier: Verifier) -> None:
    done = run(tmp_path / "new")

    assert (done.returncode, done.stderr) == (0, "")
    server.publish(*Issuer(tmp_path / "new").jwks()["keys"])
    caller = verifier.verify(f"Bearer {done.stdout.removesuffix(chr(10))}")
    assert caller.scopes == set(SCOPES)
    assert caller.expires == pytest.approx(time.time() + 12 * 3_600, abs=60)


def test_token_names_the_running_console(tmp_path: Path, server: KeyServer) -> None:
    done = run(tmp_path, "--scope", "customers:erase", CONSOLE_PORT="8013")
    server.publish(*Issuer(tmp_path).jwks()["keys"])
    settings = TokenSettings("http://127.0.0.1:8013", (LOCAL_AUDIENCE,), server.url)

    assert Verifier(settings).verify(f"Bearer {done.stdout.strip()}").scopes == {"customers:erase"}


@pytest.mark.parametrize("scope", ["customers", "customers:read,customers:write", "openid"])
def test_unknown_scope_error_names_valid_scopes(tmp_path: Path, scope: str) -> None:
    done = run(tmp_path, "--scope", scope)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"unknown scope: {scope}; valid scopes: {' '.join(SCOPES)}\n")
    assert list(tmp_path.iterdir()) == []


def test_invalid_port_is_explained(tmp_path: Path) -> None:
    done = run(tmp_path, CONSOLE_PORT="eighty")

    assert done.returncode == 1
    assert done.stderr == (
        "error: CONSOLE_PORT must be a port number from 1024 to 65535, and is 'eighty'\n"
    )


def test_keys_are_json_web_keys(tmp_path: Path) -> None:
    Issuer(tmp_path)

    kept = json.loads((tmp_path / "issuer.json").read_text())["keys"]
    assert [(key["kty"], key["alg"]) for key in kept] == [("EC", "ES256"), ("RSA", "RS256")]
