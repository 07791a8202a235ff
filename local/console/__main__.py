"""The command line: `python -m local.console --port 8003`."""

import argparse
import os
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial

import uvicorn

from chalicelib import settings as service
from chalicelib.database import connect
from local import state
from local.console import events
from local.console.collector import Collector
from local.console.history import History
from local.console.lines import Lines, api_failure
from local.console.server import create_app
from local.console.traces import Traces
from local.issuer import Issuer
from local.processes import LocalError
from local.stack import CONSOLE_PORT, DATABASE_VARIABLE, Settings
from serve import connections


def main() -> None:
    """Serve on 127.0.0.1 until SIGTERM or Ctrl-C."""
    port = _port()
    try:
        settings = replace(Settings.from_environ(os.environ), console_port=port)
        state.make(settings.state)
        issuer = Issuer(settings.state, settings.console_url)
        traces = Traces()
        collector = Collector(settings.xray_port, traces)
    except (LocalError, OSError) as error:
        sys.exit(f"console: {error}")
    log = settings.state / "logs" / "api.log"
    history = History(
        traces,
        collector,
        Lines(log),
        os.environ.get(DATABASE_VARIABLE),
        partial(api_failure, settings.port, log),
    )
    deliveries = events.Deliveries(settings.events_url, settings.events_secret)
    events.start(connect(service.Settings.from_environ(settings.api_environment)), deliveries)
    print(f"console on {settings.console_url}", flush=True)
    app = create_app(issuer, settings, traces, history, deliveries)
    config = connections.configure(app, connections.Protocol)
    config.port = port
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run()


def _port() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.console",
        description="Serve the local stack's pages and the keys of its token issuer, and take "
        "X-Ray's segments.",
        epilog="Environment: LOCAL_STATE, XRAY_PORT and, to describe the other parts, their "
        "ports, EVENTS_URL and DATABASE_URL, all as for `python -m local run`. Query plans of "
        f"statements come from the database at {DATABASE_VARIABLE}.",
    )
    parser.add_argument("--port", type=int, default=CONSOLE_PORT, help="(default: %(default)s)")
    port: int = parser.parse_args().port
    return port


if __name__ == "__main__":
    main()
