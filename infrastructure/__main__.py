"""`python -m infrastructure <command> --stage S`: all that is done to a stage in AWS."""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from chalicelib.database import DatabaseError
from chalicelib.settings import SettingsError
from infrastructure import commands, stages
from infrastructure.failures import Failure, explain
from infrastructure.packaging import PackagingError
from infrastructure.run import Run

COMMANDS: Mapping[str, tuple[Callable[[Run], None], str]] = {
    "provision": (commands.provision, "make or change network, database and operations"),
    "bind": (commands.bind, "write the stacks' addresses where `chalice deploy` reads them"),
    "migrate": (commands.migrate, "make the database's users, and bring the schema up to date"),
    "package": (commands.package, "build what is deployed into out/"),
    "deploy": (commands.deploy, "package, upload, and change the API's stack"),
    "apply": (commands.apply, "put the gateway's settings onto what `chalice deploy` made"),
    "smoke": (commands.live, "live a customer's life against the stage, and erase it"),
    "status": (commands.status, "tell how the stacks are, and which version is live"),
    "rollback": (commands.rollback, "make the version before live again"),
    "destroy": (commands.destroy, "delete the stage; a snapshot of its database stays"),
}
OFFLINE = {"package"}
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        stage = stages.named(options.stage)
        stages.read_config()
        _run(options, stage)
    except KeyboardInterrupt:
        print(
            "\ninterrupted: what CloudFormation has begun goes on in AWS. Run the same command"
            " again: it waits for that, and does the rest. `status` only looks.",
            file=sys.stderr,
        )
        return INTERRUPTED
    except (BotoCoreError, ClientError) as error:
        return _failed(explain(error))
    except DatabaseError as error:
        return _failed(f"The database of {options.stage}: {type(error).__name__}: {error}.")
    except (Failure, PackagingError, SettingsError) as error:
        return _failed(str(error))
    return 0


def _run(options: argparse.Namespace, stage: stages.Stage) -> None:
    session = boto3.Session()
    if options.command not in OFFLINE and not options.url:
        _say_where(session, stage)
    run = Run(
        session,
        stage,
        values=_values(options.set),
        is_agreed=options.yes,
        bucket=options.bucket,
        url=options.url,
        token=lambda: _token(options.token_command),
        ask=input if sys.stdin.isatty() else None,
    )
    COMMANDS[options.command][0](run)


def _say_where(session: Any, stage: stages.Stage) -> None:
    """Name the account before anything is done to it: the wrong one is the worst mistake."""
    if not session.region_name:
        raise NoRegionError  # STS would do without one
    account = session.client("sts").get_caller_identity()["Account"]
    print(f"{stage.name} in account {account}, region {session.region_name}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infrastructure",
        description=__doc__,
        epilog="docs/deploying.md goes through all of them.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="<command>")
    for name, (_, what) in COMMANDS.items():
        command = subparsers.add_parser(name, help=what, description=what)
        command.add_argument("--stage", required=True, help=", ".join(stages.STAGES))
        command.set_defaults(set=[], yes=False, bucket=None, url=None, token_command=None)
        if name in {"provision", "deploy"}:
            command.add_argument(
                "--set",
                action="append",
                metavar="NAME=VALUE",
                help="a template's parameter; kept from then on",
            )
        if name in {"provision", "deploy", "rollback", "destroy"}:
            command.add_argument(
                "--yes", action="store_true", help="don't ask, but where state may be lost"
            )
        if name == "deploy":
            command.add_argument("--bucket", help="for the package (default: the pipeline's)")
        if name == "smoke":
            command.add_argument("--url", help="(default: the stage's own)")
            command.add_argument(
                "--token-command", help="prints a token (default: the environment's TOKEN)"
            )
    return parser


def _values(pairs: list[str]) -> dict[str, str]:
    """Return the parameters of `--set`. Raises Failure."""
    for pair in pairs:
        if "=" not in pair:
            raise Failure(f"--set {pair!r} is not NAME=VALUE, such as AlarmEmail=a@b.example.")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _token(command: str | None) -> str:
    """Return a token with every scope, from a command or the environment. Raises Failure."""
    if command is None:
        token = os.environ.get("TOKEN", "")
    else:
        words = shlex.split(command)  # of the operator's own
        done = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
        if done.returncode:
            raise Failure(f"--token-command {command!r} ended with exit code {done.returncode}.")
        token = done.stdout
    if token := token.strip():
        return token
    raise Failure("There is no token: set TOKEN, or name a --token-command; docs/tokens.md.")


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
