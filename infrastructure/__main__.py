"""`python -m infrastructure <command> --stage S`: all commands for a stage in AWS."""

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
from infrastructure import callers, clusters, commands, config, stages
from infrastructure.failures import Failure, explain
from infrastructure.packaging import PackagingError
from infrastructure.run import Run

COMMANDS: Mapping[str, tuple[Callable[[Run], None], str]] = {
    "check": (
        commands.check,
        "check prerequisites: quotas, names, issuer, domain; changes nothing",
    ),
    "provision": (commands.provision, "create or update network, database and operations"),
    "bind": (commands.bind, "write the stacks' outputs to where `chalice deploy` reads them"),
    "migrate": (commands.migrate, "create the database's users, and apply pending migrations"),
    "rotate": (commands.rotate, "change the application's password without an outage"),
    "finish": (commands.finish, "complete the data steps, when only the new code is running"),
    "package": (commands.package, "build the package in out/"),
    "deploy": (commands.deploy, "package, upload, and update the API's stack"),
    "apply": (commands.apply, "apply the gateway's settings to what `chalice deploy` created"),
    "smoke": (commands.live, "smoke test: create, change and erase a customer"),
    "admit": (callers.admit, "admit a caller, if the stage limits each caller"),
    "block": (callers.block, "block a caller, if the stage limits each caller"),
    "status": (commands.status, "print the state of the stacks, and the live version"),
    "rollback": (commands.rollback, "make the previous version live"),
    "restore": (commands.restore, "restore the database from a backup, then switch to it"),
    "destroy": (commands.destroy, "delete the stage; a final snapshot of the database remains"),
}
OFFLINE = {"package"}
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        stage = stages.named(options.stage)
        config.read_config()
        _run(options, stage)
    except KeyboardInterrupt:
        print(
            "\ninterrupted: CloudFormation continues in AWS. To wait for it, run the same command"
            " again. `status` only prints the state.",
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
        _check_account(session, stage)
    run = Run(
        session,
        stage,
        values=_values(options.set),
        is_agreed=options.yes,
        bucket=options.bucket,
        url=options.url,
        certificate=options.certificate,
        to=options.to,
        snapshot=options.snapshot,
        incoming=options.incoming,
        looks_for_drift=options.drift,
        caller=options.caller,
        token=lambda: _token(options.token_command),
        ask=input if sys.stdin.isatty() else None,
    )
    COMMANDS[options.command][0](run)


def _check_account(session: Any, stage: stages.Stage) -> None:
    """Print the account before any change, because a wrong account is the worst mistake.

    Raises Failure if the stage belongs to another account.
    """
    if not session.region_name:
        raise NoRegionError  # STS would work without a region
    account = session.client("sts").get_caller_identity()["Account"]
    print(f"{stage.name} in account {account}, region {session.region_name}")
    if stage.account not in {"", account}:
        raise Failure(
            f"{stage.name} belongs to the account {stage.account} (infrastructure/stages.py), but"
            f" these credentials are for {account}: set AWS_PROFILE. Nothing was changed."
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infrastructure",
        description=__doc__,
        epilog="docs/deploying.md explains all commands.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="<command>")
    for name, (_, what) in COMMANDS.items():
        command = subparsers.add_parser(name, help=what, description=what)
        command.add_argument("--stage", required=True, help=", ".join(stages.STAGES))
        command.set_defaults(set=[], yes=False, bucket=None, url=None, token_command=None)
        command.set_defaults(certificate=None)
        command.set_defaults(to=None, snapshot=None, incoming=None, drift=False, caller="")
        if name in {"provision", "deploy"}:
            command.add_argument(
                "--set",
                action="append",
                metavar="NAME=VALUE",
                help="a template's parameter; stored in the stack",
            )
        if name in {"provision", "deploy", "rollback", "destroy"}:
            command.add_argument(
                "--yes", action="store_true", help="skip confirmation unless data may be lost"
            )
        if name == "deploy":
            command.add_argument("--bucket", help="for packages (default: the pipeline's bucket)")
        if name in {"admit", "block"}:
            subject = "the subject (claim `sub`) of the caller's tokens"
            command.add_argument("--caller", required=True, metavar="SUBJECT", help=subject)
        if name == "status":
            changed = "also name resources that someone changed by hand (takes minutes)"
            command.add_argument("--drift", action="store_true", help=changed)
        if name == "restore":
            _add_restore(command)
        if name == "smoke":
            command.add_argument("--url", help="of the API (default: the stage's)")
            command.add_argument(
                "--token-command",
                help="a command that prints a token (default: the environment variable TOKEN)",
            )
            mutual = "a client's certificate and key (PEM), if the stage requires mutual TLS"
            command.add_argument("--certificate", metavar="FILE", help=mutual)
    return parser


def _add_restore(command: argparse.ArgumentParser) -> None:
    step = command.add_mutually_exclusive_group(required=True)
    step.add_argument(
        "--to", metavar="TIME", help="restore to a time: 2026-11-28T02:15:00Z, latest"
    )
    step.add_argument("--snapshot", metavar="ID", help="restore a snapshot, by its name or ARN")
    step.add_argument(
        "--switch",
        dest="incoming",
        action="store_const",
        const=clusters.RESTORED,
        help="make the restored database the current one",
    )
    step.add_argument(
        "--back",
        dest="incoming",
        action="store_const",
        const=clusters.REPLACED,
        help="make the replaced database the current one again",
    )


def _values(pairs: list[str]) -> dict[str, str]:
    """Return the parameters of `--set`. Raises Failure."""
    for pair in pairs:
        if "=" not in pair:
            raise Failure(f"--set {pair!r} is not NAME=VALUE, such as AlarmEmail=a@b.example.")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _token(command: str | None) -> str:
    """Return a token with all scopes, from a command or the environment. Raises Failure."""
    if command is None:
        token = os.environ.get("TOKEN", "")
    else:
        arguments = shlex.split(command)  # written by the operator
        completed = subprocess.run(arguments, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
        if completed.returncode:
            raise Failure(
                f"--token-command {command!r} ended with exit code {completed.returncode}."
            )
        token = completed.stdout
    if token := token.strip():
        return token
    raise Failure("Set TOKEN, or pass --token-command. See docs/tokens.md.")


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
