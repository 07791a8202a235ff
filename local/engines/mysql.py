"""MySQL 8.0 or newer: installed on the machine, or a private copy of Debian's package.

Debian's stable releases contain no MySQL. The package of the unstable suite needs a newer C library
than theirs, and apt would remove MariaDB for it. Therefore it is unpacked, not installed, and the
server runs with the loader and the libraries of the copy (docs/decisions/0022).

Sources: https://dev.mysql.com/doc/refman/8.4/en/data-directory-initialization.html
         https://dev.mysql.com/doc/refman/9.0/en/upgrade-paths.html
"""

import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from local import state
from local.engines import debian
from local.engines.engine import (
    Engine,
    Server,
    failure,
    make_once,
    options,
    programs,
    recognize,
    run_in,
    run_installer,
)
from local.processes import Child, LocalError

FORMULA = "mysql@8.4"  # the newest is not keg-only, and conflicts with MariaDB
PACKAGE = "mysql-server-core"
OLDEST = (8, 0)
CONFINEMENT = Path("/etc/apparmor.d/usr.sbin.mysqld")
"""The profile of Ubuntu's packages. With it, the program may only write to the folders of the
system's own server."""
UNKNOWN_HERE = "MySQL is not installed: install its server, 8.0 or newer, and retry"


class MySQL(Engine):
    """MySQL 8.0, 8.4 or 9.x."""

    name = "mysql"
    title = "MySQL"
    room = 256 << 20
    administrator = "root"
    # `loose` makes servers ignore options that their version lacks.
    settings: Mapping[str, str] = {
        "loose-innodb-redo-log-capacity": "32M",  # since 8.0.30
        "loose-explain-format": "TRADITIONAL",  # 9.x: TREE
        "loose-mysqlx": "OFF",  # would listen on port 33060, on all interfaces
        "secure-file-priv": "NULL",  # packages set a directory that may not exist
    }

    def find(self) -> Server | None:
        for program in programs("mysqld", FORMULA):
            title, version = recognize(str(program))  # MariaDB has a mysqld, too
            if title == self.title and version >= OLDEST:
                return Server(title, version, (str(program),))
        return _unpacked(copy()) if copy().exists() else None

    def install(self, logs: Path) -> None:
        if platform.system() == "Darwin" and shutil.which("brew"):
            run_installer(["brew", "install", FORMULA], logs)
        elif distribution := debian.distribution():
            debian.fetch(self.title, PACKAGE, distribution, copy(), logs / "install.log")
        else:
            raise LocalError(UNKNOWN_HERE)

    def initialize(
        self, server: Server, settings: Mapping[str, str], data: Path, log: Path
    ) -> None:
        # A copy takes a fifth of the time.
        template = home() / f"data-{'.'.join(map(str, server.version))}"
        make_once(template, lambda directory: _initialize(server, settings, directory, log))
        shutil.copytree(template / "data", data, copy_function=_copy_to_disk)

    def opens(self, server: Server, written_by: str) -> bool:
        # A server upgrades the data of an older one, and never downgrades data.
        title, _, version = written_by.partition(" ")
        return title == self.title and server.version[:2] >= tuple(map(int, version.split(".")))


def home() -> Path:
    """Return the folder of MySQL's private copy and of new data directories, one for each user."""
    return state.home() / "mysql"


def copy() -> Path:
    """Return the folder into which the package is unpacked."""
    return home() / "server"


def _unpacked(root: Path) -> Server:
    libraries = root / "usr" / "lib"
    loader = min(libraries.glob("*/ld-linux*.so.*"))
    program = root / "usr" / "sbin" / "mysqld"
    share = root / "usr" / "share" / "mysql"
    places = {
        "basedir": str(root / "usr"),
        "lc-messages-dir": str(share),
        "character-sets-dir": str(share / "charsets"),
        "plugin-dir": str(libraries / "mysql" / "plugin"),
    }
    command = (str(loader), "--library-path", str(loader.parent), str(program))
    title, version = recognize(*command)
    return Server(title, version, command, places)


def _initialize(server: Server, settings: Mapping[str, str], directory: Path, log: Path) -> None:
    data = directory / "data"
    for name in ("data", "tmp"):
        (directory / name).mkdir()
    own = options({**settings, "datadir": str(data.resolve())})
    command = [*server.command, *own, "--initialize-insecure"]
    try:
        Child("mysql-init", run_in(data, command), log).finish()
    except LocalError:
        raise failure(f"MySQL could not make a new database{_hint(server)}", log) from None
    (data / "auto.cnf").unlink()  # the server's unique id


def _hint(server: Server) -> str:
    if server.options or not CONFINEMENT.exists():  # only the private copy has options
        return ""
    return (
        " (AppArmor may keep it out of your folders: "
        f"`sudo apparmor_parser --remove {CONFINEMENT}` allows them until the next start)"
    )


def _copy_to_disk(source: str, target: str) -> None:
    shutil.copy2(source, target)
    with Path(target).open("rb") as file:
        os.fsync(file.fileno())  # the server does so only with what it changes
