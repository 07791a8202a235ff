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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from chalicelib import logs, tracing
from chalicelib.problems import InternalError
from chalicelib.settings import stage

if TYPE_CHECKING:
    from chalice import Response

    from chalicelib.request import Request

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
_COUNTED = ",".join(f'"{name}":%s' for name in ("status", "duration_ms", "statements", *UNITS))
_cold_starts = itertools.chain([1], itertools.repeat(0))


def _directive(units: dict[str, str], *dimensions: Sequence[str]) -> str:
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    return logs.encode({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics})


# encoded once: each would cost a request more than all of its other members
_OF_OPERATIONS = _directive(UNITS, ["Stage", "Operation"], ["Stage"])
_OF_STATEMENTS = _directive({"DatabaseLatency": "Milliseconds"}, ["Stage", "Operation"], ["Stage"])
_OF_PROBLEMS = _directive({"Problems": "Count"}, ["Stage", "Problem"])


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
        common = _known(
            request_id=request.id,
            trace_id=self._trace.id,
            operation=operation,
            method=request.method,
            route=request.route,
            caller=caller,
        )
        self._token = logs.common.set(common)

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
        if self._request.written and status < _ERROR:
            self._audit(is_replay=is_replay)
        if self._log.isEnabledFor(logging.INFO):
            self._log.handle(logs.Line(self._log, "request", self._members(status, is_replay)))

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

    def _audit(self, *, is_replay: bool) -> None:
        written = _known(
            customers=self._request.written, version=self._request.version, replayed=is_replay
        )
        self._log.info("audit", extra={"members": written})

    def _members(self, status: int, is_replay: bool) -> str:  # noqa: FBT001
        values = self._values(status, is_replay=is_replay)
        texts = {"Stage": self._stage, "Operation": self._operation}
        if self._problem and self._error:
            texts |= {"problem": self._problem, "error": self._error, "Problem": self._problem}
        counted = _COUNTED % (status, values["Latency"], values["Statements"], *values.values())
        more = self._more()
        rare = "".join([f'"{name}":{value},' for name, value in more.items()])
        return f"{counted},{rare}{logs.texts(texts)},{metrics(more)}"

    def _values(self, status: int, *, is_replay: bool) -> dict[str, float]:
        """Return those of `UNITS`, in its order; as each has a value, averages are rates."""
        trace, is_fault = self._trace, status >= _FAULT
        return {
            "Requests": 1,
            "Latency": round((time.perf_counter() - self._start) * 1000, 3),
            "ClientErrors": int(_ERROR <= status < _FAULT),
            "Faults": int(is_fault),
            "Throttles": trace.throttles + (status == _THROTTLED),
            "Conflicts": int(status in _CONFLICTS),
            "Replays": int(is_replay),
            "ColdStarts": next(_cold_starts),
            "Statements": trace.statements,
            "DatabaseErrors": trace.failures,
            "DatabaseRetries": trace.retries,
        }

    def _more(self) -> dict[str, float]:
        """Return the metrics that not every request has."""
        more: dict[str, float] = {}
        if self._trace.statements:
            more["DatabaseLatency"] = round(self._trace.seconds * 1000, 3)
        if self._problem:
            more["Problems"] = 1
        return more


def metrics(values: Iterable[str]) -> str:
    """Return the member, encoded, by which CloudWatch makes metrics of a log line's members.

    Each operation and each type of problem is a dimension, and costs: both are bounded.
    """
    directives = [_OF_OPERATIONS]
    if "DatabaseLatency" in values:
        directives.append(_OF_STATEMENTS)
    if "Problems" in values:
        directives.append(_OF_PROBLEMS)
    now = time.time_ns() // 1_000_000
    return f'"_aws":{{"Timestamp":{now},"CloudWatchMetrics":[{",".join(directives)}]}}'


@contextmanager
def purge(log: logging.Logger) -> Iterator[Callable[[Iterable[UUID]], None]]:
    """Give a function that audits which customers a purge has just erased."""
    name = "purge_customers"
    with tracing.Trace(name, None) as trace:
        trace.annotate(operation=name, stage=stage(os.environ))

        def audit(erased: Iterable[UUID]) -> None:
            log.info("audit", extra={"members": {"customers": list(map(str, erased))}})

        token = logs.common.set(_known(trace_id=trace.id, operation=name, caller="schedule"))
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


def _known(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
