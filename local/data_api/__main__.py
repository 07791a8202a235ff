"""The command line: `python -m local.data_api --url mysql://user:password@host:port/database`.

The installed package has the command `rds-data-api` instead.
"""

import argparse
import asyncio
import math
import os
import socket
import ssl
import sys
from contextlib import suppress
from pathlib import Path

import pymysql
import uvicorn
from pymysql.constants import CR

from .access import Access, AccessError
from .address import Address, AddressError
from .database_errors import is_connection_lost
from .faults import FaultsError, read_file
from .faulty import Protocol as Faulty
from .faulty import create_faulty_app
from .results import ROW_LIMIT
from .server import App, create_app
from .service import Limits, Service
from .serving import LOOPBACK, Guard, Protocol, configure

# The package's name differs between a checkout and an installation.
PROGRAM = f"python -m {__package__}"
EPILOG = """\
Point an AWS client at it with AWS_ENDPOINT_URL_RDS_DATA=http://127.0.0.1:8001.
If DATA_API_ACCESS_KEY_ID and DATA_API_SECRET_ACCESS_KEY are set, requests must be signed with that
key.

The URL of the database may end in options, such as ?tls=required:
  tls=verified   encrypt; verify the server's certificate and host name
  tls=required   encrypt; verify the certificate only if tls_ca is set, and never the host name:
                 for the certificates that MySQL generates
  tls=preferred  encrypt if the server supports TLS; verify nothing
  tls=off        don't encrypt
  tls_ca=FILE    trust only the certificate authorities in this PEM file
The default is tls=verified, but tls=off for 127.0.0.1, ::1 and localhost without tls_ca.
Percent-encode special characters in the user and password: / is %2F, @ is %40.
"""


class Server(uvicorn.Server):
    """uvicorn's server, which also expires transactions.

    At its end, it kills running statements instead of waiting for them.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the server and the expiry of transactions."""
        self._expiry = asyncio.create_task(self._service.expire_transactions())
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the database's work, then the server."""
        self._expiry.cancel()
        ending = asyncio.create_task(asyncio.to_thread(self._service.close))
        await super().shutdown(sockets)
        await ending


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    arguments = _arguments()
    limits = Limits(
        arguments.statement_timeout,
        arguments.transaction_idle_timeout,
        arguments.transaction_timeout,
        ROW_LIMIT if arguments.limit_rows else None,
        arguments.lock_wait_timeout,
    )
    try:
        address = _address(arguments.url or os.environ.get("DATABASE_URL", ""))
        access = Access.parse(os.environ, arguments.resource_arn, arguments.secret_arn)
        plan = read_file(Path(arguments.faults)) if arguments.faults else []
        service = Service(address, limits)
        _log_in(service, address)
        listener = _listen(arguments.host, arguments.port)
    except (AccessError, AddressError, FaultsError, OSError) as error:
        print(f"data-api: {error}", file=sys.stderr)
        sys.exit(2)
    is_faulty = arguments.faults is not None
    app = create_faulty_app(service, plan, access) if is_faulty else create_app(service, access)
    config = configure(_guarded(app, arguments.host), Faulty if is_faulty else Protocol)
    host, port = listener.getsockname()[:2]
    location = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    print(
        f"RDS Data API on http://{location} for the database {address.database}"
        f" at {address.location}",
        flush=True,
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises it after everything has ended
        Server(config, service).run(sockets=[listener])


def _guarded(app: App, host: str) -> Guard:
    """Return the app without web pages. A server that others reach may have any name."""
    is_local = host in {"127.0.0.1", "::1", "localhost"}
    return Guard(app, LOOPBACK if is_local else None, origins=())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Serve the RDS Data API in front of a MySQL or MariaDB server.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--url",
        help="mysql://user:password@host:port/database (default: the environment's DATABASE_URL,"
        " which other users of the machine can't read)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8001, help="0 selects a free port (default: %(default)s)"
    )
    for name, seconds, label in (
        ("statement", Limits.statement, "a call may take"),
        ("transaction-idle", Limits.transaction_idle, "a transaction may be unused"),
        ("transaction", Limits.transaction_total, "a transaction may be open"),
    ):
        parser.add_argument(
            f"--{name}-timeout",
            type=_seconds,
            default=seconds,
            metavar="SECONDS",
            help=f"that {label} (default: %(default)s)",
        )
    parser.add_argument(
        "--lock-wait-timeout",
        type=int,
        choices=range(1, 51),
        metavar="SECONDS",
        help="that a statement waits for a row lock, from 1 to 50 (default: the server's setting)",
    )
    parser.add_argument(
        "--limit-rows", action="store_true", help="reject rows of more than 64 KB, as AWS documents"
    )
    for kind in ("resource", "secret"):
        parser.add_argument(
            f"--{kind}-arn",
            action="append",
            default=[],
            metavar="ARN",
            help=f"accept only this {kind}; may be repeated (default: any)",
        )
    parser.add_argument(
        "--faults",
        nargs="?",
        const="",
        metavar="FILE",
        help="inject the faults of this JSON file and of PUT /_faults: docs/data-api-server.md",
    )
    return parser.parse_args()


def _address(url: str) -> Address:
    address = Address.parse(url)
    if address.needs_aws:  # a token is valid for 15 minutes, and a secret changes
        raise AddressError("auth=iam and secret are not supported: use a user with a password.")
    return address


def _log_in(service: Service, address: Address) -> None:
    """Open the first connection, or warn that the database does not respond yet.

    Raises ConnectionError if the database rejects the login.
    """
    try:
        service.log_in()
    except pymysql.Error as error:
        reason = f"can't log in to {address!r}: {error.args[-1]}"
        is_without_tls = error.args[0] == CR.CR_SSL_CONNECTION_ERROR  # the server has none
        if is_without_tls or isinstance(error.__context__, ssl.SSLError):
            reason += "; the option tls of the URL selects TLS: see --help"
        elif is_connection_lost(error.args[0]):
            print(f"data-api: {reason}; calls fail until the database responds", file=sys.stderr)
            return
        raise ConnectionError(reason) from error


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < math.inf:
            return seconds
    raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text}")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        code = getattr(error, "errno", None)
        reason = os.strerror(code) if code and code > 0 else error
        raise OSError(f"can't listen on {host}:{port}: {reason}") from error


if __name__ == "__main__":
    main()
