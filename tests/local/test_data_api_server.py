"""The program: its command line, a database that comes and goes, clients that leave."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.data_api.connections import CONNECT_TIMEOUT
from local.data_api.service import KILL_GRACE
from local.mariadb import MariaDB
from local.processes import free_port
from tests.local.data_api import ARNS, DataApi, connect, serving, wait_until


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """Run a database that a test may kill, if it starts it again; it commits nothing by itself."""
    directory = tmp_path_factory.mktemp("private") / "mariadb"
    database = MariaDB(directory, free_port(), {"autocommit": "0"})
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
        timeout=20,
        check=False,
    )


def test_help_tells_the_options_and_no_password() -> None:
    """--help explains every option, and never shows the URL that is set."""
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
def test_a_bad_url_is_one_line(url: str) -> None:
    """A URL that is none ends the program with one line, which does not repeat it."""
    told = run(url=url)
    assert (told.returncode, told.stderr.count("\n"), told.stdout) == (2, 1, "")
    assert told.stderr.startswith("data-api: ")
    assert "hidden" not in told.stderr


def test_a_port_in_use_is_one_line() -> None:
    """A port that is taken ends the program with one line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run("--port", str(port), url="mysql://user:hidden@127.0.0.1/customers")
    assert told.returncode == 2
    assert f"data-api: can't listen on 127.0.0.1:{port}: Address already in use\n" == told.stderr


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon"])
def test_a_time_must_be_able_to_pass(seconds: str) -> None:
    """A timeout that can never come, or is always over, ends the program with what is wrong."""
    told = run(f"--transaction-idle-timeout={seconds}", url="mysql://user:hidden@127.0.0.1/shop")
    assert (told.returncode, told.stdout) == (2, "")
    reason = (
        f"argument --transaction-idle-timeout: must be a number of seconds above 0, got {seconds}\n"
    )
    assert told.stderr.endswith(reason)


def test_it_starts_before_its_database(private: MariaDB, tmp_path: Path) -> None:
    """Without a database calls are DatabaseUnavailableException, 504; with it they succeed."""
    private.stop()
    with serving(private.url, tmp_path) as (url, _):
        api = DataApi(url)
        for call in (lambda: api.execute("SELECT 1"), api.begin):
            with pytest.raises(api.errors.DatabaseUnavailableException) as caught:
                call()
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 504
        private.start()
        assert api.value("SELECT @@autocommit", database="customers") == {"longValue": 1}


def test_it_survives_the_death_of_its_database(private: MariaDB, tmp_path: Path) -> None:
    """A killed database is unavailable, its transactions are gone, and its return is enough."""
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


def test_a_database_that_dies_half_way_through_a_result(private: MariaDB, tmp_path: Path) -> None:
    """A result that breaks off is DatabaseUnavailableException, and the server goes on."""
    sql = "SELECT REPEAT('x', 20000), SLEEP(0.05) FROM seq_1_to_40"
    with serving(private.url, tmp_path) as (url, server):
        api = connect(url)
        killer = threading.Timer(0.7, os.kill, (private.pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(api.errors.DatabaseUnavailableException):
            api.execute(sql)
        killer.join()
        private.start()
        assert api.value("SELECT 1") == {"longValue": 1}
        assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
def test_a_database_that_hangs_hangs_nobody(private: MariaDB, tmp_path: Path) -> None:
    """A database that no longer answers costs a call its time and no more, and may come back."""
    with serving(private.url, tmp_path, "--statement-timeout", "1") as (url, _):
        api = connect(url)
        api.execute("SELECT 1")  # so that one of the two calls need not log in
        os.kill(private.pid, signal.SIGSTOP)
        started = time.monotonic()
        try:
            with ThreadPoolExecutor(2) as threads:
                for call in [threads.submit(api.execute, "SELECT 1") for _ in range(2)]:
                    with pytest.raises(api.errors.StatementTimeoutException):
                        call.result()
            assert time.monotonic() - started < CONNECT_TIMEOUT + KILL_GRACE
        finally:
            os.kill(private.pid, signal.SIGCONT)
        assert api.value("SELECT 1") == {"longValue": 1}


def test_a_restart_between_two_calls_goes_unnoticed(private: MariaDB, tmp_path: Path) -> None:
    """A connection that the database closed while it was idle is not used again."""
    with serving(private.url, tmp_path) as (url, _):
        api = connect(url)
        api.execute("SELECT 1")
        private.stop()
        private.start()
        assert api.value("SELECT 1") == {"longValue": 1}


def test_clients_that_leave_leave_nothing(mariadb: MariaDB, tmp_path: Path) -> None:
    """Clients that hang up, half-way or while their statement runs, leave no connection in use."""
    body = json.dumps({**ARNS, "sql": "SELECT SLEEP(0.5), 'deserted'"}).encode()
    head = f"POST /Execute HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with serving(mariadb.url, tmp_path) as (url, server):
        api = connect(url)
        address = (urlsplit(url).hostname, urlsplit(url).port)
        for _ in range(40):
            with socket.create_connection(address) as half, socket.create_connection(address) as w:
                half.sendall(head + body[:10])
                w.sendall(head + body)
        wait_until(lambda: api.sessions("info LIKE '%deserted%'"))
        wait_until(lambda: not api.sessions("info LIKE '%deserted%'"))
        api.execute("SELECT 1")  # which would wait for ever if the 32 slots were not free again
        assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("signal_", "expected"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)]
)
def test_a_signal_rolls_back_and_ends(
    mariadb: MariaDB, tmp_path: Path, data_api: str, signal_: signal.Signals, expected: int
) -> None:
    """SIGTERM and Ctrl-C end the program in a moment, with what runs and what is open."""
    other = connect(data_api)
    other.execute("CREATE OR REPLACE TABLE farewell (id INT PRIMARY KEY)")
    body = json.dumps({**ARNS, "sql": "SELECT SLEEP(30), 'farewell'"}).encode()
    with serving(mariadb.url, tmp_path) as (url, server):
        api = connect(url)
        api.execute("INSERT INTO farewell VALUES (1)", transactionId=api.begin())
        address = (urlsplit(url).hostname, urlsplit(url).port)
        with socket.create_connection(address) as client:
            client.sendall(
                f"POST /Execute HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            wait_until(lambda: other.sessions("info LIKE '%farewell%'"))
            os.kill(server.pid, signal_)
            wait_until(lambda: server.has_ended)
        assert server.exit_code == expected
        assert not other.sessions("info LIKE '%farewell%'")
        assert "Traceback" not in server.log.read_text()
    other.execute("INSERT INTO farewell VALUES (1)")
