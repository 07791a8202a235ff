"""Serve the API on this machine: `python -m serve`. `purge` and `relay` are for cron.

`pull` copies all data of a stage to DATABASE_URL, `push` copies them back.

Configuration is by environment variables alone: docs/serve.md. A server that can't work does not
start: it prints one line, and ends with exit status 1.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping

import pymysql
from pymysql.constants import ER

from chalicelib.database import Database, DatabaseError, connect
from chalicelib.database.address import Address
from chalicelib.database.mysql import connection_arguments
from chalicelib.events.relay import EventsRejected
from chalicelib.settings import Settings as AppSettings
from chalicelib.settings import SettingsError
from serve.copying import CopyError, copy
from serve.gateway import Context
from serve.settings import DEFAULTS, Settings, check
from serve.webhooks import Webhooks

PURGE_SECONDS = 300
"""How long a purge may take: the function's timeout. Cron continues with the rest."""
RELAY_SECONDS = 55
"""How long the relay may take: the function's timeout. Cron continues with the rest."""

STAGE = ("DATABASE_URL", "DATABASE_RESOURCE_ARN", "DATABASE_SECRET_ARN")
"""The variables that name the two databases of a copy."""


class StartError(Exception):
    """A command can't do its work; the message says why, and what to do."""


def main() -> int:
    commands = {"run": serve, "purge": purge, "relay": relay, "pull": pull, "push": push}
    parser = argparse.ArgumentParser(prog="python -m serve", description=__doc__)
    parser.add_argument("command", nargs="?", choices=commands, default="run")
    command = parser.parse_args().command
    os.environ.update({name: os.environ.get(name) or value for name, value in DEFAULTS.items()})
    try:
        return commands[command]()
    except (CopyError, DatabaseError, OSError, SettingsError, StartError) as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1


def serve() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    from serve.supervisor import Supervisor, listen

    settings = Settings.from_environ(os.environ)
    check_database(os.environ["DATABASE_URL"])
    listener = listen(settings, os.environ)
    host, port = listener.getsockname()[:2]
    _announce(f"serve: http://{host}:{port}, metrics on http://127.0.0.1:{settings.metrics_port}")
    return Supervisor(settings, listener, os.environ).run()


def purge() -> int:
    """Erase the customers whose purge date has passed."""
    check(os.environ)
    check_database(os.environ["DATABASE_URL"])
    from app import purge_customers

    event = dict.fromkeys(("id", "source", "account", "time", "region", "detail-type"), "")
    purge_customers(
        {**event, "version": "0", "resources": [], "detail": {}},
        Context(time.monotonic() + PURGE_SECONDS),
    )
    return 0


def relay() -> int:
    """Send the events that are due to EVENTS_URL."""
    check(os.environ)
    webhooks = Webhooks.from_environ(os.environ)
    check_database(os.environ["DATABASE_URL"])
    from app import relay_to

    try:
        relay_to(webhooks, Context(time.monotonic() + RELAY_SECONDS).get_remaining_time_in_millis)
    except EventsRejected:
        raise StartError("EVENTS_URL accepts no events: the next run sends them again") from None
    return 0


def pull() -> int:
    """Copy all data of a stage to DATABASE_URL."""
    own, stage = databases(os.environ)
    print(f"serve: copied {copy(stage, own):,} customers from the stage")
    return 0


def push() -> int:
    """Copy all data of DATABASE_URL to a stage."""
    own, stage = databases(os.environ)
    print(f"serve: copied {copy(own, stage):,} customers to the stage")
    return 0


def databases(environ: Mapping[str, str]) -> tuple[Database, Database]:
    """Return the server's database, and that of the stage that the ARNs name.

    Raises SettingsError or StartError.
    """
    if missing := [name for name in STAGE if not environ.get(name)]:
        raise SettingsError(f"set the environment variables {', '.join(missing)}: docs/serve.md")
    arns = {name: value for name, value in environ.items() if name != "DATABASE_URL"}
    check_database(environ["DATABASE_URL"])
    own = AppSettings(database_url=environ["DATABASE_URL"])
    return connect(own), connect(AppSettings.from_environ({"DATA_API_CLIENT": "slim", **arns}))


def check_database(url: str) -> None:
    """Raise StartError if the database rejects the login, or has no tables."""
    try:
        with pymysql.connect(**connection_arguments(url)) as connection:
            connection.cursor().execute("SELECT 1 FROM customers LIMIT 1")
    except pymysql.MySQLError as error:
        if error.args[0] == ER.NO_SUCH_TABLE:
            raise StartError("the database has no tables: run `python -m migrations`") from None
        reason = str(error.args[-1]).partition("\n")[0]
        raise StartError(f"can't use {Address.parse(url)!r}: {reason}") from None


def _announce(text: str) -> None:
    """Print the first line. Raises StartError if it can't be written, as on a full disk."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python tries again at its end
        raise StartError(f"can't write the log to standard output: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
