"""A private database server of the selected engine, run from a directory of this project.

The server listens on a loopback port as the current user, with durable settings and the SQL modes
of Amazon Aurora MySQL.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pymysql

from local import engines
from local.engines.engine import Engine, Server, failure, options, run_in
from local.processes import Child, LocalError, make_private

SETTINGS = {
    "bind-address": "127.0.0.1",
    "character-set-server": "utf8mb4",
    "collation-server": "utf8mb4_unicode_ci",
    "default-time-zone": "+00:00",
    "innodb-buffer-pool-size": "64M",
    "innodb-flush-log-at-trx-commit": "1",
    "innodb-lock-wait-timeout": "5",
    "local-infile": "OFF",
    "performance-schema": "OFF",
    "skip-log-bin": "ON",
    "skip-name-resolve": "ON",
    # Relative to the data directory: a socket's absolute path may exceed 107 bytes, and the
    # server splits that of temporary files at colons.
    "socket": "server.sock",
    "tmpdir": "../tmp",
}
SQL_MODES = [
    "ONLY_FULL_GROUP_BY",
    "STRICT_TRANS_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "NO_ENGINE_SUBSTITUTION",
]
# Every start runs these statements, so that it completes an interrupted first start.
INIT_SQL = r"""
CREATE DATABASE IF NOT EXISTS customers CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE USER IF NOT EXISTS 'customers'@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON `customers`.* TO 'customers'@'127.0.0.1';
GRANT ALL PRIVILEGES ON `customers\_%`.* TO 'customers'@'127.0.0.1';
"""
MAX_PATH_BYTES = 400
"""Length of a server's directory; MariaDB and MySQL cut a file's path after 512 bytes."""
START_SECONDS = 60.0


class DatabaseServer:
    """A private server in a directory, reachable at `url` from `start()` to `stop()`.

    The first start creates the directory, completely or not at all: the data, the version that
    wrote the data, and the password. The log is in `logs` beside it. `options` are settings of
    the server that differ from this module's; `inherit` is as in `Child`. Default of `engine`: the
    one that ENGINE selects.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        options: Mapping[str, str] | None = None,
        inherit: tuple[int, ...] = (),
        engine: Engine | None = None,
    ) -> None:
        self.directory = directory
        self.port = port
        self.engine = engine or engines.selected()
        self._options = options or {}
        self._inherit = inherit
        self._logs = directory.parent / "logs"
        self._process: Child | None = None

    @property
    def url(self) -> str:
        """The address of the database and the account that applications use."""
        return f"mysql://customers:{self._password}@127.0.0.1:{self.port}/customers"

    @property
    def process(self) -> Child:
        """The server's process; it is another one after every start."""
        if self._process is None:
            raise RuntimeError("the server has not been started")
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def last_used(self) -> datetime | None:
        """When the database was last written to, as at its stop; None if it does not exist."""
        times = [file.stat().st_mtime for file in (self.directory / "data").glob("*")]
        return datetime.fromtimestamp(max(times)).astimezone() if times else None

    def start(self) -> None:
        """Start the server, also after a crash; return when it takes the application's logins.

        Raises LocalError when it is not installed and cannot be, its directory is another
        engine's or version's, its path is too long, the disk is full, or anything else that the
        server's log tells.
        """
        self.stop()
        self._check_path()
        self._check_room()
        server = self.engine.get(self._logs)
        if not self.directory.exists():
            self._initialize(server)
        self._check_version(server)
        self._run(server)
        self._write_version(server)

    def stop(self) -> None:
        """Shut the server down, if it is running."""
        if self._process:
            self._process.stop()

    def _run(self, server: Server) -> None:
        name = self.engine.name
        log = self._logs / f"{name}.log"
        settings = {**self._settings(server), **self._options, "init-file": "../init.sql"}
        # Its own: a server that starts deletes what others have in a directory that they share.
        (self.directory / "tmp").mkdir(exist_ok=True)
        command = run_in(self.directory / "data", [*server.command, *options(settings)])
        self._process = Child(name, command, log, inherit=self._inherit)
        try:
            self._process.wait_until(self._takes_logins, START_SECONDS)
        except LocalError:
            self.stop()
            raise failure(f"{server.title} did not start", log) from None

    def _initialize(self, server: Server) -> None:
        # Use a temporary name until the database is complete, in case this start is interrupted.
        unfinished = self.directory.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        log = self._logs / f"{self.engine.name}-init.log"
        (unfinished / "tmp").mkdir()
        try:
            self.engine.initialize(server, self._settings(server), unfinished / "data", log)
        except LocalError:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        password = secrets.token_urlsafe(24)
        _write_private(unfinished / "password", password)
        _write_private(unfinished / "init.sql", INIT_SQL.format(password=password))
        _write_private(unfinished / "version", str(server))
        unfinished.rename(self.directory)

    def _settings(self, server: Server) -> dict[str, str]:
        return {
            "datadir": str((self.directory / "data").resolve()),
            "port": str(self.port),
            "sql-mode": ",".join([*SQL_MODES, *self.engine.sql_modes]),
            **SETTINGS,
            **self.engine.settings,
            **server.options,
        }

    def _check_version(self, server: Server) -> None:
        written_by = self._file("version").read_text()
        if not self.engine.opens(server, written_by):
            raise LocalError(
                f"the database in {self.directory} was made by {written_by}, but {server} is "
                f"installed: install {written_by}, or empty the database with `make reset`"
            )

    def _write_version(self, server: Server) -> None:
        """Note that the server has upgraded the data."""
        if self._file("version").read_text() != str(server):
            new = self._file("version.new")
            new.unlink(missing_ok=True)
            _write_private(new, str(server))
            new.rename(self._file("version"))

    def _check_path(self) -> None:
        length = len(os.fsencode(self.directory.resolve()))
        if length > MAX_PATH_BYTES:
            raise LocalError(
                f"the path of the database is {length} bytes long, of at most {MAX_PATH_BYTES}: "
                "choose a shorter one with `make run LOCAL_STATE=...`"
            )

    def _takes_logins(self) -> bool:
        try:
            pymysql.connect(
                host="127.0.0.1",
                port=self.port,
                user="customers",
                password=self._password,
                database="customers",
            ).close()
        except pymysql.OperationalError:
            return False
        return True

    def _check_room(self) -> None:
        # Asked beforehand: on a full disk the server does not end, it waits for space.
        state = self.directory.parent
        make_private(state)
        if shutil.disk_usage(state).free < self.engine.room:
            raise LocalError(
                f"the disk that holds {state} is full: free {self.engine.room >> 20} MB and start "
                "again; nothing is lost"
            )

    @property
    def _password(self) -> str:
        return self._file("password").read_text()

    def _file(self, name: str) -> Path:
        return (self.directory / name).resolve()


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600, exist_ok=False)
    with path.open("w") as file:
        file.write(text)
        file.flush()
        # The rename that follows must not reach the disk before this does.
        os.fsync(file.fileno())
