"""Show a developer the text and the traceback of an unexpected exception.

The functions neither log nor return them, because both may contain personal data. Therefore this
module is part of `local`, which no package contains, and only the laptop's gateway uses it, in the
stage `local`.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exception
from typing import Any

from chalicelib.database import DatabaseError
from chalicelib.database.clients import ErrorAnswer
from chalicelib.observability import logs, tracing
from local.processes import PROJECT
from serve.gateway import LambdaResponse

STAGE = "local"
PROBLEM = "application/problem+json"
MAX_TEXT = 300  # characters of the exception's text in a response
MIGRATE = {
    1054: "A column is missing in the database: run `make migrate`.",
    1146: "A table is missing in the database: run `make migrate`.",
}
"""What to do about MySQL's error numbers."""


class Failures(logging.Handler):
    """Keeps the exception that the app logs while this thread handles a request."""

    def __init__(self, *loggers: logging.Logger) -> None:
        super().__init__(logging.ERROR)
        self._thread = threading.local()
        for logger in loggers:
            logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._thread.error = record.exc_info[1]

    def explain(self, response: LambdaResponse, trace_id: str) -> LambdaResponse:
        """Return the response to a request with the exception in its `detail`, and print a line.

        If the request has failed with an exception, the log line contains the traceback.
        """
        error = vars(self._thread).pop("error", None)
        if error is None:
            return response
        print(logs.encode(_line(error, trace_id)), flush=True)
        if response["headers"].get("Content-Type") != PROBLEM or not response["body"]:
            return response
        problem = json.loads(response["body"])
        problem["detail"] = f"{problem['detail']} In the stage local: {describe(error)}"
        return response | {"body": json.dumps(problem)}


def describe(error: BaseException) -> str:
    """Return the type, text and place of an exception, and what to do, if that is known."""
    where = next(_own_calls(error), "")
    advice = MIGRATE.get(error.code or 0, "") if isinstance(error, DatabaseError) else ""
    return f"{type(error).__name__}: {_text(error)[:MAX_TEXT]}{where}. {advice}".rstrip()


def _text(error: BaseException) -> str:
    """Return the text of an exception; of a rejected statement, what the database says."""
    rejection = error.__context__
    if isinstance(rejection, ErrorAnswer):
        return str(rejection.response["Error"].get("Message") or error).rstrip(".")
    return str(error)


def _own_calls(error: BaseException) -> Iterator[str]:
    """Yield the calls in the developer's own files, the innermost first.

    A rejected statement is a mistake of its author, not of `database`.
    """
    skipped = [PROJECT / ".venv"]
    skipped += [PROJECT / "chalicelib" / "database"] if isinstance(error, DatabaseError) else []
    for file, line, function in reversed(tracing.frames(error)):
        path = Path(file)
        if path.is_relative_to(PROJECT) and not any(map(path.is_relative_to, skipped)):
            yield f" ({path.relative_to(PROJECT)}:{line}, in {function})"


def _line(error: BaseException, trace_id: str) -> dict[str, Any]:
    trace = "".join(format_exception(error))
    now = logs.format_timestamp(time.time_ns() // 1_000_000)
    names = {"timestamp": now, "level": "ERROR", "trace_id": trace_id}
    return {**names, "message": describe(error), "traceback": trace}
