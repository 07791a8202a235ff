"""The command line: `python -m local.console --port 8003`."""

import argparse
import os
import sys

import uvicorn

from local import state
from local.console.server import create_app
from local.issuer import Issuer
from local.processes import LocalError
from local.stack import CONSOLE_PORT, Settings

# How long SIGTERM waits for clients that are still reading.
GRACE = 1


def main() -> None:
    """Serve on 127.0.0.1 until SIGTERM or Ctrl-C."""
    port = _port()
    url = f"http://127.0.0.1:{port}"
    try:
        directory = Settings.from_environ(os.environ).state
        state.make(directory)
        issuer = Issuer(directory, url)
    except (LocalError, OSError) as error:
        sys.exit(f"console: {error}")
    print(f"console on {url}", flush=True)
    uvicorn.run(
        create_app(issuer),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )


def _port() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.console",
        description="Serve the local stack's page, and the keys of its token issuer.",
        epilog="Environment: LOCAL_STATE, as for `python -m local run`.",
    )
    parser.add_argument("--port", type=int, default=CONSOLE_PORT, help="(default: %(default)s)")
    port: int = parser.parse_args().port
    return port


if __name__ == "__main__":
    main()
