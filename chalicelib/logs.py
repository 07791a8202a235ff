"""Logs, each line one JSON object, which hold no personal data.

Of a request they have the method, the route, a sane `Request-Id` and a pseudonym of the caller; of
an error that is not ours its type, and where it came from.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from chalicelib import tracing

OURS = {"app", "chalicelib", "customers", "local"}  # loggers whose arguments we have written

_common: ContextVar[Mapping[str, Any]] = ContextVar("common", default={})  # noqa: B039 (never set)

encode = json.JSONEncoder(separators=(",", ":")).encode


class Formatter(logging.Formatter):
    """Makes a line of JSON of a record, with what is common to the request that it is of.

    A record may bring `members`, and `metrics`, which are encoded already. An exception's own
    text is left out, and so are the arguments of others' messages.
    """

    def format(self, record: logging.LogRecord) -> str:
        is_ours = record.name.partition(".")[0] in OURS
        time_of = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "timestamp": time_of.replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage() if is_ours else _template(record),
            **_common.get(),
            **getattr(record, "members", {}),
        }
        if record.exc_info and record.exc_info[1]:
            line |= _described(record.exc_info[1])
        metrics = getattr(record, "metrics", None)
        return f"{encode(line)[:-1]},{metrics}}}" if metrics else encode(line)


def configure(log: logging.Logger) -> None:
    """Have the app's logger and the root, which has the libraries' warnings, write such lines.

    In Lambda the root has a handler already, which keeps its place and gets the format.
    """
    root, formatter = logging.getLogger(), Formatter()
    handler = logging.StreamHandler(sys.stdout)
    log.handlers = [handler]
    if not root.handlers:
        root.addHandler(handler)
    for each in (handler, *root.handlers):
        each.setFormatter(formatter)
    # https://docs.python.org/3/howto/logging.html#optimization: no line has any of it
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


@contextmanager
def common(members: Mapping[str, Any]) -> Iterator[None]:
    """Have all lines that are written meanwhile hold the members."""
    token = _common.set(members)
    try:
        yield
    finally:
        _common.reset(token)


def log_error(log: logging.Logger, level: int, error: Exception) -> None:
    """Log an error's type, where it was and, if it is ours, what it says."""
    log.log(level, "%s: %s", type(error).__name__, tracing.reason(error), exc_info=error)


def _template(record: logging.LogRecord) -> str:
    return record.msg if isinstance(record.msg, str) else type(record.msg).__name__


def _described(error: BaseException) -> dict[str, Any]:
    """Return the members that a line has of an error."""
    where = [
        f"{'/'.join(file.rsplit('/', 2)[-2:])}:{line} {function}"
        for file, line, function in tracing.frames(error)
    ]
    return {"error": type(error).__name__, "where": where}
