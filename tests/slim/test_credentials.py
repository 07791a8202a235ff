"""Credentials from Lambda, with a real endpoint."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.database import DatabaseUnavailable, StatementFailed
from chalicelib.database.slim import credentials
from chalicelib.database.slim.credentials import Credentials, Key
from tests.slim.server import Play, Server, answers, serving

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "AWS_SESSION_TOKEN": "t0ken",
}
HOUR = 3_600


def issued(seconds: float, **members: Any) -> Play:
    """Return a play that issues a key, which expires after this many seconds."""
    content = {
        "AccessKeyId": f"ASIA{seconds:.0f}",
        "SecretAccessKey": "s3cret",
        "Token": "t0ken",
        "Expiration": f"{datetime.fromtimestamp(time.time() + seconds, UTC):%Y-%m-%dT%H:%M:%SZ}",
        **members,
    }
    return said(json.dumps(content))


def said(body: str, status: int = 200) -> Play:
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
    return answers(f"{head}{body}".encode())


@contextmanager
def endpoint(*plays: Play) -> Iterator[tuple[Server, Credentials]]:
    with serving(*plays) as server:
        url = f"http://127.0.0.1:{server.port}/v1/credentials?x=y"
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic-abc",
        }
        yield server, Credentials(environ)


def test_credentials_come_from_the_environment() -> None:
    key = Credentials(ENVIRON).current()

    assert (key.id, key.secret, key.token) == ("ASIAEXAMPLE", "s3cret", "t0ken")


def test_credentials_are_not_in_the_repr() -> None:
    held = Credentials(ENVIRON)

    shown = repr(held.current()) + repr(held)

    assert not any(secret in shown for secret in ENVIRON.values())


def test_credentials_are_read_once_on_first_use() -> None:
    """After SnapStart restores a function, the credentials differ from those at its start."""
    environ: dict[str, str] = {}
    held = Credentials(environ)
    environ |= ENVIRON

    assert held.current() is held.current()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": ""},
        {"AWS_ACCESS_KEY_ID": "ASIAEXAMPLE"},
        {"AWS_SECRET_ACCESS_KEY": "s3cret"},
    ],
)
def test_missing_credentials_raise_statement_failed(environ: dict[str, str]) -> None:
    with pytest.raises(StatementFailed, match="no AWS credentials"):
        Credentials(environ).current()


def test_credentials_come_from_the_endpoint() -> None:
    with endpoint(issued(HOUR)) as (server, held):
        key = held.current()
        assert held.current() is key

    assert (key.id, key.secret, key.token) == ("ASIA3600", "s3cret", "t0ken")
    assert key.expiry == pytest.approx(time.time() + HOUR, abs=60)
    (request,) = server.requests
    assert request.startswith(b"GET /v1/credentials?x=y HTTP/1.1\r\nhost:127.0.0.1:")
    assert b"\r\nauthorization:Basic-abc\r\n" in request


def test_credentials_are_renewed_before_they_expire() -> None:
    with endpoint(issued(credentials.EARLY_SECONDS - 1), issued(HOUR)) as (server, held):
        first, second = held.current(), held.current()
        assert held.current() is second

    assert (first.id, second.id) == ("ASIA299", "ASIA3600")
    assert len(server.requests) == 2


def test_valid_key_is_used_while_the_endpoint_is_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with endpoint(issued(credentials.EARLY_SECONDS - 1), said("", 500), said("", 500)) as (_, held):
        first = held.current()
        assert held.current() is first
        expired = time.time() + credentials.EARLY_SECONDS
        monkeypatch.setattr(time, "time", lambda: expired)
        with pytest.raises(DatabaseUnavailable, match="Could not fetch AWS credentials"):
            held.current()


def test_chunked_endpoint_response_is_read() -> None:
    """AWS's own endpoint (a Go server) does this for more than 2,048 bytes."""
    content = {"AccessKeyId": "ASIA", "SecretAccessKey": "s3cret", "Token": "t" * 3_000}
    body = json.dumps({**content, "Expiration": "2099-01-01T00:00:00Z"}).encode()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n" % (2_048, body[:2_048], len(body[2_048:]), body[2_048:])
    with endpoint(answers(head + chunks + b"0\r\n\r\n")) as (_, held):
        assert held.current().token == "t" * 3_000


def test_token_file_is_read_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    with serving(issued(0)) as server:
        held = Credentials(
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://localhost:{server.port}",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
            }
        )
        held.current()
        file.write_text("second")
        held.current()
    assert [b"authorization:first\r\n" in server.requests[0]] == [True]
    assert [b"authorization:second\r\n" in server.requests[1]] == [True]
    assert server.requests[0].startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "play",
    [
        said("", 500),
        said("{}"),
        said("[]"),
        said("{garbage"),
        said('{"AccessKeyId": "s3cret'),
        issued(HOUR, Expiration="tomorrow"),
        issued(HOUR, Expiration=None),
        answers(b"not HTTP"),
    ],
)
def test_invalid_endpoint_response_raises_database_unavailable(play: Play) -> None:
    with (
        endpoint(play) as (_, held),
        pytest.raises(DatabaseUnavailable, match="Could not fetch AWS credentials") as caught,
    ):
        held.current()
    assert "s3cret" not in str(caught.value)


def test_unreachable_endpoint_raises_database_unavailable() -> None:
    held = Credentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"})

    with pytest.raises(DatabaseUnavailable, match="ConnectionRefusedError"):
        held.current()


def test_missing_token_file_is_an_error() -> None:
    held = Credentials(
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere",
        }
    )

    with pytest.raises(DatabaseUnavailable, match="FileNotFoundError"):
        held.current()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://169.254.169.254/",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1@example.com/",
        "https://localhost/",
        "nonsense",
        "http://localhost/\r\nX: y",
    ],
)
def test_token_is_sent_only_to_permitted_hosts(url: str) -> None:
    with pytest.raises(StatementFailed, match="no near endpoint"):
        Credentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}).current()


def test_key_without_session_token_is_used() -> None:
    assert Key("id", "secret").token == ""
