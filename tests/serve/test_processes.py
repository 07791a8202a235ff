"""The server's processes, on a real database: start, end, and what goes wrong."""

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pymysql
import pytest
import requests
import trustme
from standardwebhooks import Webhook

from app import SCOPES
from benchmarks import servers
from chalicelib.database import Database
from chalicelib.database.mysql import connection_arguments
from local.database_server import DatabaseServer
from local.processes import free_port
from local.stack import EVENTS_SECRET
from tests import tokens
from tests.consumer import consuming
from tests.local.support import eventually
from tests.serve.running import Serve, environment, running, start
from tests.test_relay import Writer, begin, seconds

pytestmark = pytest.mark.exhaustive  # most tests start servers

CLIENTS = 8


@pytest.fixture(scope="module")
def database_url(database_server: DatabaseServer, migrated: Database) -> str:  # noqa: ARG001
    return database_server.url


@pytest.fixture(scope="module")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    with running(tmp_path_factory.mktemp("serve"), database_url) as started:
        yield started


def authorization() -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.token(*SCOPES)}"}


def run(environ: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Run the command to its end. Returns its exit status and standard error."""
    process = start(environ, *arguments)
    errors = process.communicate(timeout=60)[1].decode()
    return process.returncode, errors


# --- requests --------------------------------------------------------------------------------


def test_customer_can_be_created_and_read(server: Serve) -> None:
    new = {"email": "ada@serve.example", "given_name": "Ada"}
    created = requests.post(
        f"{server.url}/customers", json=new, headers=authorization(), timeout=30
    )
    read = requests.get(
        server.url + created.headers["Location"], headers=authorization(), timeout=30
    )

    assert (created.status_code, read.status_code) == (201, 200)
    assert read.json() == created.json()
    requests.post(f"{read.url}/erase", headers=authorization(), timeout=30)


def test_readiness_includes_the_database(server: Serve) -> None:
    response = requests.get(f"{server.url}/health?deep=true", timeout=30)

    assert response.json() == {"status": "ok", "database": "ok"}


def test_missing_scope_names_the_challenge_without_the_renaming_of_aws(server: Serve) -> None:
    headers = {"Authorization": f"Bearer {tokens.token('customers:read')}"}
    response = requests.post(f"{server.url}/customers", json={}, headers=headers, timeout=30)

    assert response.status_code == 403
    assert 'scope="customers:write"' in response.headers["WWW-Authenticate"]


def test_metrics_count_the_requests_of_all_processes_by_route(server: Serve) -> None:
    path = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b/erase"
    for _ in range(20):  # each on a connection of its own
        assert requests.post(server.url + path, timeout=30).status_code == 401

    names = 'method="POST",route="/customers/{customer_id}/erase",status="401"'
    url = f"http://127.0.0.1:{server.metrics_port}/metrics"  # counts a response after sending it
    eventually(lambda: f"http_requests_total{{{names}}} 20.0" in requests.get(url, timeout=60).text)


def test_refused_request_is_logged_without_personal_data(server: Serve) -> None:
    requests.get(f"{server.url}/people/ada@example.com", timeout=30)

    lines = (server.errors.parent / "log").read_text().splitlines()[1:]
    (line,) = [line for line in map(json.loads, lines) if line.get("path") == "/*/*"]
    assert (line["status"], line["response_type"]) == (404, "MISSING_AUTHENTICATION_TOKEN")


# --- the end of a process --------------------------------------------------------------------


def send_until_closed(port: int, is_running: threading.Event) -> int:
    """Send requests on one connection after the other, until no server listens.

    Returns the number of complete responses. Raises an exception if a request gets none.
    """
    responses = 0
    while True:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            try:
                connection.connect()
            except ConnectionRefusedError:
                return responses
            is_closed = False
            while not is_closed:
                connection.request("GET", "/customers?limit=1", headers=authorization())
                response = connection.getresponse()
                response.read()
                assert response.status == 200
                responses += 1
                is_running.set()
                is_closed = response.headers["Connection"] == "close"


def test_sigterm_under_load_loses_no_request(tmp_path: Path, database_url: str) -> None:
    with (
        running(tmp_path, database_url) as server,
        ThreadPoolExecutor(CLIENTS) as pool,
        closing(socket.create_connection(("127.0.0.1", server.port))) as idle,
    ):
        all_running = [threading.Event() for _ in range(CLIENTS)]
        sent = [pool.submit(send_until_closed, server.port, event) for event in all_running]
        assert all(event.wait(60) for event in all_running)
        server.process.terminate()

        assert all(client.result(60) > 0 for client in sent)
        assert idle.recv(100) == b""
        assert server.process.wait(60) == 0
        assert server.errors.read_text() == ""


def test_killed_worker_is_replaced(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url) as server:
        before = server.workers
        killed = min(before)
        os.kill(killed, signal.SIGKILL)

        eventually(lambda: len(server.workers - before) == 1)
        assert eventually(server.is_healthy)
        line = f"serve: worker {killed} ended (SIGKILL): starting another\n"
        assert server.errors.read_text() == line


def test_workers_end_when_the_supervisor_is_killed(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url) as server:
        workers = [psutil.Process(pid) for pid in server.workers]
        server.process.kill()

        assert psutil.wait_procs(workers, timeout=30)[1] == []


def test_server_ends_if_workers_do_not_start(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'serve.worker' in sys.orig_argv: sys.exit('broken')\n"
    )
    status, errors = run(environment(database_url, PYTHONPATH=str(tmp_path)))

    assert status == 1
    assert "serve: workers don't start: see the lines above" in errors.splitlines()


# --- a server that can't work does not start -------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"CURSOR_KEY": "", "TOKEN_ISSUER": ""}, "variables TOKEN_ISSUER, CURSOR_KEY: docs/"),
        ({"CURSOR_KEY": "short"}, "CURSOR_KEY must have 32 characters or more"),
        ({"DATABASE_URL": "postgres://localhost/a"}, "DATABASE_URL is wrong: A database's address"),
        ({"PORT": "http"}, "PORT must be a number from 1 to 65535, got 'http'"),
        ({"THREADS": "0"}, "THREADS must be a number from 1 to 256, got '0'"),
        ({"RATE_LIMIT": "many"}, "RATE_LIMIT must be rate/burst, such as 50/100, got 'many'"),
        ({"RETENTION_DAYS": "0"}, "RETENTION_DAYS must be from 1 to 3650"),
        ({"DATABASE_URL": "mysql://a:b@127.0.0.1:1/c"}, "can't use mysql://a@127.0.0.1:1/c: Can't"),
        ({"HOST": "nowhere.invalid"}, "can't listen on nowhere.invalid:"),
    ],
)
def test_fault_is_reported_in_one_line(
    database_url: str, variables: dict[str, str], reason: str
) -> None:
    status, errors = run(environment(database_url, **variables))

    assert status == 1
    assert errors.startswith("serve: ")
    assert reason in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("name", ["PORT", "METRICS_PORT"])
def test_port_in_use_is_reported(server: Serve, database_url: str, name: str) -> None:
    port = server.port if name == "PORT" else server.metrics_port
    status, errors = run(environment(database_url, **{name: str(port)}))

    address = f"127.0.0.1:{port}: Address already in use\n"
    assert (status, errors) == (1, f"serve: can't listen on {address}")


def test_database_without_tables_is_reported(database_server: DatabaseServer) -> None:
    with (
        pymysql.connect(**connection_arguments(database_server.url)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE DATABASE customers_empty")
        status, errors = run(environment(f"{database_server.url}_empty"))
        cursor.execute("DROP DATABASE customers_empty")

    assert status == 1
    assert errors == "serve: the database has no tables: run `python -m migrations`\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk to write to")
def test_full_disk_of_the_log_is_reported(database_url: str) -> None:
    with Path("/dev/full").open("wb") as full:
        environ = environment(database_url)
        process = start(environ, stdout=full.fileno())
        errors = process.communicate(timeout=60)[1].decode()

    reason = "can't write the log to standard output: No space left on device"
    assert (process.returncode, errors) == (1, f"serve: {reason}\n")


def test_expired_certificate_of_the_database_is_reported(tmp_path: Path) -> None:
    authority = trustme.CA()
    expired = authority.issue_cert("localhost", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    expired.private_key_pem.write_to_path(tmp_path / "key.pem")
    expired.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    options = {"ssl-cert": f"{tmp_path}/cert.pem", "ssl-key": f"{tmp_path}/key.pem"}
    database = DatabaseServer(tmp_path / "local" / "database", free_port(), options)
    try:
        database.start()
        url = f"{database.url.replace('127.0.0.1', 'localhost')}?tls_ca={tmp_path}/ca.pem"
        status, errors = run(environment(url))
    finally:
        database.stop()

    assert status == 1
    assert "certificate has expired" in errors
    assert errors.count("\n") == 1


# --- the database, later ----------------------------------------------------------------------


def test_database_that_is_unavailable_later_is_reported_and_used_again(tmp_path: Path) -> None:
    with servers.database(tmp_path / "local") as database, serving(database, tmp_path) as server:
        database.stop()
        failed = requests.get(f"{server.url}/customers", headers=authorization(), timeout=60)
        ready = requests.get(f"{server.url}/health?deep=true", timeout=60)
        assert (failed.status_code, ready.status_code) == (503, 503)
        assert "Retry-After" in failed.headers
        assert server.is_healthy()
        lines = map(json.loads, (tmp_path / "log").read_text().splitlines()[1:])
        operation = [line for line in lines if line.get("operation") == "get_customers"]
        assert [line["status"] for line in operation if line["message"] == "request"] == [503]

        database.start()
        again = requests.get(f"{server.url}/customers", headers=authorization(), timeout=60)
        assert again.status_code == 200
        assert server.errors.read_text() == ""


@contextmanager
def serving(database: DatabaseServer, directory: Path) -> Iterator[Serve]:
    servers.migrate(database.url)
    with running(directory, database.url, PROCESSES="1") as server:
        yield server


# --- cron ------------------------------------------------------------------------------------


def test_purge_erases_customers_after_their_purge_date(
    server: Serve, migrated: Database, database_url: str
) -> None:
    customers, new = f"{server.url}/customers", {"email": "old@serve.example", "given_name": "Old"}
    old = requests.post(customers, json=new, headers=authorization(), timeout=30).json()["id"]
    requests.delete(f"{customers}/{old}", headers=authorization(), timeout=30)
    migrated.execute("UPDATE customers SET purge_at = '2020-01-01' WHERE deleted_at IS NOT NULL")

    assert run(environment(database_url), "purge") == (0, "")
    restored = requests.post(f"{customers}/{old}/restore", headers=authorization(), timeout=30)
    assert restored.status_code == 404
    emails = [row["email"] for row in migrated.fetch_all("SELECT email FROM customers")]
    assert new["email"] not in emails


def test_purge_without_database_is_reported_in_one_line() -> None:
    status, errors = run(environment("mysql://a:b@127.0.0.1:1/c"), "purge")

    assert status == 1
    assert errors.startswith("serve: can't use mysql://a@127.0.0.1:1/c")
    assert errors.count("\n") == 1


def test_relay_sends_signed_events_until_they_are_accepted(
    migrated: Database, database_url: str
) -> None:
    writer = Writer(migrated)
    writer.write(1, -8)
    begin(migrated, seconds(-60))
    with consuming() as consumer:
        environ = environment(database_url, EVENTS_URL=consumer.url, EVENTS_SECRET=EVENTS_SECRET)
        consumer.statuses = [500, 500, 500]
        rejected = run(environ, "relay")
        sent = run(environ, "relay")

    line = "serve: EVENTS_URL accepts no events: the next run sends them again\n"
    assert (rejected, sent) == ((1, line), (0, ""))
    (*_, (headers, body)) = consumer.requests
    assert len(consumer.requests) == 4
    verified = Webhook(EVENTS_SECRET).verify(body, headers)
    assert [verified["id"]] == writer.ids


@pytest.mark.parametrize("missing", ["EVENTS_URL", "EVENTS_SECRET"])
def test_relay_without_a_setting_is_reported_in_one_line(missing: str) -> None:
    settings = {"EVENTS_URL": "http://127.0.0.1:1/hook", "EVENTS_SECRET": EVENTS_SECRET}
    environ = environment("mysql://a:b@127.0.0.1:1/c", **settings) | {missing: ""}
    status, errors = run(environ, "relay")

    assert status == 1
    assert errors.startswith(f"serve: {missing} must be")
    assert errors.count("\n") == 1
