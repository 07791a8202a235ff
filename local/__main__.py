"""Run the customers API on this machine: `python -m local run`."""

import signal

if __name__ == "__main__":  # while the rest is imported, Ctrl-C says nothing
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import errno
import os
import shlex
import shutil
import sys
from contextlib import closing
from pathlib import Path
from types import FrameType

from local.processes import LocalError
from local.stack import Settings, Stack, assignments
from local.state import locked

RUNNING = """
The customers API is running at {url}
  console  {console} in a browser: customers, the SQL and logs of each request, documentation
  list     curl {url}/customers -H "Authorization: Bearer $({token})"
  create   curl -i {url}/customers -H "Authorization: Bearer $({token})" \\
    -H 'Content-Type: application/json' -d '{{"email": "joan@example.com", "given_name": "Joan"}}'
  data     {data}
  logs     {logs}
  edit     save a file, and the API restarts
  stop     Ctrl-C; the next run continues with the data"""
RUNNING_WITHOUT_API = """
Everything but the API is running.
  start    {chalice}
  console  {console} in a browser: customers, the SQL of each request, documentation
  data     {data}
  logs     {logs}
  stop     Ctrl-C; the next run continues with the data"""


def main() -> int:
    """Do what the command line says; return the exit code."""
    arguments = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        settings = Settings.from_environ(os.environ)
        if arguments.command == "run":
            _run(settings, api=arguments.api)
        else:
            _reset(settings, agreed=arguments.yes)
    except LocalError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(_explain(error))
    return 0


def _run(settings: Settings, *, api: bool) -> None:
    with closing(Stack(settings)) as stack:
        stack.start(api=api)
        print((RUNNING if api else RUNNING_WITHOUT_API).format(**_words(settings)), flush=True)
        stack.wait()


def _reset(settings: Settings, *, agreed: bool) -> None:
    database = settings.database_directory
    with locked(settings.state):
        if not database.exists():
            print(f"{settings.state} contains no database.")
        elif agreed or _is_agreed(f"Delete the database in {database} and all its customers?"):
            # Rename it first, so that an interrupted deletion does not leave a partial database.
            shutil.rmtree(database.rename(database.with_suffix(".unfinished")))
            print("Deleted. The next `make run` creates a new database.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Run the customers API with its database on this machine.",
        epilog="Environment: PORT (8000), DATA_API_PORT (PORT + 1), DATABASE_PORT (PORT + 2), "
        "CONSOLE_PORT (PORT + 3), XRAY_PORT (UDP; 2000, or PORT + 4 if PORT is set), ENGINE "
        "(mariadb or mysql), DATABASE_URL "
        "(mysql://user:password@host:port/database, instead of a private database), LOCAL_STATE "
        "(.local, the folder with data, logs and the keys of tokens), EVENTS_URL (a consumer of "
        "the events), EVENTS_SECRET (which signs them).",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start everything, and stop it on Ctrl-C")
    run.add_argument(
        "--no-api",
        dest="api",
        action="store_false",
        help="omit the API, for use with `chalice local`",
    )
    reset = commands.add_parser("reset", help="delete the private database")
    reset.add_argument("--yes", action="store_true", help="skip confirmation")
    return parser


def _words(settings: Settings) -> dict[str, object]:
    default = Settings.from_environ({})
    program = Path(os.path.relpath(Path(sys.executable).with_name("chalice")))
    chalice = f"{_path(program)} local"
    if settings.api_environment != default.api_environment:
        chalice = f"{assignments(settings.api_environment)} {chalice}"
    return {
        "url": settings.url,
        "chalice": chalice,
        "token": settings.token_command,
        "console": settings.console_url,
        "data": _data(settings),
        "logs": _path(settings.state / "logs"),
    }


def _data(settings: Settings) -> str:
    return settings.database_address if settings.database_url else _path(settings.state.resolve())


def _path(path: Path) -> str:
    return shlex.quote(str(path))


def _is_agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise LocalError("no terminal to ask for confirmation: confirm with `make reset YES=1`")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _leave(number: int, _frame: FrameType | None) -> None:
    # Leaving takes a moment, and a second Ctrl-C must not cut it short.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _explain(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full: free some space and start again; nothing is lost"
    if error.filename is None:
        raise error
    return (
        f"cannot write {error.filename} ({error.strerror}): make it writable, or choose another "
        "directory with `make run LOCAL_STATE=...`"
    )


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
