"""Logs, each line one JSON object, which hold no personal data.

Of a request they have the method, the route, a sane `Request-Id` and a pseudonym of the caller; of
an error that is not ours its type, and where it came from.
"""

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from chalicelib.observability import tracing
from chalicelib.observability.times import rfc3339

OURS = {"chalicelib", "customers"}  # loggers whose arguments we have written

# what all lines of a request have
common: ContextVar[Mapping[str, Any]] = ContextVar("common", default={})  # noqa: B039 (never set)

encode = json.JSONEncoder(separators=(",", ":")).encode
quote = json.encoder.encode_basestring_ascii


class Formatter(logging.Formatter):
    """Makes a line of JSON of a record, with what is common to the request that it is of.

    A record may bring further `members`. An exception's own text is left out, and so are the
    arguments of others' messages.
    """

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record, Line):
            return record.text
        is_ours = record.name.partition(".")[0] in OURS
        line = {
            "timestamp": rfc3339(int(record.created * 1000)),
            "level": record.levelname,
            "message": record.getMessage() if is_ours else _template(record),
            **common.get(),
            **getattr(record, "members", {}),
        }
        if record.exc_info and record.exc_info[1]:
            line |= _described(record.exc_info[1])
        return encode({name: value for name, value in line.items() if value is not None})


_BLANK = vars(logging.LogRecord("", logging.INFO, "", 0, "", None, None))


class Line(logging.LogRecord):
    """A record of which the line is made here, as there is one of every request.

    It is of the time `now`, in milliseconds; `members` is all that the line has of the request,
    encoded. What LogRecord itself finds out costs more than all of the line.
    """

    def __init__(self, log: logging.Logger, message: str, now: int, members: str) -> None:
        self.__dict__ = _BLANK.copy()
        self.name, self.msg, self.created = log.name, message, now / 1000
        head = f'"timestamp":"{rfc3339(now)}","level":"INFO","message":"{message}"'
        self.text = f"{{{head},{members}}}"


def texts(members: Mapping[str, str | None]) -> str:
    """Return members whose values are texts, encoded: a fifth of the cost of an encoder."""
    known = [f'"{name}":{quote(value)}' for name, value in members.items() if value is not None]
    return ",".join(known)


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
