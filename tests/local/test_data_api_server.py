"""The program: command line, database restarts, and disconnecting clients."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.database_server import DatabaseServer
from local.processes import free_port
from tests.local.data_api import ARNS, DataApi, connect, numbers, serving, wait_until

HEAD = b"POST /Execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """Run a database that a test may kill, and must restart. Connections don't autocommit."""
    directory = tmp_path_factory.mktemp("private") / "database"
    database = DatabaseServer(directory, free_port(), {"autocommit": "0"})
    try:
        database.start()
        yield database
    finally:
        database.stop()


def run(*arguments: str, url: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.data_api", *arguments],
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_explains_options_without_the_password() -> None:
    """--help explains every option, and never shows the configured URL."""
    told = run("--help", url="mysql://user:hidden@127.0.0.1:3306/customers")
    assert told.returncode == 0
    assert "--statement-timeout" in told.stdout
    assert "hidden" not in told.stdout


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgres://user:hidden@127.0.0.1/customers",
        "mysql://127.0.0.1/customers",
        "mysql://user:hidden@127.0.0.1",
        "mysql://user:hidden@127.0.0.1:port/customers",
        "mysql://user:hidden/slash@127.0.0.1/customers",
    ],
)
@pytest.mark.exhaustive
def test_invalid_url_is_reported_in_one_line(url: str) -> None:
    """An invalid URL ends the program with one line, which does not repeat the URL."""
    told = run(url=url)
    assert (told.returncode, told.stderr.count("\n"), told.stdout) == (2, 1, "")
    assert told.stderr.startswith("data-api: ")
    assert "hidden" not in told.stderr


def test_port_in_use_is_reported_in_one_line(database_server: DatabaseServer) -> None:
    """A port in use ends the program with one line that names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run("--port", str(port), url=database_server.url)
    assert told.returncode == 2
    assert f"data-api: can't listen on 127.0.0.1:{port}: Address already in use\n" == told.stderr


@pytest.mark.exhaustive
@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon"])
def test_invalid_timeout_is_rejected(seconds: str) -> None:
    """A timeout that is not positive ends the program with an explanation."""
    told = run(f"--transaction-idle-timeout={seconds}", url="mysql://user:hidden@127.0.0.1/shop")
    assert (told.returncode, told.stdout) == (2, "")
    reason = (
        f"argument --transaction-idle-timeout: must be a number of seconds above 0, got {seconds}\n"
    )
    assert told.stderr.endswith(reason)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("replaced", "by", "reason"),
    [
        (r"(?<=customers:)[^@]+", "hidden", "Access denied"),
        (r"customers$", "nowhere", "Access denied"),
        (r"$", "?tls=verified", "SSL"),
        (r"$", "?tls=hidden", "options tls"),
        (r"$", "?tls_ca=hidden", "tls_ca has no certificates"),
        (r":[^:/@]+@(.*)$", r"@\1?auth=iam", "auth=iam and secret are not supported"),
    ],
)
def test_failed_login_ends_the_start_in_one_line(
    database_server: DatabaseServer, replaced: str, by: str, reason: str
) -> None:
    """The server logs in once, and so reports a wrong password before any client calls it."""
    told = run("--port", "0", url=re.sub(replaced, by, database_server.url))
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert told.stderr.startswith("data-api: ")
    assert reason in told.stderr
    assert "hidden" not in told.stderr


def test_server_connects_to_another_host_as_the_options_say(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    """127.1 is a loopback address, but not one of the names of this machine."""
    elsewhere = database_server.url.replace("127.0.0.1", "127.1")
    with serving(f"{elsewhere}?tls=off", tmp_path) as (url, server):
        assert DataApi(url).value("SELECT 1", database="customers") == {"longValue": 1}
        assert f"at 127.1:{database_server.port}" in server.log.read_text()


def test_server_starts_without_its_database(private: DatabaseServer, tmp_path: Path) -> None:
    """Without a database, calls return DatabaseUnavailableException, 504; later they succeed."""
    private.stop()
    with serving(private.url, tmp_path) as (url, server):
        assert "calls fail until the database responds" in server.log.read_text()
        api = DataApi(url)
        for call in (lambda: api.execute("SELECT 1"), api.begin):
            with pytest.raises(api.errors.DatabaseUnavailableException) as caught:
                call()
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 504
        private.start()
        assert api.value("SELECT @@autocommit", database="customers") == {"longValue": 1}


def test_server_survives_a_killed_database(private: DatabaseServer, tmp_path: Path) -> None:
    """A killed database is unavailable, and its transactions are lost; a restart is sufficient."""
    with serving(private.url, tmp_path) as (url, _):
        api = connect(url)
        transaction = api.begin()
        os.kill(private.pid, signal.SIGKILL)
        wait_until(lambda: private.process.has_ended)
        for _ in range(3):
            with pytest.raises(api.errors.DatabaseUnavailableException):
                api.execute("SELECT 1")
        with pytest.raises(api.errors.DatabaseUnavailableException):
            api.execute("SELECT 1", transactionId=transaction)
        private.start()
        for _ in range(3):
            assert api.value("SELECT 1") == {"longValue": 1}
        with pytest.raises(api.errors.TransactionNotFoundException, match="aborted"):
            api.commit(transaction)


def test_database_killed_during_a_result_is_unavailable(
    private: DatabaseServer, tmp_path: Path
) -> None:
    """A truncated result is DatabaseUnavailableException, and the server continues."""
    sql = f"SELECT REPEAT('x', 20000), SLEEP(0.5) FROM {numbers(40)}"
    with serving(private.url, tmp_path) as (url, server):
        api = connect(url)

        def kill() -> None:
            wait_until(lambda: api.sessions("info LIKE '%REPEAT%' AND time >= 2"))
            os.kill(private.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(api.errors.DatabaseUnavailableException):
            api.execute(sql)
        killer.join()
        private.start()
        assert api.value("SELECT 1") == {"longValue": 1}
        assert "Traceback" not in server.log.read_text()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_hanging_database_costs_only_the_timeout(private: DatabaseServer, tmp_path: Path) -> None:
    """A hanging database costs a call its timeout, and may recover."""
    with serving(private.url, tmp_path, "--statement-timeout", "1") as (url, _):
        api = connect(url)
        api.execute("SELECT 1")  # so that one of the two calls need not log in
        os.kill(private.pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(2) as threads:
                for call in [threads.submit(api.execute, "SELECT 1") for _ in range(2)]:
                    with pytest.raises(api.errors.StatementTimeoutException):
                        call.result()
        finally:
            os.kill(private.pid, signal.SIGCONT)
        assert api.value("SELECT 1") == {"longValue": 1}


def test_database_restart_between_calls_is_unnoticed(
    private: DatabaseServer, tmp_path: Path
) -> None:
    """A connection that the database closed while it was idle is not reused."""
    with serving(private.url, tmp_path) as (url, _):
        api = connect(url)
        api.execute("SELECT 1")
        private.stop()
        private.start()
        assert api.value("SELECT 1") == {"longValue": 1}


def test_disconnected_clients_leak_no_connection(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    """Clients that disconnect at any time leave no connection in use."""
    sql = "SELECT GET_LOCK('deserted', 40) + RELEASE_LOCK('deserted')"
    body = json.dumps({**ARNS, "sql": sql}).encode()
    head = HEAD % len(body)
    with serving(database_server.url, tmp_path) as (url, server):
        api = connect(url)
        holder = api.begin()
        api.execute("SELECT GET_LOCK('deserted', 0)", transactionId=holder)
        address = (urlsplit(url).hostname, urlsplit(url).port)
        for _ in range(40):
            with socket.create_connection(address) as half, socket.create_connection(address) as w:
                half.sendall(head + body[:10])
                w.sendall(head + body)
        wait_until(lambda: len(api.sessions("info LIKE '%deserted%'")) > 1)
        api.execute("SELECT RELEASE_LOCK('deserted')", transactionId=holder)
        wait_until(lambda: not api.sessions("info LIKE '%deserted%'"))
        api.execute("SELECT 1")  # which would wait for ever if the 32 slots were not free again
        assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("signal_", "expected"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)]
)
def test_signal_rolls_back_and_ends(
    database_server: DatabaseServer,
    tmp_path: Path,
    data_api: str,
    signal_: signal.Signals,
    expected: int,
) -> None:
    """SIGTERM and Ctrl-C end the program at once, including statements that would run longer."""
    other = connect(data_api)
    other.create("farewell (id INT PRIMARY KEY)")
    body = json.dumps({**ARNS, "sql": "SELECT SLEEP(200), 'farewell'"}).encode()
    with serving(database_server.url, tmp_path, "--statement-timeout", "200") as (url, server):
        api = connect(url)
        api.execute("INSERT INTO farewell VALUES (1)", transactionId=api.begin())
        address = (urlsplit(url).hostname, urlsplit(url).port)
        with socket.create_connection(address) as client:
            client.sendall(HEAD % len(body) + body)
            wait_until(lambda: other.sessions("info LIKE '%farewell%'"))
            os.kill(server.pid, signal_)
            wait_until(lambda: server.has_ended)
        assert server.exit_code == expected
        assert not other.sessions("info LIKE '%farewell%'")
        assert "Traceback" not in server.log.read_text()
    other.execute("INSERT INTO farewell VALUES (1)")
