"""Record each request: a log line, metrics, an audit line and a trace.

Every request writes one `request` log line, which contains its metrics in CloudWatch's embedded
metric format (EMF). A successful write also writes an `audit` line.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import hmac
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self
from uuid import UUID

from chalicelib.observability import logs, tracing
from chalicelib.settings import stage

if TYPE_CHECKING:
    from typing import Protocol

    from chalice import Response

    class Written(Protocol):
        """The resources that a request wrote: their plural, ids, and version if known."""

        @property
        def resource(self) -> str: ...
        @property
        def ids(self) -> list[str]: ...
        @property
        def version(self) -> int | None: ...

    class Request(Protocol):
        """The recorded parts of a request."""

        method: str
        route: str

        @property
        def id(self) -> str: ...
        @property
        def gateway_id(self) -> str: ...
        @property
        def written(self) -> Written | None: ...
        def header(self, name: str) -> str | None: ...


NAMESPACE = "Customers"
INTERNAL_ERROR = "internal-error"  # the type of the problem in a response to a fault
PSEUDONYM_BYTES = 8
SCHEDULE = "schedule"
"""The caller in the audit and in the history of what scheduled operations write."""
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
    "DatabaseErrors": "Count",
    "DatabaseRetries": "Count",
}
RELAY_UNITS = {"RelayLag": "Seconds"}

# as numbers, because looking up an enumeration is slow
_ERROR, _FAULT, _THROTTLED = 400, 500, 429
_CONFLICTS = {409, 412}
_cold_starts = itertools.chain([1], itertools.repeat(0))


class RequestTelemetry:
    """A context manager that records one request at its end."""

    def __init__(
        self, log: logging.Logger, operation: str, request: "Request", caller: str | None
    ) -> None:
        self.response: Response | None = None
        self._log, self._operation, self._request = log, operation, request
        self._problem: str | None = None
        self._error: str | None = None
        self._start = time.perf_counter()
        self._trace = tracing.Trace(operation, request.header("x-amzn-trace-id"))
        self._stage = stage(os.environ)
        self._ids = {
            "request_id": request.id,
            "gateway_request_id": None if request.id == request.gateway_id else request.gateway_id,
            "trace_id": self._trace.id,
            "caller": caller,
        }
        names = {"operation": operation, "method": request.method, "route": request.route}
        self._token = logs.common.set({**self._ids, **names})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if error:
            self.fail(error, INTERNAL_ERROR)
        self.end()
        logs.common.reset(self._token)

    def fail(self, error: BaseException, problem: str) -> None:
        """Record the error, and the type of the problem, with which the request ends."""
        self._problem, self._error = problem, type(error).__name__
        self._trace.explain(error)

    def end(self) -> None:
        """Write the log lines and the trace; a request without a response has failed."""
        response = self.response
        status = response.status_code if response else _FAULT
        is_replay = bool(response and "Idempotency-Replayed" in response.headers)
        is_cold = bool(next(_cold_starts))
        if self._trace.recorder:
            self._annotate(status, is_replay=is_replay, is_cold=is_cold)
        self._trace.end()
        if self._log.isEnabledFor(logging.INFO):
            now, ids = time.time_ns() // 1_000_000, logs.encode_texts(self._ids)
            if (written := self._request.written) and status < _ERROR:
                audit = f"{ids},{self._audit(written, is_replay=is_replay)}"
                self._log.handle(logs.Line(self._log, "audit", now, audit))
            fields = f"{ids},{self._fields(now, status, is_replay=is_replay, is_cold=is_cold)}"
            self._log.handle(logs.Line(self._log, "request", now, fields))

    def _annotate(self, status: int, *, is_replay: bool, is_cold: bool) -> None:
        self._trace.annotate(
            operation=self._operation,
            stage=self._stage,
            status=status,
            replayed=is_replay,
            cold_start=is_cold,
        )
        if self._problem:
            self._trace.annotate(problem=self._problem)
        self._trace.set_status(status)

    def _audit(self, written: "Written", *, is_replay: bool) -> str:
        names = _encode_names(self._operation, self._request.method, self._request.route)
        ids = ",".join(map(logs.quote, written.ids))
        version = f'"version":{written.version},' if written.version else ""
        replayed = "true" if is_replay else "false"
        return f'{names},"{written.resource}":[{ids}],{version}"replayed":{replayed}'

    def _fields(self, now: int, status: int, *, is_replay: bool, is_cold: bool) -> str:
        trace = self._trace
        latency = f"{(time.perf_counter() - self._start) * 1000:.3f}"
        timed = f'"duration_ms":{latency},"Latency":{latency}'
        if trace.statements:
            timed += f',"DatabaseLatency":{trace.seconds * 1000:.3f}'
        outcome = _Outcome(
            self._operation,
            self._request.method,
            self._request.route,
            self._stage,
            self._problem,
            self._error,
            status,
            is_replay,
            is_cold,
            trace.statements,
            trace.failures,
            trace.throttles,
            trace.retries,
        )
        fields, metrics = _encode_outcome(outcome)
        return f'{timed},{fields},"_aws":{{"Timestamp":{now},"CloudWatchMetrics":{metrics}}}'


@lru_cache(maxsize=64)
def _encode_names(operation: str, method: str, route: str) -> str:
    return logs.encode_texts({"operation": operation, "method": method, "route": route})


class _Outcome(NamedTuple):
    """How a request ended, without what differs for each request, so that it can be cached."""

    operation: str
    method: str
    route: str
    stage: str
    problem: str | None
    error: str | None
    status: int
    replays: int
    cold_starts: int
    statements: int
    failures: int
    throttles: int
    retries: int


@lru_cache(maxsize=256)
def _encode_outcome(outcome: _Outcome) -> tuple[str, str]:
    """Return the fields of the log line, without braces, and the array of metric directives.

    Every metric has a value in every line, so that averages are rates. CloudWatch bills each
    operation and each type of problem as a dimension: both are bounded.
    """
    status = outcome.status
    fields: dict[str, str | int] = {
        "operation": outcome.operation,
        "method": outcome.method,
        "route": outcome.route,
        "status": status,
        "statements": outcome.statements,
        "Stage": outcome.stage,
        "Operation": outcome.operation,
        "Requests": 1,
        "ClientErrors": int(_ERROR <= status < _FAULT),
        "Faults": int(status >= _FAULT),
        "Throttles": outcome.throttles + (status == _THROTTLED),
        "Conflicts": int(status in _CONFLICTS),
        "Replays": int(outcome.replays),
        "ColdStarts": int(outcome.cold_starts),
        "Statements": outcome.statements,
        "DatabaseErrors": outcome.failures,
        "DatabaseRetries": outcome.retries,
    }
    if outcome.problem and outcome.error:
        fields |= {"problem": outcome.problem, "error": outcome.error}
        fields |= {"Problem": outcome.problem, "Problems": 1}
    metrics = directives(has_statements=outcome.statements > 0, has_problem="Problem" in fields)
    return logs.encode(fields)[1:-1], metrics


def directives(*, has_statements: bool, has_problem: bool) -> str:
    """Return the metrics and dimensions that CloudWatch extracts from a line, as JSON."""
    by_operation = [["Stage", "Operation"], ["Stage"]]
    metrics = [(UNITS, by_operation)]
    if has_statements:
        metrics.append(({"DatabaseLatency": "Milliseconds"}, by_operation))
    if has_problem:
        metrics.append(({"Problems": "Count"}, [["Stage", "Problem"]]))
    return logs.encode([_directive(units, dimensions) for units, dimensions in metrics])


def _directive(units: dict[str, str], dimensions: list[list[str]]) -> dict[str, object]:
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    return {"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}


def relayed(log: logging.Logger, events: int, lag_seconds: float) -> None:
    """Log how many events a step of the relay has sent, and the lag after it."""
    metrics = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [relay_directive()]}
    fields = {"Stage": stage(os.environ), "events": events, "RelayLag": lag_seconds}
    log.info("relay", extra={"fields": {**fields, "_aws": metrics}})


def relay_directive() -> dict[str, object]:
    """Return the metric that CloudWatch extracts from a line of the relay."""
    return _directive(RELAY_UNITS, [["Stage"]])


@contextmanager
def scheduled(
    log: logging.Logger, operation: str, resource: str
) -> Iterator[Callable[[Iterable[UUID]], None]]:
    """Record one run of a scheduled operation; return a function that audits erased ids."""
    with tracing.Trace(operation, None) as trace:
        trace.annotate(operation=operation, stage=stage(os.environ))

        def audit(erased: Iterable[UUID]) -> None:
            log.info("audit", extra={"fields": {resource: list(map(str, erased))}})

        names = {"trace_id": trace.id, "operation": operation, "caller": SCHEDULE}
        token = logs.common.set(names)
        try:
            yield audit
        finally:
            logs.common.reset(token)


@lru_cache(maxsize=1_000)
def pseudonym(subject: str, key: bytes) -> str:
    """Return 16 hexadecimal digits for a caller, whose subject may be an email address.

    They are the beginning of the HMAC-SHA-256 of `caller:` and the subject, so trying out
    subjects requires the key.
    """
    text = f"caller:{subject}".encode(errors="backslashreplace")
    return hmac.digest(key, text, "sha256")[:PSEUDONYM_BYTES].hex()
