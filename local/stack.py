"""The whole service on a laptop: database, Data API, schema, sample customers, console, API."""

import base64
import http.client
import os
import shlex
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn, Self

import pymysql

from chalicelib.database.address import Address, AddressError
from chalicelib.database.mysql import CONNECT_SECONDS, connection_arguments
from chalicelib.database.retries import LOCK_SECONDS
from chalicelib.settings import LOCAL_AUDIENCE, SettingsError
from local import engines, state
from local.database_server import DatabaseServer
from local.engines import Engine
from local.processes import PROJECT, Child, LocalError, answers, is_free
from local.progress import doing, step
from local.tail import Tail, parsed
from serve import webhooks

PORT = 8000
DATA_API_PORT = 8001
DATABASE_PORT = 8002
CONSOLE_PORT = 8003
XRAY_PORT = 2000  # of UDP; it is that of X-Ray's daemon
# Beside DATABASE_URL, which is only there where a developer has set it.
DATABASE_VARIABLE = "CONSOLE_DATABASE_URL"
EVENTS_SECRET = "whsec_" + base64.b64encode(b"not a secret: for a laptop only").decode()
SAMPLE_SIZE = 200


@dataclass(frozen=True)
class Settings:
    """Where the stack listens and keeps its state; `database_url` replaces the private database."""

    state: Path
    port: int
    data_api_port: int
    database_port: int
    console_port: int
    xray_port: int
    engine: Engine
    database_url: str | None = field(repr=False)
    events_url: str | None = None
    events_secret: str = field(default=EVENTS_SECRET, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read PORT, from which the other ports follow, and the other variables of `--help`.

        Raises LocalError if a port is not a number from 1024 to 65535, the engine is unknown, or
        a URL or the secret is malformed.
        """
        port = _port(environ, "PORT", PORT)
        default = default_ports(port)
        return cls(
            state=state.from_environ(environ),
            port=port,
            data_api_port=_port(environ, "DATA_API_PORT", default["DATA_API_PORT"]),
            database_port=_port(environ, "DATABASE_PORT", default["DATABASE_PORT"]),
            console_port=_port(environ, "CONSOLE_PORT", default["CONSOLE_PORT"]),
            xray_port=_port(environ, "XRAY_PORT", default["XRAY_PORT"]),
            engine=engines.selected(environ),
            database_url=_database_url(environ),
            events_url=_events_url(environ),
            events_secret=_events_secret(environ),
        )

    @property
    def variables(self) -> dict[str, str]:
        """What `from_environ` makes these settings of, wherever it runs."""
        return {
            "LOCAL_STATE": str(self.state.absolute()),
            "PORT": str(self.port),
            "DATA_API_PORT": str(self.data_api_port),
            "DATABASE_PORT": str(self.database_port),
            "CONSOLE_PORT": str(self.console_port),
            "XRAY_PORT": str(self.xray_port),
            "ENGINE": self.engine.name,
            "DATABASE_URL": self.database_url or "",
            "EVENTS_URL": self.events_url or "",
            "EVENTS_SECRET": self.events_secret,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data_api_url(self) -> str:
        return f"http://127.0.0.1:{self.data_api_port}"

    @property
    def console_url(self) -> str:
        """Where the console is, which is also the name of the issuer of tokens."""
        return f"http://127.0.0.1:{self.console_port}"

    @property
    def database(self) -> Address | None:
        """The address of the developer's own database, or None."""
        return Address.parse(self.database_url) if self.database_url else None

    @property
    def database_address(self) -> str:
        """Where the database is, without its password."""
        private = f"mysql://customers@127.0.0.1:{self.database_port}/customers"
        return repr(self.database) if self.database else private

    @property
    def database_directory(self) -> Path:
        """Where the private database is: each engine has its own."""
        return self.state / self.engine.name

    @property
    def token_command(self) -> str:
        """The command that prints a token for this stack."""
        default, needed = Settings.from_environ({}), {}
        if self.port != default.port and self.has_default("CONSOLE_PORT", self.console_port):
            needed["PORT"] = str(self.port)
        elif self.console_port != default.console_port:
            needed["CONSOLE_PORT"] = str(self.console_port)
        if self.state.resolve() != default.state.resolve():
            needed["LOCAL_STATE"] = str(self.state)
        # Assignments precede `make`, which would expand a `$` in its arguments.
        return f"{assignments(needed)} make -s token".lstrip()

    def has_default(self, name: str, port: int) -> bool:
        """Return whether a port is the one that follows from PORT."""
        return default_ports(self.port).get(name) == port

    @property
    def api_environment(self) -> dict[str, str]:
        """Return the environment variables that name the stack's other parts to the API."""
        own = {"DATABASE_NAME": self.database.database} if self.database else {}
        return {
            **own,
            "AWS_ENDPOINT_URL_RDS_DATA": self.data_api_url,
            "TOKEN_ISSUER": self.console_url,
            "TOKEN_AUDIENCE": LOCAL_AUDIENCE,
            "CORS_ORIGINS": self.console_url,
        }


class Stack:
    """The running service, from `start()` to `close()`, which stops the parts in reverse order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exit = ExitStack()
        self._children: list[Child] = []
        self._api: Child | None = None
        self._database: DatabaseServer | None = None
        self._code: dict[Path, int] = {}
        self._log = Tail(settings.state / "logs" / "api.log")
        self._lock: tuple[int, ...] = ()

    def start(self, *, api: bool) -> None:
        """Start everything, with or without the API, and print a line about the database.

        Raises LocalError if a part does not start.
        """
        self._lock = (self._exit.enter_context(state.locked(self._settings.state)),)
        _check_ports(self._settings, api=api)
        if database_url := self._settings.database_url:
            _check_login(database_url)
            print(f"  database   {self._settings.database_address}, of DATABASE_URL", flush=True)
        else:
            database_url = self._start_database()
        with doing("starting: Data API"):
            self._start_data_api(database_url)
        with doing("bringing the schema up to date"):
            self._finish("migrations")
        with doing("adding sample customers, unless there are customers"):
            self._finish("local.seed", "--count", str(SAMPLE_SIZE), "--if-empty")
        with doing("starting: console"):
            self._start_console(database_url)
        if api:
            with doing("starting: API"):
                api_process = self._start_api()
                port = self._settings.port
                api_process.wait_until(lambda: _is_healthy(port))

    def wait(self) -> NoReturn:
        """Wait forever. Restart the database if it ends, and the API if its code changes.

        Print the traceback of each unexpected exception of the API.

        Raises LocalError if another program ends, or if the database does not restart.
        """
        while True:
            time.sleep(0.2)
            if self._database and self._database.process.has_ended:
                print(f"  {self._database.process.obituary()}", flush=True)
                with step("database"):
                    self._database.start()
            for child in self._children:
                if child.has_ended:
                    raise LocalError(child.obituary())
            self._print_failures()
            if self._api and self._code != _code():
                self._restart_api(self._api)

    def close(self) -> None:
        self._exit.close()

    def _start_database(self) -> str:
        settings = self._settings
        engine = settings.engine
        database = DatabaseServer(
            settings.database_directory, settings.database_port, inherit=self._lock, engine=engine
        )
        if engine.find() is None:
            print(f"  {engine.title:<10} is not installed: installing it", flush=True)
        server = engine.get(settings.state / "logs")
        last_used = database.last_used
        age = f", continuing with the data of {last_used:%Y-%m-%d %H:%M}" if last_used else ""
        with step("database", f": {server}{age}"):
            self._exit.callback(database.stop)
            database.start()
        self._database = database
        return database.url

    def _start_data_api(self, database_url: str) -> None:
        port = self._settings.data_api_port
        command = [sys.executable, "-m", "local.data_api", "--port", str(port)]
        # As Aurora's parameter group does: a server of DATABASE_URL may have another setting.
        command += ["--lock-wait-timeout", str(LOCK_SECONDS)]
        # Pass the URL in the environment, because every user of the machine can read command lines.
        child = self._child("data-api", command, {**os.environ, "DATABASE_URL": database_url})
        child.wait_until(lambda: answers(port))
        self._children.append(child)

    def _start_console(self, database_url: str) -> None:
        port = self._settings.console_port
        command = [sys.executable, "-m", "local.console", "--port", str(port)]
        environment = {**os.environ, **self._settings.variables, DATABASE_VARIABLE: database_url}
        child = self._child("console", command, environment)
        child.wait_until(lambda: answers(port))
        self._children.append(child)

    def _start_api(self) -> Child:
        port = self._settings.port
        command = [sys.executable, "-m", "local.gateway", "--stage", "local", "--port", str(port)]
        self._code = _code()
        traced = {"AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{self._settings.xray_port}"}
        self._api = self._child("api", command, self._environment() | traced)
        self._api.wait_until(lambda: answers(port))
        self._children.append(self._api)
        return self._api

    def _print_failures(self) -> None:
        for line in map(parsed, self._log.read()):
            if "traceback" in line:
                page = f"{self._settings.console_url}/requests#{line['trace_id']}"
                print(f"\n{line['traceback']}{line['message']}\n  request  {page}", flush=True)

    def _restart_api(self, api: Child) -> None:
        api.stop()
        self._children = [child for child in self._children if child is not api]
        try:
            with step("API"):
                self._start_api()
        except LocalError as error:
            print(f"{error}\n  The next change to the code starts it again.", flush=True)

    def _finish(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self._child(module, command, self._environment()).finish()

    def _child(self, name: str, command: list[str], environment: dict[str, str]) -> Child:
        log = self._settings.state / "logs" / f"{name}.log"
        environment["PYTHONUNBUFFERED"] = "1"
        return self._exit.enter_context(Child(name, command, log, environment, self._lock))

    def _environment(self) -> dict[str, str]:
        # Omit the developer's DATABASE_* variables, so that all statements go through the Data API.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DATABASE_")}
        return environment | self._settings.api_environment


def assignments(variables: Mapping[str, str]) -> str:
    """Return the variables as shell assignments."""
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())


def default_ports(port: int) -> dict[str, int]:
    """Return the other ports by PORT: the next ones, and by default that of X-Ray's daemon."""
    return {
        "DATA_API_PORT": port + DATA_API_PORT - PORT,
        "DATABASE_PORT": port + DATABASE_PORT - PORT,
        "CONSOLE_PORT": port + CONSOLE_PORT - PORT,
        "XRAY_PORT": XRAY_PORT if port == PORT else port + CONSOLE_PORT - PORT + 1,
    }


def _check_ports(settings: Settings, *, api: bool) -> None:
    ports = {"DATA_API_PORT": settings.data_api_port, "CONSOLE_PORT": settings.console_port}
    if settings.database_url is None:
        ports["DATABASE_PORT"] = settings.database_port
    if api:
        ports["PORT"] = settings.port
    for name, port in ports.items():
        if list(ports.values()).count(port) > 1:
            raise LocalError(f"{name} is {port}, and so is another port: choose different ports")
        if not is_free(port):
            raise _in_use(settings, name, port)
    if not is_free(
        settings.xray_port, socket.SOCK_DGRAM
    ):  # checked separately, because it is a UDP port
        raise _in_use(settings, "XRAY_PORT", settings.xray_port)


def _in_use(settings: Settings, name: str, port: int) -> LocalError:
    if settings.has_default(name, port):  # such as another clone's
        other = f"other ports with `make run PORT={settings.port + 10}`, from which all follow"
    else:
        other = f"another with `make run {name}={port + 10}`"
    return LocalError(f"port {port} is in use by another program: choose {other}")


def _check_login(database_url: str) -> None:
    try:
        arguments = connection_arguments(database_url) | {"read_timeout": CONNECT_SECONDS}
        pymysql.connect(**arguments).close()
    except SettingsError as error:
        raise LocalError(f"DATABASE_URL is wrong: {error}") from None
    except pymysql.MySQLError as error:
        raise LocalError(
            f"the database of DATABASE_URL does not respond: {error.args[-1]}; start or fix it, or "
            "unset DATABASE_URL for a private one"
        ) from None


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _code() -> dict[Path, int]:
    times = {}
    for path in (PROJECT / "app.py", *(PROJECT / "chalicelib").rglob("*.py")):
        # Editors replace files, so a file may be missing for a moment.
        with suppress(FileNotFoundError):
            times[path] = path.stat().st_mtime_ns
    return times


def _database_url(environ: Mapping[str, str]) -> str | None:
    url = environ.get("DATABASE_URL") or None
    try:
        if url:
            Address.parse(url)
    except AddressError as error:
        raise LocalError(f"DATABASE_URL is wrong: {error}") from None
    return url


def _events_url(environ: Mapping[str, str]) -> str | None:
    try:
        return webhooks.check_url(environ["EVENTS_URL"]) if environ.get("EVENTS_URL") else None
    except SettingsError as error:
        raise LocalError(str(error)) from None


def _events_secret(environ: Mapping[str, str]) -> str:
    try:
        return webhooks.check_secret(environ.get("EVENTS_SECRET") or EVENTS_SECRET)
    except SettingsError as error:
        raise LocalError(str(error)) from None


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isdecimal() or int(value) not in range(1024, 65536):
        raise LocalError(f"{name} must be a port number from 1024 to 65535, and is {value!r}")
    return int(value)
