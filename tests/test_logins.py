"""Logins of AWS: the token equals botocore's, and the secret is read for each connection."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import gmtime
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl

import boto3
import pymysql
import pytest
import trustme
from botocore.credentials import Credentials
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.database import DatabaseError, StatementFailed, connect, logins, mysql
from chalicelib.database.address import Address
from chalicelib.database.errors import StatementNotBegun
from chalicelib.database.slim.credentials import Key
from chalicelib.database.slim.signatures import login_token
from chalicelib.settings import Settings, SettingsError
from local.database_server import DatabaseServer
from tests.rds_proxy import Proxy, listening
from tests.slim.requests import KEYS, TIMES

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:customers-prod/application-AbCdEf"
BY_SECRET = f"mysql://db.example.com/customers?secret={SECRET}"
BY_TOKEN = "mysql://functions@db.example.com:3307/customers?auth=iam"


@settings(max_examples=50)
@given(KEYS, st.sampled_from(["app", "a b@c/d"]), TIMES)
def test_token_equals_botocores(key: tuple[str, str, str], user: str, now: int) -> None:
    client = rds_client()
    client._request_signer._credentials = Credentials(key[0], key[1], key[2] or None)
    with patch("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(now, UTC)):
        theirs = client.generate_db_auth_token("db.example.com", 3307, user)
    with patch("chalicelib.database.slim.signatures.gmtime", lambda: gmtime(now)):
        ours = login_token("db.example.com:3307", "eu-west-1", user, Key(*key))

    assert parts(ours) == parts(theirs)


@cache
def rds_client() -> Any:
    return boto3.client("rds", region_name="eu-west-1")


def parts(token: str) -> tuple[str, dict[str, str]]:
    place, _, query = token.partition("?")
    return place, dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables with which Lambda starts a function."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


@pytest.mark.usefixtures("function")
def test_token_replaces_the_password() -> None:
    arguments = mysql.connection_arguments(BY_TOKEN)

    assert arguments["user"] == "functions"
    assert arguments["password"].startswith("db.example.com:3307/?Action=connect&DBUser=functions&")
    assert arguments["ssl"].check_hostname


@pytest.mark.usefixtures("function")
def test_token_without_a_region_or_a_key_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(SettingsError, match="AWS_REGION must name a region"):
        mysql.connection_arguments(BY_TOKEN)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StatementFailed, match="no AWS credentials"):
        mysql.connection_arguments(BY_TOKEN)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("secretsmanager", region_name="eu-west-1")
    monkeypatch.setattr(logins, "_client", lambda _: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def holds(secrets: Stubber, text: str) -> None:
    response = {"SecretString": text}
    secrets.add_response("get_secret_value", response, {"SecretId": SECRET})


def test_each_connection_reads_the_secret(secrets: Stubber) -> None:
    """A rotation switches the secret to the other user."""
    for user in ("application", "application_clone"):
        holds(secrets, json.dumps({"username": user, "password": f"of {user}"}))
        arguments = mysql.connection_arguments(BY_SECRET)
        assert (arguments["user"], arguments["password"]) == (user, f"of {user}")


def test_unreadable_secret_means_that_no_statement_was_executed(secrets: Stubber) -> None:
    secrets.add_client_error("get_secret_value", "AccessDeniedException", "no")
    with pytest.raises(StatementNotBegun, match="secret can't be read: ClientError"):
        mysql.connection_arguments(BY_SECRET)
    failing = ConnectTimeoutError(endpoint_url="https://secretsmanager.eu-west-1.amazonaws.com")
    with (
        patch.object(logins, "_client", side_effect=failing),
        pytest.raises(StatementNotBegun, match="ConnectTimeoutError"),
    ):
        mysql.connection_arguments(BY_SECRET)


@pytest.mark.parametrize("text", ["hidden", '{"username": "hidden"}', '["hidden"]'])
def test_malformed_secret_is_explained_without_repeating_it(secrets: Stubber, text: str) -> None:
    holds(secrets, text)
    with pytest.raises(SettingsError, match="is not JSON with username and password") as caught:
        mysql.connection_arguments(BY_SECRET)
    assert "hidden" not in str(caught.value)


def test_client_of_secrets_gives_up_in_time() -> None:
    config = logins._client(SECRET).meta.config

    assert config.connect_timeout == config.read_timeout == 3
    assert config.retries["total_max_attempts"] == 1


KEY = Credentials("AKIDEXAMPLE", "secret", "session")  # of `function`


@pytest.fixture(scope="module")
def proxy(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    login = Address.parse(database_server.url).login
    directory = tmp_path_factory.mktemp("proxy")
    with listening(directory, "functions", KEY, "eu-west-1", login) as proxy:
        yield proxy


@pytest.mark.usefixtures("function")
def test_function_logs_in_to_a_proxy_once_per_connection(proxy: Proxy) -> None:
    before = proxy.accepted
    database = connect(Settings(database_url=proxy.url))

    for _ in range(2):
        assert database.fetch_one("SELECT 1 AS one, :text AS text", text="é") == {
            "one": 1,
            "text": "é",
        }
    assert proxy.accepted == before + 1


@pytest.mark.usefixtures("function")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_SECRET_ACCESS_KEY", "other"),
        ("AWS_SESSION_TOKEN", "other"),
        ("AWS_REGION", "eu-central-1"),
    ],
)
def test_proxy_rejects_the_token_of_another_key_or_region(
    proxy: Proxy, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(DatabaseError) as rejected:
        connect(Settings(database_url=proxy.url)).ping()
    assert rejected.value.code == 1045


@pytest.mark.usefixtures("function")
def test_proxy_rejects_another_user_an_old_token_and_a_password(proxy: Proxy) -> None:
    other = proxy.url.replace("functions@", "migrations@")
    with patch("chalicelib.database.slim.signatures.gmtime", lambda: gmtime(time.time() - 901)):
        old = mysql.connection_arguments(proxy.url)
    password = old | {"password": "application"}
    for arguments in (mysql.connection_arguments(other), old, password):
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            pymysql.connect(**arguments)


@pytest.mark.usefixtures("function")
def test_token_is_not_sent_to_a_server_with_another_certificate(
    proxy: Proxy, tmp_path: Path
) -> None:
    before, stranger = proxy.accepted, tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(stranger)
    urls = [
        proxy.url.replace(str(proxy.authority), str(stranger)),
        proxy.url.replace("localhost", "127.0.0.1"),
    ]
    for url in urls:
        with pytest.raises(DatabaseError):
            connect(Settings(database_url=url)).ping()
    assert proxy.accepted == before
