"""MariaDB, from the machine's package manager.

Source: https://mariadb.com/kb/en/mariadb-install-db/
"""

import os
import platform
import pwd
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from local.engines.engine import (
    Engine,
    Server,
    failure,
    options,
    programs,
    recognize,
    run_in,
    run_installer,
)
from local.processes import Child, LocalError

APT_INSTALL = [
    *["apt-get", "install", "-y", "--no-install-recommends"],
    *["mariadb-server-core", "mariadb-client-core"],
]
# Seconds for the machine's own updates, with which a new one is often busy.
APT_WAIT = ["-o", "DPkg::Lock::Timeout=120"]


class MariaDB(Engine):
    """MariaDB 10.6 or newer."""

    name = "mariadb"
    title = "MariaDB"
    room = 64 << 20
    settings: Mapping[str, str] = {"innodb-log-file-size": "32M"}
    sql_modes = ("TIME_ROUND_FRACTIONAL",)  # MySQL always rounds

    @property
    def administrator(self) -> str:
        return pwd.getpwuid(os.geteuid()).pw_name

    def find(self) -> Server | None:
        for name in ("mariadbd", "mysqld"):
            for program in programs(name, "mariadb"):
                title, version = recognize(str(program))
                if title == self.title:
                    return Server(title, version, (str(program),))
        return None

    def install(self, logs: Path) -> None:
        if platform.system() == "Darwin" and shutil.which("brew"):
            run_installer(["brew", "install", "mariadb"], logs)
        elif not shutil.which("apt-get"):
            raise LocalError(
                "MariaDB is not installed: install its server, 10.6 or newer, and retry"
            )
        elif os.geteuid() != 0:
            raise LocalError(
                "MariaDB is not installed: install it with `sudo apt-get update && sudo "
                f"{shlex.join(APT_INSTALL)}` and retry"
            )
        elif any(recognize(str(program))[0] != self.title for program in programs("mysqld", "")):
            raise LocalError(
                "MariaDB is not installed, and its package would replace this machine's MySQL: "
                "use MySQL with `make run ENGINE=mysql`"
            )
        else:
            _apt_install(logs)

    def initialize(
        self,
        server: Server,  # noqa: ARG002 (the script finds it)
        settings: Mapping[str, str],
        data: Path,
        log: Path,
    ) -> None:
        # The script splits its arguments at spaces, so none may contain the directory's path.
        script = next(programs("mariadb-install-db", self.name), "mariadb-install-db")
        command = [
            str(script),
            *options({**settings, "datadir": f"./{data.name}"}),
            "--skip-test-db",
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={self.administrator}",
        ]
        try:
            Child("mariadb-init", run_in(data.parent, command), log).finish()
        except LocalError:
            raise failure("MariaDB could not make a new database", log) from None

    def opens(self, server: Server, written_by: str) -> bool:
        return written_by == str(server)


def _apt_install(logs: Path) -> None:
    try:
        run_installer([*APT_INSTALL, *APT_WAIT], logs)
    except LocalError:
        # A new machine has no package lists, an old one may have outdated ones.
        run_installer(["apt-get", "update"], logs)
        run_installer([*APT_INSTALL, *APT_WAIT], logs)
