"""The database engines that the local stack and the tests can run: MariaDB and MySQL.

An engine knows how to find or install its server, and how to create a data directory.
`local.database_server` runs a server of either engine.
"""

import os
from collections.abc import Mapping

from local.engines.engine import Engine, Server
from local.engines.mariadb import MariaDB
from local.engines.mysql import MySQL
from local.processes import LocalError

__all__ = ["ENGINES", "Engine", "Server", "selected"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (MariaDB(), MySQL())}
DEFAULT = MariaDB.name


def selected(environ: Mapping[str, str] = os.environ) -> Engine:
    """Return the engine that ENGINE names; default: MariaDB. Raises LocalError."""
    name = environ.get("ENGINE") or DEFAULT
    if name not in ENGINES:
        raise LocalError(f"ENGINE must be {' or '.join(ENGINES)}, and is {name!r}")
    return ENGINES[name]
