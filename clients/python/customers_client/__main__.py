"""The command `customers`: import customers from a file, and export them to a file."""

import argparse
import asyncio
import hashlib
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from tqdm import tqdm

from customers_client.asynchronous import AsyncCustomers
from customers_client.errors import CustomersError
from customers_client.sending import Token
from customers_client.sync import Customers
from customers_client.transfer import TransferError, exports, imports, tables

REJECTED, FAILED, INTERRUPTED = 1, 2, 130
EPILOG = """\
environment:
  BASE_URL  the API, such as https://api.example.com or http://127.0.0.1:8000
  TOKEN     an access token; for long transfers, use --token-command

exit status: 0 success, 1 rows were rejected, 2 failure, 130 Ctrl-C. After a failure or Ctrl-C, the
same command continues."""


def main() -> int:
    """Run the command. Returns its exit status."""
    arguments = _parse()
    os.umask(0o077)  # the files have personal data
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        _print("interrupted: to continue, run the same command again")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output has gone; Python would report it again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CustomersError, TransferError, OSError, sqlite3.Error, ValueError) as error:
        _print(str(error))
    return FAILED


def _import(arguments: argparse.Namespace) -> int:
    table, (base_url, token) = _table(arguments), _target(arguments)
    digest = hashlib.sha256(f"{table.digest()} {base_url}".encode()).hexdigest()
    total = sum(1 for _ in table.rows())  # an unreadable row is reported before anything is sent
    errors = table.path.with_name(f"{table.path.stem}.rejected{table.path.suffix}")

    async def send() -> None:
        with tqdm(total=total, unit=" rows", disable=None) as bar:
            async with AsyncCustomers(base_url, token) as client:
                await imports.send(client, table, state, arguments.parallel, bar.update)

    with closing(imports.State(_beside(table.path, ".state"), digest)) as state:
        asyncio.run(send())
        rejected = state.count_rejected()
        if rejected and (state.has_changed or not errors.exists()):  # it may be corrected already
            imports.write_rejected(table, state, errors)
    print(f"imported {total - rejected:,} of {total:,} rows", flush=True)
    if rejected:
        print(f"rejected {rejected:,} rows: correct and import {errors}", flush=True)
    return REJECTED if rejected else 0


def _export(arguments: argparse.Namespace) -> int:
    base_url, token = _target(arguments)
    kind = _kind(arguments)
    if arguments.file.exists():
        raise TransferError(f"{arguments.file} exists. Remove it, or name another file.")
    write = tables.to_csv if kind == "csv" else tables.to_line
    with (
        closing(exports.State(_beside(arguments.file, ".state"), f"{kind} {base_url}")) as state,
        Customers(base_url, token) as client,
        tqdm(unit=" customers", disable=None) as bar,
    ):
        count = exports.run(client, arguments.file, write, state, bar.update)
    print(f"exported {count:,} customers", flush=True)
    return 0


def _table(arguments: argparse.Namespace) -> tables.Table:
    mapping: Mapping[str, str] = dict(arguments.map)
    if _kind(arguments) == "csv":
        return tables.Csv(arguments.file, arguments.encoding, mapping, arguments.delimiter)
    return tables.Lines(arguments.file, arguments.encoding, mapping)


def _kind(arguments: argparse.Namespace) -> str:
    kinds = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
    kind = arguments.format or kinds.get(arguments.file.suffix.lower())
    if kind is None:
        raise TransferError(f"{arguments.file}: what is its format? Pass --format csv or ndjson.")
    return str(kind)


def _target(arguments: argparse.Namespace) -> tuple[str, Token]:
    base_url, token = os.environ.get("BASE_URL", ""), os.environ.get("TOKEN", "")
    if not base_url.startswith(("http://", "https://")):
        raise TransferError("Set BASE_URL to the API, such as https://api.example.com.")
    if arguments.token_command:
        return base_url.rstrip("/"), partial(_run, shlex.split(arguments.token_command))
    if not token:
        raise TransferError("Set TOKEN, or pass --token-command.")
    return base_url.rstrip("/"), token


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise TransferError(f"--token-command failed with the status {done.returncode}.")
    return done.stdout


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _print(message: str) -> None:
    print(f"customers: {message}", file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="customers",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="import | export")
    _add_import(commands.add_parser("import", help="create the customers of a file"))
    _add_export(commands.add_parser("export", help="write all customers to a new file"))
    return parser.parse_args()


def _add_import(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    parser.set_defaults(run=_import)
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        type=_pair,
        metavar="COLUMN=FIELD",
        help="a column's or key's field, or part of a field, such as metadata.plan or"
        " addresses.0.city; without FIELD, the column is ignored (default: the same name)",
    )
    parser.add_argument("--encoding", default="utf-8", help="of the file (default: %(default)s)")
    parser.add_argument("--delimiter", default=",", help="of CSV (default: %(default)s)")
    parser.add_argument(
        "--parallel",
        type=_positive,
        default=4,
        help="requests at the same time (default: %(default)s)",
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    parser.set_defaults(run=_export)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help=".csv, .ndjson or .jsonl")
    parser.add_argument("--format", choices=("csv", "ndjson"), help="default: the file's ending")
    parser.add_argument(
        "--token-command",
        metavar="COMMAND",
        help="prints an access token; it runs at the start and whenever the token has expired",
    )


def _pair(text: str) -> tuple[str, str]:
    column, separator, field = text.rpartition("=")
    if not separator or not column:
        raise argparse.ArgumentTypeError(f"must be COLUMN=FIELD, got {text!r}")
    return column, field


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
