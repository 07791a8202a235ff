"""What operators are told: logs, an audit of writes, and metrics, each line one JSON object.

A request has one line, `request`, which also holds its metrics, in CloudWatch's embedded metric
format; a successful write has another, `audit`. No line holds personal data: of what a request
brings, they have the method, the route, a sane `Request-Id` and a pseudonym of the caller; of an
error that is not ours its type, and where it came from.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import hmac
import itertools
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from chalicelib import tracing
from chalicelib.problems import InternalError
from chalicelib.settings import stage

if TYPE_CHECKING:
    from chalice import Response

    from chalicelib.request import Request

NAMESPACE = "Customers"
PSEUDONYM_BYTES = 8
OURS = {"app", "chalicelib", "customers", "local"}  # loggers whose arguments we have written
UNITS = {
    "Requests": "Count",
    "Latency": "Milliseconds",
    "ClientErrors": "Count",
    "Faults": "Count",
    "Throttles": "Count",
    "Conflicts": "Count",
    "Replays": "Count",
    "ColdStarts": "Count",
    "Statements": "Count",
    "DatabaseLatency": "Milliseconds",
    "DatabaseErrors": "Count",
}

_CONFLICTS = {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}
_OF_OPERATIONS = {
    "Namespace": NAMESPACE,
    "Dimensions": [["Stage", "Operation"], ["Stage"]],
    "Metrics": [{"Name": name, "Unit": unit} for name, unit in UNITS.items()],
}
_OF_PROBLEMS = {
    "Namespace": NAMESPACE,
    "Dimensions": [["Stage", "Problem"]],
    "Metrics": [{"Name": "Problems", "Unit": "Count"}],
}
_cold_starts = itertools.chain([1], itertools.repeat(0))
_common: ContextVar[Mapping[str, Any]] = ContextVar("common", default={})  # noqa: B039 (never set)
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Formatter(logging.Formatter):
    """Makes a line of JSON of a record, with what is common to the request that it is of.

    An exception's own text is left out, and so are the arguments of others' messages.
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
        return _encode(line)


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


class Observation:
    """What is seen of one request."""

    def __init__(
        self, log: logging.Logger, operation: str, request: "Request", caller: str | None
    ) -> None:
        self.response: Response | None = None
        self._log, self._operation, self._request = log, operation, request
        self._problem: str | None = None
        self._error: str | None = None
        self._start = time.perf_counter()
        self._trace = tracing.Trace(operation, request.header("x-amzn-trace-id"))
        self._caller = caller

    @property
    def common(self) -> dict[str, Any]:
        """What all lines of the request have."""
        return _known(
            request_id=self._request.id,
            trace_id=self._trace.id,
            operation=self._operation,
            method=self._request.method,
            route=self._request.route,
            caller=self._caller,
        )

    def fail(self, error: BaseException, problem: str) -> None:
        """Remember with which error, and which type of problem, the request ends."""
        self._problem, self._error = problem, type(error).__name__
        self._trace.explain(error)

    def end(self) -> None:
        """Tell logs, metrics and X-Ray; a request without a response has failed."""
        response = self.response
        status = int(response.status_code if response else HTTPStatus.INTERNAL_SERVER_ERROR)
        is_replay = bool(response and "Idempotency-Replayed" in response.headers)
        self._annotate(status, is_replay=is_replay)
        self._trace.end()
        if self._request.written and status < HTTPStatus.BAD_REQUEST:
            self._audit(is_replay=is_replay)
        values = self._values(status, is_replay=is_replay)
        members = _known(
            status=status,
            duration_ms=values["Latency"],
            statements=values["Statements"],
            problem=self._problem,
            error=self._error,
            **metrics(values, self._operation, self._problem),
        )
        self._log.info("request", extra={"members": members})

    def _annotate(self, status: int, *, is_replay: bool) -> None:
        self._trace.annotate(
            operation=self._operation,
            stage=stage(os.environ),
            status=status,
            replayed=is_replay,
        )
        if self._problem:
            self._trace.annotate(problem=self._problem)
        self._trace.be_answered(status)

    def _audit(self, *, is_replay: bool) -> None:
        written = _known(
            customers=self._request.written, version=self._request.version, replayed=is_replay
        )
        self._log.info("audit", extra={"members": written})

    def _values(self, status: int, *, is_replay: bool) -> dict[str, float]:
        """Return the metrics of `UNITS`: each has a value each time, so averages are rates."""
        trace, is_fault = self._trace, status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return {
            "Requests": 1,
            "Latency": round((time.perf_counter() - self._start) * 1000, 3),
            "ClientErrors": int(status >= HTTPStatus.BAD_REQUEST and not is_fault),
            "Faults": int(is_fault),
            "Throttles": trace.throttles + (status == HTTPStatus.TOO_MANY_REQUESTS),
            "Conflicts": int(status in _CONFLICTS),
            "Replays": int(is_replay),
            "ColdStarts": next(_cold_starts),
            "Statements": trace.statements,
            "DatabaseLatency": round(trace.seconds * 1000, 3),
            "DatabaseErrors": trace.failures,
        }


def metrics(
    values: Mapping[str, float], operation: str, problem: str | None = None
) -> dict[str, Any]:
    """Return members by which CloudWatch makes metrics of a log line.

    Each operation and each type of problem is a dimension, and costs: both are bounded.
    """
    directives, members = [_OF_OPERATIONS], {"Stage": stage(os.environ), "Operation": operation}
    if problem:
        directives = [_OF_OPERATIONS, _OF_PROBLEMS]
        members |= {"Problem": problem}
        values = {**values, "Problems": 1}
    about = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": directives}
    return {**members, **values, "_aws": about}


@contextmanager
def observed(
    log: logging.Logger, operation: str, request: "Request", caller: str | None
) -> Iterator[Observation]:
    """Give what is to be told of a request, and tell it at its end."""
    seen = Observation(log, operation, request, caller)
    token = _common.set(seen.common)
    try:
        yield seen
    except BaseException as error:
        seen.fail(error, InternalError.type)
        raise
    finally:
        seen.end()
        _common.reset(token)


class Purge:
    """How many customers a run of the purge has erased."""

    erased = 0


@contextmanager
def purge(log: logging.Logger) -> Iterator[Purge]:
    """Give what is to be told of a purge; the audit has it even if the purge fails half way."""
    done, name = Purge(), "purge_customers"
    with tracing.Trace(name, None) as trace:
        trace.annotate(operation=name, stage=stage(os.environ))
        common = _known(trace_id=trace.id, operation=name, caller="schedule")
        try:
            yield done
        finally:
            log.info("audit", extra={"members": {**common, "erased": done.erased}})


def log_error(log: logging.Logger, level: int, error: Exception) -> None:
    """Log an error's type, where it was and, if it is ours, what it says."""
    log.log(level, "%s: %s", type(error).__name__, tracing.reason(error), exc_info=error)


def pseudonym(subject: str | None, key: bytes) -> str | None:
    """Return 16 hexadecimal digits for a caller, whose name may be an email address.

    Without the key nobody can try out names. HMAC-SHA-256 of `caller:` and the subject.
    """
    if subject is None:
        return None
    text = f"caller:{subject}".encode(errors="backslashreplace")
    return hmac.digest(key, text, "sha256")[:PSEUDONYM_BYTES].hex()


def _known(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _template(record: logging.LogRecord) -> str:
    return record.msg if isinstance(record.msg, str) else type(record.msg).__name__


def _described(error: BaseException) -> dict[str, Any]:
    """Return the members that a line has of an error."""
    where = [
        f"{'/'.join(file.rsplit('/', 2)[-2:])}:{line} {function}"
        for file, line, function in tracing.frames(error)
    ]
    return {"error": type(error).__name__, "where": where}
