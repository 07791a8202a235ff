"""Show which parts of the service the instructions of a further request belong to.

`python -m benchmarks.parts` prints the table of docs/performance.md, and needs valgrind. For each
kind of request, a process (`python -m benchmarks.parts KIND`) replaces one part after the other by
what it returned last, the innermost part first. Children handle requests before each replacement.
The cost of a part is how much cheaper requests become when it is replaced.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from benchmarks.events import KINDS, TRACE
from benchmarks.further import in_child, prepared
from benchmarks.meter import FURTHER, MeasuringError, meter
from benchmarks.results import table

COLUMNS = {"get": "get", "list": "list of 50", "create": "create"}
PARTS = (
    "Data API: socket and HTTP",
    "Data API: Signature Version 4",
    "Data API: JSON of the request",
    "Data API: JSON of the response",
    "statement: parameters, rows, attempts",
    "operation: input, SQL, response",
    "log line, metrics, trace",
    "scope, content negotiation, headers",
    "Chalice",
)


def main() -> None:
    """Print the table, or measure a kind of request in this process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description=__doc__)
    parser.add_argument("kind", nargs="?", choices=COLUMNS, help="measure only, in this process")
    if kind := parser.parse_args().kind:
        measure(kind)
    else:
        publish()


def publish() -> None:
    """Print the table. Needs valgrind."""
    try:
        with meter(sys.executable, "logging") as bench:
            columns = [costs(bench.counts("benchmarks.parts", kind)) for kind in COLUMNS]
    except MeasuringError as error:
        sys.exit(f"benchmark: {error}")
    rows = [*zip(PARTS, *columns, strict=True), ("total", *map(sum, columns))]
    shown = [[name, *(f"{cost / 1000:,.0f}" for cost in own)] for name, *own in rows]
    print(table(["thousand instructions", *COLUMNS.values()], shown))


def costs(counts: list[float]) -> list[float]:
    """Return the instructions of each part. `counts` are those of pairs of children."""
    requests = [
        (twice - once) / FURTHER
        for once, twice in zip(counts[:-1:2], counts[1:-1:2], strict=True)  # the last: the parent
    ]
    return [more - less for more, less in zip(requests, [*requests[1:], 0], strict=True)]


def measure(kind: str) -> None:
    """Handle requests in children, with fewer and fewer parts of the service."""
    os.environ["_X_AMZN_TRACE_ID"] = TRACE
    operation = _replaceable_operation()
    app = importlib.import_module("app")
    once, send = prepared(app.app, kind, 1), prepared(app.app, kind, FURTHER)
    once()
    for owner, name in _places(app, kind, operation):
        _count(send)
        _replace(owner, name, once)
    _count(send)


def _replaceable_operation() -> Any:
    """Return an object whose attribute `call` all routes call. The app was not imported yet."""
    routing: Any = importlib.import_module("chalicelib.http.routing")
    operation = SimpleNamespace(call=routing._call)  # noqa: SLF001
    routing._call = lambda *arguments: operation.call(*arguments)  # noqa: PLW0108, SLF001
    return operation


def _places(app: Any, kind: str, operation: Any) -> list[tuple[Any, str]]:
    """Return what implements the parts: attributes of modules, classes or objects."""
    slim: Any = importlib.import_module("chalicelib.database.slim")
    database, request = app.database(), KINDS[kind]
    return [
        (slim.Connections, "send"),
        (database._client, "_signed"),  # noqa: SLF001
        (slim, "_encoded"),
        (slim, "_result"),
        (type(database), "_checked_run"),
        (operation, "call"),
        (app.telemetry, "RequestTelemetry"),
        (app.app.routes[request.resource][request.method], "view_function"),
    ]


def _count(send: Callable[[], None]) -> None:
    in_child(send)
    in_child(send, send)


def _replace(owner: Any, name: str, once: Callable[[], None]) -> None:
    """Replace a function by one that returns what it returns for one request."""
    function, returned = getattr(owner, name), []

    def record(*arguments: Any, **named: Any) -> Any:
        returned.append(function(*arguments, **named))
        return returned[0]

    setattr(owner, name, record)
    once()
    result = returned[0]
    if name == "RequestTelemetry":  # a context manager, whose end writes the log
        result = nullcontext(SimpleNamespace(response=None))
    setattr(owner, name, lambda *_, **__: result)


if __name__ == "__main__":
    main()
