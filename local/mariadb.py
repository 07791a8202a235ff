"""A private MariaDB server: found or installed, run from a directory of this project.

The server listens on a loopback port as the current user, with durable settings and the SQL
modes of Amazon Aurora MySQL. Oracle's MySQL is used when `mysqld` is that one: told apart by
`--version`, initialised with `--initialize-insecure`, its root reachable only through a socket
in a private directory, without the TIME_ROUND_FRACTIONAL mode (it always rounds). That branch
is written from its manual and has not been run.

Source: https://mariadb.com/kb/en/mariadb-install-db/
        https://dev.mysql.com/doc/refman/8.0/en/data-directory-initialization.html
"""

import os
import platform
import pwd
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pymysql

from local.processes import Child, LocalError

SETTINGS = {
    "bind-address": "127.0.0.1",
    "character-set-server": "utf8mb4",
    "collation-server": "utf8mb4_unicode_ci",
    "default-time-zone": "+00:00",
    "innodb-buffer-pool-size": "64M",
    "innodb-flush-log-at-trx-commit": "1",
    "innodb-lock-wait-timeout": "5",
    "innodb-log-file-size": "32M",
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
DIRECTORIES = [
    *os.get_exec_path(),
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/usr/libexec",
    "/usr/local/mysql/bin",
    "/opt/homebrew/opt/mariadb/bin",
    "/opt/homebrew/bin",
    "/usr/local/opt/mariadb/bin",
]
APT_INSTALL = [
    *["apt-get", "install", "-y", "--no-install-recommends"],
    *["mariadb-server-core", "mariadb-client-core"],
]
# Seconds for the machine's own updates, with which a new one is often busy.
APT_WAIT = ["-o", "DPkg::Lock::Timeout=120"]
MAX_PATH_BYTES = 400
"""Length of a server's directory; MariaDB and MySQL cut a file's path after 512 bytes."""
ROOM = 64 << 20
"""Bytes of free space that a new database takes, and a server's temporary files and logs."""
START_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """An installed server program; `version` is `major.minor`."""

    program: str
    maker: str
    version: str

    def __str__(self) -> str:
        return f"{self.maker} {self.version}"


class MariaDB:
    """A private server in a directory, reachable at `url` from `start()` to `stop()`.

    The directory holds the data, the version that made it and the password; it is made by the
    first start, whole or not at all. The log is in `logs` beside it. `options` are settings of
    the server that differ from this module's; `inherit` is as in `Child`.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        options: Mapping[str, str] | None = None,
        inherit: tuple[int, ...] = (),
    ) -> None:
        self.directory = directory
        self.port = port
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
        version's, its path is too long, the disk is full, or anything else that the server's log
        tells.
        """
        self.stop()
        self._check_path()
        self._check_room()
        server = find_server() or install(self._logs)
        if not self.directory.exists():
            self._initialise(server)
        self._check_version(server)
        log = self._logs / "mariadb.log"
        command = [*self._command(server, self.directory), f"--init-file={self._file('init.sql')}"]
        self._process = Child("mariadb", command, log, inherit=self._inherit)
        try:
            self._process.wait_until(self._takes_logins, START_SECONDS)
        except LocalError:
            self.stop()
            raise _failure("MariaDB did not start", log) from None

    def stop(self) -> None:
        """Shut the server down, if it is running."""
        if self._process:
            self._process.stop()

    def _initialise(self, server: Server) -> None:
        # Use a temporary name until the database is complete, in case this start is interrupted.
        unfinished = self.directory.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        log = self._logs / "mariadb-init.log"
        try:
            Child("mariadb-init", self._init_command(server, unfinished), log).finish()
        except LocalError:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise _failure("MariaDB could not make a new database", log) from None
        password = secrets.token_urlsafe(24)
        _write_private(unfinished / "password", password)
        _write_private(unfinished / "init.sql", INIT_SQL.format(password=password))
        _write_private(unfinished / "version", str(server))
        unfinished.rename(self.directory)

    def _init_command(self, server: Server, directory: Path) -> list[str]:
        if server.maker == "MySQL":
            return [*self._command(server, directory), "--initialize-insecure"]
        # The script splits its arguments at spaces, so none may contain the directory's path.
        _, *settings = self._command(server, directory, data="./data")
        return [
            *["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(directory.resolve())],
            _find_program("mariadb-install-db") or "mariadb-install-db",
            *settings,
            "--skip-test-db",
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={pwd.getpwuid(os.geteuid()).pw_name}",
        ]

    def _command(self, server: Server, directory: Path, data: str = "") -> list[str]:
        rounds = ["TIME_ROUND_FRACTIONAL"] if server.maker == "MariaDB" else []
        # Its own: a server that starts deletes what others have in a directory that they share.
        (directory / "tmp").mkdir(exist_ok=True)
        settings = {
            "datadir": data or str((directory / "data").resolve()),
            "port": str(self.port),
            "sql-mode": ",".join(SQL_MODES + rounds),
            **SETTINGS,
            **self._options,
        }
        # A server that root starts must be told that it is to stay root.
        user = ["--user=root"] if os.geteuid() == 0 else []
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        return [server.program, "--no-defaults", *user, *arguments]

    def _check_version(self, server: Server) -> None:
        made_by = self._file("version").read_text()
        if made_by != str(server):
            raise LocalError(
                f"the database in {self.directory} was made by {made_by}, but {server} is "
                f"installed: install {made_by}, or empty the database with `make reset`"
            )

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
        state.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(state).free < ROOM:
            raise LocalError(
                f"the disk that holds {state} is full: free {ROOM >> 20} MB and start again; "
                "nothing is lost"
            )

    @property
    def _password(self) -> str:
        return self._file("password").read_text()

    def _file(self, name: str) -> Path:
        return (self.directory / name).resolve()


def find_server() -> Server | None:
    """Find MariaDB's or MySQL's server program where package managers put it."""
    program = _find_program("mariadbd") or _find_program("mysqld")
    if program is None:
        return None
    banner = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"Ver (\d+\.\d+)", banner.stdout)
    if version is None:
        raise LocalError(f"{program} does not tell its version: {banner.stdout.strip()!r}")
    maker = "MariaDB" if "MariaDB" in banner.stdout else "MySQL"
    return Server(program, maker, version[1])


def install(logs: Path) -> Server:
    """Install MariaDB with the machine's package manager.

    Raises LocalError, with what to do instead, where that cannot be done.
    """
    if platform.system() == "Darwin" and shutil.which("brew"):
        _install(["brew", "install", "mariadb"], logs)
    elif not shutil.which("apt-get"):
        raise LocalError("MariaDB is not installed: install its server, 10.6 or newer, and retry")
    elif os.geteuid() != 0:
        raise LocalError(
            "MariaDB is not installed: install it with `sudo apt-get update && sudo "
            f"{shlex.join(APT_INSTALL)}` and retry"
        )
    else:
        try:
            _install([*APT_INSTALL, *APT_WAIT], logs)
        except LocalError:
            # A new machine has no package lists, an old one may have outdated ones.
            _install(["apt-get", "update"], logs)
            _install([*APT_INSTALL, *APT_WAIT], logs)
    server = find_server()
    if server is None:
        raise LocalError(f"MariaDB was installed, but its server is not in {DIRECTORIES}")
    return server


def _install(command: list[str], logs: Path) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    Child(shlex.join(command), command, logs / "install.log", quiet).finish()


def _failure(what: str, log: Path) -> LocalError:
    # The first error is the cause; the last is always "Aborting".
    said = log.read_text(errors="replace").strip()
    cause = re.search(r"\[ERROR\] (.+)", said)
    reason = cause[1] if cause else said.rpartition("\n")[2] or "it does not say why"
    return LocalError(f"{what}: {reason} (the whole log: {log})")


def _find_program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join(DIRECTORIES))


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600, exist_ok=False)
    with path.open("w") as file:
        file.write(text)
        file.flush()
        # The rename that follows must not reach the disk before this does.
        os.fsync(file.fileno())
