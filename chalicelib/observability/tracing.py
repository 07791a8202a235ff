"""Time requests and SQL statements, and send them to AWS X-Ray if the request is sampled.

    with Trace("get_customer", header) as trace:   # one per request
        with statement(sql) as span:               # one per SQL statement
            span.note(rows=1)

Traces and statements become subsegments of the segment that Lambda, or the local gateway, creates
for the request. In requests that are not sampled, they are only counted.

The first sampled request imports the X-Ray SDK. The SDK is not in requirements.txt because it
depends on botocore. If it is missing, the service logs one warning and runs without tracing.

Thread-safe: each thread can trace its own request. Traces contain SQL, but no parameter values.

Sources: https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
         https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

import logging
import os
import re
import threading
import time
from contextvars import ContextVar
from functools import cache
from traceback import walk_tb
from types import TracebackType
from typing import Any, NamedTuple, Self

MAX_SQL = 4_000  # characters; a batch has 40,000, but a subsegment must fit into a datagram
MAX_FRAMES = 20
# as numbers: nothing else in a cold start imports http.HTTPStatus
_CONFLICT, _TOO_MANY_REQUESTS, _INTERNAL_SERVER_ERROR = 409, 429, 500

_TRACE_ID = "1-[0-9a-f]{8}-[0-9a-f]{24}"
_SEGMENT_ID = "[0-9a-f]{16}"
# The form that AWS sends. Other forms are rare: their patterns are compiled on first use.
_USUAL = re.compile(
    f"Root=({_TRACE_ID});Parent=({_SEGMENT_ID});Sampled=([01])(?:;Lineage=[^;]*)?", re.ASCII
)
_FIELD = r"(?:^|;)\s*(Root|Parent|Sampled)=([^;\s]*)"
_VERB = re.compile(r"\s*(\w+)")
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(\w+)")

_LOADING = threading.Lock()
_trace: ContextVar["Trace | None"] = ContextVar("trace", default=None)

log = logging.getLogger(__name__)


class Header(NamedTuple):
    """The fields of `X-Amzn-Trace-Id`; None for those that are missing or malformed."""

    trace_id: str | None = None
    parent_id: str | None = None
    is_sampled: bool | None = None

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Parse `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1`, in any order."""
        if not text:
            return cls()
        if usual := _USUAL.fullmatch(text):
            trace_id, parent_id, sampled = usual.groups()
            return cls(trace_id, parent_id, sampled == "1")
        fields = dict(re.findall(_FIELD, text, re.ASCII))
        root, parent = fields.get("Root", ""), fields.get("Parent", "")
        return cls(
            root if re.fullmatch(_TRACE_ID, root, re.ASCII) else None,
            parent if re.fullmatch(_SEGMENT_ID, parent, re.ASCII) else None,
            {"0": False, "1": True}.get(fields.get("Sampled", "")),
        )


class Span:
    """A context manager for a part of the work. All methods record for X-Ray only."""

    _recorder: Any = None
    _subsegment: Any = None

    def _record(self, recorder: Any, name: str, namespace: str) -> None:
        """Begin a subsegment. A span that is not recorded has none."""
        self._recorder = recorder
        self._subsegment = recorder.begin_subsegment(name, namespace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if error:
            self.fail(error)
        self.end()

    def end(self) -> None:
        if self._subsegment:
            self._recorder.end_subsegment()

    def annotate(self, **values: str | bool | float) -> None:
        """Record values by which traces can be searched."""
        if self._subsegment:
            for name, value in values.items():
                self._subsegment.put_annotation(name, value)

    def note(self, **values: object) -> None:
        """Record values that are only shown."""
        if self._subsegment:
            for name, value in values.items():
                self._subsegment.put_metadata(name, value)

    def set_status(self, status: int) -> None:
        """Record a fault, an error or a throttle, depending on the HTTP status."""
        if self._subsegment:
            self._subsegment.apply_status_code(status)

    def fail(self, error: BaseException) -> None:
        """Record the `status` of an error, or a fault if it has none, and its location."""
        self.set_status(_status(error))
        self.explain(error)

    def explain(self, error: BaseException) -> None:
        """Record the type and location of an error."""
        if self._subsegment:
            self._subsegment.cause = _cause(error)


class Trace(Span):
    """A context manager for one request, or one scheduled run.

    `id` is the trace id, recorded or not. `statements`, `failures`, `throttles` and `retries` count
    SQL statements, and `seconds` is their duration. The header in Lambda's environment has
    precedence.
    """

    def __init__(self, operation: str, header: str | None) -> None:
        found = Header.parse(os.environ.get("_X_AMZN_TRACE_ID") or header)
        self.id = found.trace_id
        self.statements = self.failures = self.throttles = self.retries = 0
        self.seconds = 0.0
        self.recorder: Any = None
        self.innermost: Span = self
        if found.is_sampled and found.trace_id and found.parent_id:
            self.recorder = recorder()
        if self.recorder:
            self.recorder.set_trace_entity(_facade(found))
            self._record(self.recorder, operation, "local")
        self._token = _trace.set(self)

    def end(self) -> None:
        _trace.reset(
            self._token
        )  # first, so that the next request has its own trace even if X-Ray fails
        if self.recorder:
            super().end()
            self.recorder.clear_trace_entities()


class Statement(Span):
    """One SQL statement of a request."""

    def __init__(self, trace: Trace, sql: str) -> None:
        self._trace = trace
        self._start = time.perf_counter()
        if trace.recorder:
            self._record(trace.recorder, statement_name(sql), "remote")
        if self._subsegment:
            self._subsegment.set_sql({"database_type": "MySQL", "sanitized_query": sql[:MAX_SQL]})
        trace.innermost = self

    def fail(self, error: BaseException) -> None:
        """Count a failure, unless it is a duplicate key, which is an expected result."""
        status = _status(error)
        self._trace.throttles += status == _TOO_MANY_REQUESTS
        self._trace.failures += status != _CONFLICT
        super().fail(error)

    def end(self) -> None:
        if self._subsegment:
            super().end()
        self._trace.statements += 1
        self._trace.seconds += time.perf_counter() - self._start
        self._trace.innermost = self._trace


_OFF = Span()


def statement(sql: str) -> Span:
    """Return the span of a statement; outside of a request, it does nothing."""
    trace = _trace.get()
    return Statement(trace, sql) if trace else _OFF


def attempted(times: int) -> None:
    """Record how many attempts a statement took."""
    if trace := _trace.get():
        trace.retries += times - 1
        trace.innermost.note(attempts=times)


def statement_name(sql: str) -> str:
    """Return the verb and the table of a statement, such as `SELECT customers`."""
    verb, table = _VERB.match(sql), _TABLE.search(sql)
    return " ".join(match[1] for match in (verb, table) if match) or "statement"


def frames(error: BaseException) -> list[tuple[str, int, str]]:
    """Return file, line and function of the last calls, the innermost last."""
    calls = list(walk_tb(error.__traceback__))[-MAX_FRAMES:]
    return [(call.f_code.co_filename, line, call.f_code.co_name) for call, line in calls]


def reason(error: BaseException) -> str:
    """Return the message of our own error; other messages may contain personal data."""
    return str(error) if type(error).__module__.startswith("chalicelib.") else ""


def recorder() -> Any:
    """Return X-Ray's recorder, or None if it is unavailable."""
    with _LOADING:
        return _load()


@cache
def _load() -> Any:
    try:
        from aws_xray_sdk.core.context import Context
        from aws_xray_sdk.core.recorder import AWSXRayRecorder

        # not the SDK's context for Lambda, which reads the environment for each subsegment
        loaded = AWSXRayRecorder()
        loaded.configure(context=Context(), streaming_threshold=0)
    except Exception as error:  # noqa: BLE001 (also an invalid address of the daemon)
        log.warning(
            "Tracing is off, because the X-Ray SDK could not be loaded: %s", type(error).__name__
        )
        return None
    return loaded


def _facade(header: Header) -> Any:
    """Return a placeholder for the segment that Lambda sends."""
    from aws_xray_sdk.core.models.facade_segment import FacadeSegment

    return FacadeSegment("facade", header.parent_id, header.trace_id, sampled=True)


def _status(error: BaseException) -> int:
    status = getattr(error, "status", None)  # third-party errors may have any
    return status if isinstance(status, int) else _INTERNAL_SERVER_ERROR


def _cause(error: BaseException) -> dict[str, Any]:
    """Return the exception as the SDK records it, without third-party messages."""
    from aws_xray_sdk.core.models.throwable import Throwable

    thrown = Throwable(None, frames(error))
    thrown.type, thrown.message = type(error).__name__, reason(error)
    return {"working_directory": "", "exceptions": [thrown]}
