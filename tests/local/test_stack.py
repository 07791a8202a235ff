"""The stack uses its own settings, regardless of the variables of the shell that starts it."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from local import stack
from local.console.templates import render
from local.database_server import DatabaseServer
from local.engines import ENGINES
from local.processes import LocalError, free_port
from local.stack import Settings, Stack


@pytest.fixture
def settings(tmp_path: Path, database_server: DatabaseServer) -> Settings:
    port, data_api_port, database_port, console_port, xray_port = (free_port() for _ in range(5))
    return Settings(
        state=tmp_path,
        port=port,
        data_api_port=data_api_port,
        database_port=database_port,
        console_port=console_port,
        xray_port=xray_port,
        engine=database_server.engine,
        database_url=database_server.url,
    )


@pytest.fixture
def console(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a stack's console in a shell with variables of another stack; yield its base URL."""
    elsewhere = replace(settings, port=free_port(), xray_port=free_port(), database_url=None)
    for name, value in elsewhere.variables.items():
        monkeypatch.setenv(name, value)
    with closing(Stack(settings)) as stack:
        stack._start_console(settings.database_url or "")
        yield settings.console_url


def test_settings_can_be_read_from_their_variables(settings: Settings) -> None:
    private = replace(settings, database_url=None)

    assert Settings.from_environ(settings.variables) == settings
    assert Settings.from_environ(private.variables) == private


def test_console_describes_its_own_stack(settings: Settings, console: str) -> None:
    page = requests.get(console, timeout=60)

    assert settings.url in page.text
    assert settings.database_address in page.text
    callers = requests.get(f"{console}/documentation", timeout=60)
    assert settings.url in callers.headers["Content-Security-Policy"]
    own = {settings.url, settings.data_api_url, console}
    assert set(re.findall(r"http://127\.0\.0\.1:\d+", page.text)) <= own


@pytest.mark.parametrize(("engine", "version"), [("mariadb", "10.11"), ("mysql", "9.7")])
def test_console_names_the_engine_of_the_private_database(
    settings: Settings, engine: str, version: str
) -> None:
    private = replace(settings, engine=ENGINES[engine], database_url=None)
    assert (
        f"<small>{ENGINES[engine].title}; its password is in {private.state}/{engine}/"
        in render("/", private)
    )

    private.database_directory.mkdir()
    (private.database_directory / "version").write_text(f"{ENGINES[engine].title} {version}")

    assert f"<small>{ENGINES[engine].title} {version}; its password" in render("/", private)
    assert "its password" not in render("/", settings)


def test_silent_port_is_not_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mysql://customers:secret@127.0.0.1:{silent.getsockname()[1]}/customers"

        with pytest.raises(LocalError, match=r"does not respond: .*timed out"):
            stack._check_login(url)


def test_port_moves_all_ports() -> None:
    moved = Settings.from_environ({"PORT": "8100", "DATABASE_PORT": "9000"})

    ports = (moved.data_api_port, moved.database_port, moved.console_port, moved.xray_port)
    assert ports == (8101, 9000, 8103, 8104)
    assert moved.token_command == "PORT=8100 make -s token"
    assert Settings.from_environ({"CONSOLE_PORT": "9000"}).token_command.startswith("CONSOLE_PORT=")
    assert Settings.from_environ({}).token_command == "make -s token"
    assert (Settings.from_environ({}).xray_port, stack.XRAY_PORT) == (2000, 2000)


def test_ports_of_another_clone_are_left_with_one_variable(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        clone = replace(settings, port=taken - 1, data_api_port=taken)

        with pytest.raises(LocalError, match=f"with `make run PORT={taken + 9}`, from which all"):
            stack._check_ports(clone, api=True)
