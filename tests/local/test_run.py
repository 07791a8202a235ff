"""`python -m local run` starts everything, prints the next steps, and leaves no process behind."""

import argparse
import contextlib
import http.client
import json
import os
import pty
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
import requests
from pymysql.cursors import Cursor

from app import SCOPES
from chalicelib.database.mysql import connection_arguments
from chalicelib.settings import LOCAL_AUDIENCE, TokenSettings
from chalicelib.tokens.authorizer import Verifier
from local import engines
from local.database_server import DatabaseServer
from local.issuer import Issuer
from local.processes import PROJECT, answers, free_port
from local.stack import SAMPLE_SIZE
from tests.local.run import Run, copy_of_project
from tests.local.support import disk, eventually, is_alive, processes

ENGINE = engines.selected()


def paste(command: str) -> int:
    """Send the request of a curl command, without needing curl; return the status."""
    curl = argparse.ArgumentParser()
    curl.add_argument("curl")
    curl.add_argument("-i", action="store_true")
    curl.add_argument("url")
    curl.add_argument("-H", action="append", default=[])
    curl.add_argument("-d")
    words = curl.parse_args(shlex.split(command.replace("\\\n", "")))
    headers = dict(header.split(": ") for header in words.H)
    method = "POST" if words.d else "GET"
    return requests.request(
        method, words.url, headers=headers, data=words.d, timeout=60
    ).status_code


def with_token(command: str, service: Run) -> str:
    """Replace `$(... make -s token)` like a shell; assert that the token is valid."""
    found = re.search(r"\$\((.* make -s token)\)", command)
    assert found
    environment = {k: v for k, v in service.environment.items() if k not in service.own}
    shell = ["sh", "-c", found[1]]
    done = subprocess.run(shell, cwd=PROJECT, env=environment, capture_output=True, check=True)
    token = done.stdout.decode().removesuffix("\n")
    keys = f"{service.console_url}/.well-known/jwks.json"
    verifier = Verifier(TokenSettings(service.console_url, (LOCAL_AUDIENCE,), keys))
    assert verifier.verify(f"Bearer {token}").scopes == set(SCOPES)
    return command.replace(found[0], token)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_run_starts_and_stops_the_whole_service(tmp_path: Path) -> None:
    with Run(tmp_path, "run") as service:
        said = service.read_until("Ctrl-C")
        family = service.family()

        assert re.search(rf"database   ready in [\d.]+ s: {ENGINE.find()}\n", said)
        assert said.count("\n") <= 12  # with setup and an installation, a terminal shows 15
        assert len(items(service, service.ports["PORT"])) > 1
        commands = re.findall(r"curl (?:.*\\\n)*.*", said)
        assert len(commands) == 2
        for command in commands:
            assert paste(with_token(command, service)) in {200, 201}
        with another_api(service) as port:
            assert items(service, port)[0]["email"] == "joan@example.com"

        service.process.send_signal(signal.SIGINT)
        assert service.finish() == (130, "")
        assert "Shutdown complete" in (tmp_path / "logs" / f"{ENGINE.name}.log").read_text()
        assert len(family) == 4
        assert not any(map(is_alive, family))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_api_restarts_when_its_code_changes(tmp_path: Path) -> None:
    project = copy_of_project(tmp_path)
    app = project / "app.py"
    with Run(tmp_path / "state", "run", project=project) as service:
        service.read_until("Ctrl-C")
        port = service.ports["PORT"]

        with app.open("a") as file:
            file.write("def\n")
        assert "SyntaxError" in service.read_until("The next change")

        app.write_text(app.read_text().replace("def\n", "").replace("ok", "better"))
        service.read_until("API")
        assert b"better" in get(port, "/health")[1]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_killed_run_leaves_no_process_and_the_next_run_starts_immediately(tmp_path: Path) -> None:
    with Run(tmp_path, "run", "--no-api") as first:
        assert "continuing" not in first.read_until("Ctrl-C")
        family = first.family()
        first.process.kill()
        first.finish()

    with Run(tmp_path, "run", "--no-api", environment=first.environment) as second:
        assert "continuing with the data of 20" in second.read_until("database")
        assert not any(map(is_alive, family))
        assert len(family) == 3
        second.process.terminate()
        assert second.finish() == (143, "")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_end_of_a_program_ends_the_run_and_is_reported(tmp_path: Path) -> None:
    with Run(tmp_path, "run", "--no-api") as service:
        service.read_until("Ctrl-C")
        family = service.family()
        os.kill(program_of(service, "local.data_api"), signal.SIGKILL)
        code, errors = service.finish()

    log = tmp_path / "logs" / "data-api.log"
    assert code == 1
    assert errors.startswith(f"error: data-api ended (SIGKILL); {log} ends:\n")
    assert "RDS Data API on" in errors
    assert "Traceback" not in errors
    eventually(lambda: not any(map(is_alive, family)))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_killed_database_is_restarted(tmp_path: Path) -> None:
    with Run(tmp_path, "run") as service:
        service.read_until("Ctrl-C")
        port = service.ports["PORT"]
        there = items(service, port)

        os.kill(program_of(service, "--datadir"), signal.SIGKILL)

        assert f"{ENGINE.name} ended (SIGKILL)" in service.read_until("database   ready")
        eventually(lambda: get(port, "/health?deep=true")[0] == 200)
        assert items(service, port) == there


def test_equal_ports_are_rejected(tmp_path: Path) -> None:
    port = str(free_port())

    run = Run(tmp_path, "run", environment={"PORT": port, "DATA_API_PORT": port})

    assert run.finish() == (
        1,
        f"error: DATA_API_PORT is {port}, and so is another port: choose different ports\n",
    )


@pytest.mark.parametrize("said", ["", "database"])
def test_ctrl_c_during_startup_is_quiet(tmp_path: Path, said: str) -> None:
    with Run(tmp_path, "run") as service:
        if said:
            service.read_until(said)
        family = eventually(service.family)
        service.process.send_signal(signal.SIGINT)

        assert service.finish() == (130, "")
        if said:  # if interrupted while starting a program, the reaper ends that program
            assert not any(map(is_alive, family))
        eventually(lambda: not any(map(is_alive, family)))


@pytest.mark.exhaustive
def test_second_run_and_reset_are_rejected(tmp_path: Path) -> None:
    with Run(tmp_path, "run") as service:
        service.read_until("database")

        for command in ("run", "reset"):
            code, errors = Run(tmp_path, command).finish()

            assert code == 1
            assert errors == (
                f"error: {tmp_path} is in use by another `make run`, "
                f"process {service.process.pid}: stop it first\n"
            )


@pytest.mark.parametrize("name", ["PORT", "DATA_API_PORT", "DATABASE_PORT", "CONSOLE_PORT"])
def test_port_in_use_is_reported_with_an_alternative(tmp_path: Path, name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        code, errors = Run(tmp_path, "run", environment={name: str(port)}).finish()

    assert code == 1
    assert errors == (
        f"error: port {port} is in use by another program: "
        f"choose another with `make run {name}={port + 10}`\n"
    )


def test_udp_port_in_use_is_reported_with_an_alternative(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]

        code, errors = Run(tmp_path, "run", environment={"XRAY_PORT": str(port)}).finish()

    assert code == 1
    assert errors == (
        f"error: port {port} is in use by another program: "
        f"choose another with `make run XRAY_PORT={port + 10}`\n"
    )


@pytest.mark.parametrize("port", ["eighty", "80", "65536", "-1"])
def test_invalid_port_is_explained(tmp_path: Path, port: str) -> None:
    assert Run(tmp_path, "run", environment={"PORT": port}).finish() == (
        1,
        f"error: PORT must be a port number from 1024 to 65535, and is '{port}'\n",
    )


def test_read_only_disk_is_explained(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "ro") as mount:
        for state in (mount, mount / "deeper"):
            code, errors = Run(state, "run").finish()

            assert code == 1
            assert re.fullmatch(
                rf"error: cannot write {state}\S* \(Read-only file system\): make it writable, or "
                r"choose another directory with `make run LOCAL_STATE=\.\.\.`\n",
                errors,
            )


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("mariadb", "MariaDB is not installed: install its server, 10.6 or newer, and retry"),
        ("mysql", "MySQL is not installed: install its server, 8.0 or newer, and retry"),
    ],
)
def test_missing_engine_is_explained(tmp_path: Path, engine: str, said: str) -> None:
    hidden = " && ".join(
        f"mount --bind /dev/null {program}"
        for name in ("mariadbd", "mysqld")
        if (program := shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin"))
    )
    wrap = ["unshare", "--mount", "sh", "-c", f'{hidden or "true"} && PATH= exec "$@"', "sh"]
    if subprocess.run([*wrap[:-2], hidden], check=False, capture_output=True).returncode:
        pytest.skip("hiding a program from another takes Linux and root")
    environment = {"ENGINE": engine, "XDG_STATE_HOME": str(tmp_path / "home")}

    run = Run(tmp_path / "state", "run", wrap=wrap, environment=environment)

    assert run.finish() == (1, f"error: {said}\n")


def tables(cursor: Cursor) -> set[tuple[Any, ...]]:
    cursor.execute("SELECT table_schema, table_name FROM information_schema.tables")
    return set(cursor.fetchall())


@pytest.mark.exhaustive
def test_database_url_names_the_only_database_that_is_changed(
    tmp_path: Path, database_server: DatabaseServer
) -> None:
    """The name is one that `make run` has nowhere else, and the Data API server passes on."""
    name = "customers_shop"
    with pymysql.connect(**connection_arguments(database_server.url)) as session:
        cursor = session.cursor()
        cursor.execute(f"CREATE DATABASE {name}")
        before = tables(cursor)
        url = database_server.url.removesuffix("customers") + name
        with Run(tmp_path, "run", environment={"DATABASE_URL": url}) as service:
            said = service.read_until("is running at")
        after = tables(cursor)
        cursor.execute(f"SELECT COUNT(*) FROM {name}.customers")
        customers = cursor.fetchall()
        cursor.execute(f"DROP DATABASE {name}")

    address = f"mysql://customers@127.0.0.1:{database_server.port}/{name}"
    assert said.startswith(f"  database   {address}, of DATABASE_URL\n")
    assert customers == ((SAMPLE_SIZE,),)
    own = ("lock", "migrations", "passes", "changes")
    made = {"customers", "relay_positions", *(f"schema_{name}" for name in own)}
    assert after == before | {(name, table) for table in made}


@pytest.mark.parametrize("command", ["run", "reset"])
def test_unknown_engine_is_rejected(tmp_path: Path, command: str) -> None:
    run = Run(tmp_path, command, environment={"ENGINE": "postgres"})

    assert run.finish() == (1, "error: ENGINE must be mariadb or mysql, and is 'postgres'\n")


def test_login_failure_of_another_database_is_explained(
    tmp_path: Path, database_server: DatabaseServer
) -> None:
    wrong = database_server.url.replace("mysql://customers:", "mysql://customers:un")

    code, errors = Run(tmp_path, "run", environment={"DATABASE_URL": wrong}).finish()

    assert code == 1
    assert errors.startswith("error: the database of DATABASE_URL does not respond: Access denied")
    assert errors.endswith("; start or fix it, or unset DATABASE_URL for a private one\n")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("module", ["local", "local.seed", "migrations"])
def test_ctrl_c_while_a_command_is_imported_is_quiet(module: str, tmp_path: Path) -> None:
    """A fake `argparse` interrupts the import."""
    interrupts = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "argparse.py").write_text(interrupts)
    path = os.pathsep.join((str(tmp_path), str(PROJECT)))

    done = subprocess.run(
        [sys.executable, "-P", "-m", module],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_invalid_database_url_is_explained(tmp_path: Path) -> None:
    code, errors = Run(tmp_path, "run", environment={"DATABASE_URL": "localhost"}).finish()

    form = "mysql://user:password@host:port/database"
    assert code == 1
    assert errors.startswith(
        f"error: DATABASE_URL is wrong: A database's address is of the form {form}. "
    )
    assert errors.count("\n") == 1


def test_reset_empties_the_database(tmp_path: Path) -> None:
    database = DatabaseServer(tmp_path / ENGINE.name, free_port())
    database.start()
    before = database.url
    database.stop()

    assert Run(tmp_path, "reset", "--yes").finish() == (0, "")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "logs"]
    database.start()
    database.stop()
    assert database.url != before


def test_reset_without_data_succeeds(tmp_path: Path) -> None:
    assert Run(tmp_path, "reset").finish() == (0, "")


@pytest.mark.parametrize(("answer", "left"), [("n", 1), ("", 1), ("y", 0)])
def test_reset_asks_for_confirmation(tmp_path: Path, answer: str, left: int) -> None:
    database = tmp_path / ENGINE.name
    database.mkdir()
    person, terminal = pty.openpty()
    os.write(person, f"{answer}\n".encode())

    assert Run(tmp_path, "reset", stdin=terminal).finish() == (0, "")

    os.close(person)
    os.close(terminal)
    assert len(list(tmp_path.glob(ENGINE.name))) == left


def test_reset_without_terminal_deletes_nothing(tmp_path: Path) -> None:
    (tmp_path / ENGINE.name).mkdir()

    code, errors = Run(tmp_path, "reset").finish()

    assert (code, errors.count("\n")) == (1, 1)
    assert "make reset YES=1" in errors
    assert (tmp_path / ENGINE.name).exists()


def test_state_is_stored_outside_the_project(tmp_path: Path) -> None:
    """`chalice local` restarts whenever any file below the project's directory changes."""
    project = copy_of_project(tmp_path)
    state = tmp_path / "home" / "customers-api"
    elsewhere = {"LOCAL_STATE": "", "XDG_STATE_HOME": str(state.parent)}

    for _ in "first run", "second run, without the target of the link":
        Run(tmp_path, "reset", project=project, environment=elsewhere).finish()

        assert (project / ".local").resolve().parent == state
        assert (project / ".local" / "lock").exists()
        shutil.rmtree(state)


def program_of(service: Run, word: str) -> int:
    """Return the process whose command line contains the word."""
    family = service.family()
    return next(pid for pid, _, command in processes() if pid in family and word in command)


def get(port: int, path: str, token: str = "") -> tuple[int, bytes]:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    ) as connection:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read()


def items(service: Run, port: int) -> list[dict[str, object]]:
    issuer = Issuer(Path(service.environment["LOCAL_STATE"]), service.console_url)
    status, body = get(port, "/customers", issuer.token())
    assert status == 200
    found: list[dict[str, object]] = json.loads(body)["items"]
    return found


@contextmanager
def another_api(service: Run) -> Iterator[int]:
    """Run plain `chalice local` beside the service, like a developer in another terminal."""
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DATABASE_"))},
        "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{service.ports['DATA_API_PORT']}",
        "TOKEN_ISSUER": service.console_url,
        "TOKEN_AUDIENCE": LOCAL_AUDIENCE,
    }
    command = [str(Path(sys.executable).with_name("chalice")), "local", "--port", str(port)]
    api = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: answers(port))
        yield port
    finally:
        os.killpg(api.pid, signal.SIGKILL)
        api.wait()
