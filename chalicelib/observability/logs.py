"""Structured logging: one JSON object per line, without personal data.

Request lines contain the method, the route, the request id and a pseudonym of the caller. For
third-party exceptions, only the type and the location are logged, and the arguments of third-party
log messages are dropped, because both may contain personal data.
"""

import json
import logging
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from chalicelib.observability import tracing
from chalicelib.settings import SERVICE

OURS = {"chalicelib", SERVICE}  # loggers whose messages have arguments without personal data

# fields that all lines of a request have
common: ContextVar[Mapping[str, Any]] = ContextVar("common", default={})  # noqa: B039 (never set)

encode = json.JSONEncoder(separators=(",", ":")).encode
quote = json.encoder.encode_basestring_ascii


class Formatter(logging.Formatter):
    """Format a record as a line of JSON, with the fields in `common`.

    A record may have additional fields in its attribute `fields`.
    """

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record, Line):
            return record.text
        is_ours = record.name.partition(".")[0] in OURS
        line = {
            "timestamp": format_timestamp(int(record.created * 1000)),
            "level": record.levelname,
            "message": record.getMessage() if is_ours else _template(record),
            **common.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            line |= _describe(record.exc_info[1])
        return encode({name: value for name, value in line.items() if value is not None})


_BLANK = vars(logging.LogRecord("", logging.INFO, "", 0, "", None, None))


class Line(logging.LogRecord):
    """A record whose line is already formatted, because every request logs one.

    `now` is in milliseconds since 1970, and `fields` are JSON. The constructor of LogRecord is not
    called: it would collect data about the caller, the thread and the process, which no line
    contains, and that would cost more than the line itself.
    """

    def __init__(self, log: logging.Logger, message: str, now: int, fields: str) -> None:
        vars(self).update(_BLANK)  # handlers may format any attribute
        self.name, self.msg, self.created = log.name, message, now / 1000
        head = f'"timestamp":"{format_timestamp(now)}","level":"INFO","message":"{message}"'
        self.text = f"{{{head},{fields}}}"


def format_timestamp(milliseconds: int) -> str:
    """Return the time since 1970 as RFC 3339 in UTC; a tenth of the cost of a datetime."""
    minute, rest = divmod(milliseconds, 60_000)
    digits = str(100_000 + rest)  # of seconds and milliseconds, after a 1
    return f"{_format_minute(minute)}:{digits[1:3]}.{digits[3:]}Z"


@lru_cache(maxsize=1)
def _format_minute(minutes: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M", time.gmtime(minutes * 60))


def encode_texts(fields: Mapping[str, str | None]) -> str:
    """Return fields of text as JSON, without braces; a fifth of the cost of an encoder."""
    known = [f'"{name}":{quote(value)}' for name, value in fields.items() if value is not None]
    return ",".join(known)


def configure(log: logging.Logger) -> None:
    """Configure the app's logger and the root logger, which receives the libraries' warnings.

    In Lambda the root logger already has a handler, which only gets the format.
    """
    root, formatter = logging.getLogger(), Formatter()
    handler = logging.StreamHandler(sys.stdout)
    log.handlers = [handler]
    if not root.handlers:
        root.addHandler(handler)
    for existing in (handler, *root.handlers):
        existing.setFormatter(formatter)
    # https://docs.python.org/3/howto/logging.html#optimization: no line contains these
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def log_error(log: logging.Logger, level: int, error: Exception) -> None:
    """Log the type and location of an error, and the message if the error is ours."""
    log.log(level, "%s: %s", type(error).__name__, tracing.reason(error), exc_info=error)


def _template(record: logging.LogRecord) -> str:
    return record.msg if isinstance(record.msg, str) else type(record.msg).__name__


def _describe(error: BaseException) -> dict[str, Any]:
    """Return the fields of a line that describe an error."""
    where = [
        f"{'/'.join(file.rsplit('/', 2)[-2:])}:{line} {function}"
        for file, line, function in tracing.frames(error)
    ]
    return {"error": type(error).__name__, "where": where}
