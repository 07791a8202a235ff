"""What operators are told of a request: its log line, its metrics, the audit of a write, its trace.

A request has one line, `request`, which also holds its metrics, in CloudWatch's embedded metric
format; a successful write has another, `audit`.

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

from chalicelib.http.problems import InternalError
from chalicelib.observability import logs, tracing
from chalicelib.settings import stage

if TYPE_CHECKING:
    from chalice import Response

    from chalicelib.http.requests import Request

NAMESPACE = "Customers"
PSEUDONYM_BYTES = 8
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

# as numbers: a request looks at each, and a look at an enumeration's member is a search
_ERROR, _FAULT, _THROTTLED = 400, 500, 429
_CONFLICTS = {409, 412}
_cold_starts = itertools.chain([1], itertools.repeat(0))


class Observed:
    """What is seen of one request while `with` has it, and told at its end."""

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
        self._ids = {"request_id": request.id, "trace_id": self._trace.id, "caller": caller}
        about = {"operation": operation, "method": request.method, "route": request.route}
        self._token = logs.common.set({**self._ids, **about})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if error:
            self.fail(error, InternalError.type)
        self.end()
        logs.common.reset(self._token)

    def fail(self, error: BaseException, problem: str) -> None:
        """Remember with which error, and which type of problem, the request ends."""
        self._problem, self._error = problem, type(error).__name__
        self._trace.explain(error)

    def end(self) -> None:
        """Tell logs, metrics and X-Ray; a request without a response has failed."""
        response = self.response
        status = response.status_code if response else _FAULT
        is_replay = bool(response and "Idempotency-Replayed" in response.headers)
        if self._trace.recorder:
            self._annotate(status, is_replay=is_replay)
        self._trace.end()
        if self._log.isEnabledFor(logging.INFO):
            now, ids = time.time_ns() // 1_000_000, logs.texts(self._ids)
            if self._request.written and status < _ERROR:
                audit = f"{ids},{self._audit(is_replay=is_replay)}"
                self._log.handle(logs.Line(self._log, "audit", now, audit))
            members = f"{ids},{self._members(now, status, is_replay=is_replay)}"
            self._log.handle(logs.Line(self._log, "request", now, members))

    def _annotate(self, status: int, *, is_replay: bool) -> None:
        self._trace.annotate(
            operation=self._operation,
            stage=self._stage,
            status=status,
            replayed=is_replay,
        )
        if self._problem:
            self._trace.annotate(problem=self._problem)
        self._trace.be_answered(status)

    def _audit(self, *, is_replay: bool) -> str:
        customers = ",".join(map(logs.quote, self._request.written))
        version = self._request.version
        made = f'"version":{version},' if version else ""
        replayed = "true" if is_replay else "false"
        about = _about(self._operation, self._request.method, self._request.route)
        return f'{about},"customers":[{customers}],{made}"replayed":{replayed}'

    def _members(self, now: int, status: int, *, is_replay: bool) -> str:
        trace = self._trace
        latency = f"{(time.perf_counter() - self._start) * 1000:.3f}"
        timed = f'"duration_ms":{latency},"Latency":{latency}'
        if trace.statements:
            timed += f',"DatabaseLatency":{trace.seconds * 1000:.3f}'
        ended = _Ended(
            self._operation,
            self._request.method,
            self._request.route,
            self._stage,
            self._problem,
            self._error,
            status,
            is_replay,
            next(_cold_starts),
            trace.statements,
            trace.failures,
            trace.throttles,
            trace.retries,
        )
        return f'{timed},{_encoded(ended)},"Timestamp":{now}}}'


@lru_cache(maxsize=64)
def _about(operation: str, method: str, route: str) -> str:
    return logs.texts({"operation": operation, "method": method, "route": route})


class _Ended(NamedTuple):
    """How a request has ended, as far as many others end alike."""

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
def _encoded(ended: _Ended) -> str:
    """Return the members that tell of it, with the beginning of `_aws`.

    Each metric has a value, so averages are rates. Each operation and each type of problem is a
    dimension, and costs: both are bounded.
    """
    status = ended.status
    members: dict[str, str | int] = {
        "operation": ended.operation,
        "method": ended.method,
        "route": ended.route,
        "status": status,
        "statements": ended.statements,
        "Stage": ended.stage,
        "Operation": ended.operation,
        "Requests": 1,
        "ClientErrors": int(_ERROR <= status < _FAULT),
        "Faults": int(status >= _FAULT),
        "Throttles": ended.throttles + (status == _THROTTLED),
        "Conflicts": int(status in _CONFLICTS),
        "Replays": int(ended.replays),
        "ColdStarts": ended.cold_starts,
        "Statements": ended.statements,
        "DatabaseErrors": ended.failures,
        "DatabaseRetries": ended.retries,
    }
    if ended.problem and ended.error:
        members |= {"problem": ended.problem, "error": ended.error}
        members |= {"Problem": ended.problem, "Problems": 1}
    described = directives(has_statements=ended.statements > 0, has_problem="Problem" in members)
    return f'{logs.encode(members)[1:-1]},"_aws":{{"CloudWatchMetrics":{described}'


def directives(*, has_statements: bool, has_problem: bool) -> str:
    """Return, encoded, what CloudWatch is to make metrics of, and with which dimensions."""
    by_operation = [["Stage", "Operation"], ["Stage"]]
    wanted = [(UNITS, by_operation)]
    if has_statements:
        wanted.append(({"DatabaseLatency": "Milliseconds"}, by_operation))
    if has_problem:
        wanted.append(({"Problems": "Count"}, [["Stage", "Problem"]]))
    return logs.encode([_directive(units, dimensions) for units, dimensions in wanted])


def _directive(units: dict[str, str], dimensions: list[list[str]]) -> dict[str, object]:
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    return {"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}


@contextmanager
def purge(log: logging.Logger) -> Iterator[Callable[[Iterable[UUID]], None]]:
    """Give a function that audits which customers a purge has just erased."""
    name = "purge_customers"
    with tracing.Trace(name, None) as trace:
        trace.annotate(operation=name, stage=stage(os.environ))

        def audit(erased: Iterable[UUID]) -> None:
            log.info("audit", extra={"members": {"customers": list(map(str, erased))}})

        token = logs.common.set({"trace_id": trace.id, "operation": name, "caller": "schedule"})
        try:
            yield audit
        finally:
            logs.common.reset(token)


@lru_cache(maxsize=1_000)
def pseudonym(subject: str | None, key: bytes) -> str | None:
    """Return 16 hexadecimal digits for a caller, whose name may be an email address.

    Without the key nobody can try out names. HMAC-SHA-256 of `caller:` and the subject.
    """
    if subject is None:
        return None
    text = f"caller:{subject}".encode(errors="backslashreplace")
    return hmac.digest(key, text, "sha256")[:PSEUDONYM_BYTES].hex()
