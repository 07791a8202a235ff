"""Traces, assembled from the segments that X-Ray's SDK and the gateway send.

Segments and subsegments arrive in any order, alone or nested, and any local program may send
anything. So only their texts are stored; a trace is assembled when a page requests it. Source:
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

import json
import math
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from local.console.shelf import FullError, Shelf

MAX_TEXT = 2_000  # characters of a path in the list

_TRACE_ID = re.compile("1-[0-9a-f]{8}-[0-9a-f]{24}", re.ASCII)
_ID = re.compile("[0-9a-f]{16}", re.ASCII)
_FAR = 1e11  # seconds; larger times are invalid
_MARKS = ("fault", "throttle", "error")

Json = dict[str, Any]


class Traces:
    """The recent requests. Thread-safe.

    `sequence` increases with each change, and from one console to the next. `refused` counts
    invalid segments, `full` those beyond a trace's size limit.
    """

    def __init__(self) -> None:
        self.first = self.sequence = time.time_ns() // 1000
        self.refused = self.full = 0
        self._lock = threading.Lock()
        self._shelf = Shelf()
        self._requests: dict[str, _Request] = {}
        self._has_dropped = False

    def take(self, datagram: bytes) -> None:
        """Add the segment in a datagram. Never raises, regardless of its content."""
        try:
            document = parsed(datagram)
        except (ValueError, RecursionError):
            self.refused += 1
            return
        with self._lock:
            self._add(document)

    def since(self, sequence: int) -> list[Json]:
        """Return the requests that have changed since then, newest first."""
        with self._lock:
            if sequence >= self.sequence:
                return []
            newest_first = reversed(self._requests.values())
            return [trace.row() for trace in newest_first if trace.sequence > sequence]

    def all(self) -> tuple[list[Json], bool]:
        """Return all requests, newest first, and whether none was dropped."""
        with self._lock:
            newest_first = reversed(self._requests.values())
            return [trace.row() for trace in newest_first], not self._has_dropped

    def request(self, trace_id: str) -> Json | None:
        """Return a request as in the list, or None if it is not stored."""
        with self._lock:
            found = self._requests.get(trace_id)
            return found.row() if found else None

    def segments(self, trace_id: str) -> list[Json]:
        """Return the parts of a trace, each after its parent, with its `depth`."""
        with self._lock:
            texts = self._shelf.get(trace_id)
        return list(_tree(map(json.loads, texts)))

    def _add(self, document: Json) -> None:
        trace_id = document["trace_id"]
        try:
            dropped = self._shelf.add(trace_id, json.dumps(document))
        except FullError:
            self.full += 1
            return
        self.sequence += 1
        request = self._requests.setdefault(trace_id, _Request(trace_id, self.sequence))
        request.sequence = self.sequence
        for part in _flattened(document):
            request.learn(part)
        for trace_id in dropped:
            self._has_dropped = True
            del self._requests[trace_id]


class _Request:
    """A request as in the list."""

    def __init__(self, trace_id: str, number: int) -> None:
        self.sequence = number
        self._known: Json = {"trace_id": trace_id, "number": number}
        self._statements: set[str] = set()

    def row(self) -> Json:
        return {**self._known, "statements": len(self._statements)}

    def learn(self, part: Json) -> None:
        if "sql" in part:
            self._statements.add(part["id"])
        elif operation := _member(part, "annotations", "operation"):
            self._known["operation"] = str(operation)[:MAX_TEXT]
            self._known["is_cold"] = _member(part, "annotations", "cold_start") is True
            if problem := _member(part, "annotations", "problem"):
                self._known["problem"] = str(problem)[:MAX_TEXT]
        elif request := _member(part, "http", "request"):
            self._known |= {
                "method": str(_member(request, "method"))[:MAX_TEXT],
                "path": str(_member(request, "url"))[:MAX_TEXT],
                "status": _number(_member(part, "http", "response", "status")),
                "start": _number(part.get("start_time")),
                "duration_ms": _milliseconds(part),
            }


def parsed(datagram: bytes) -> Json:
    """Parse the segment in a datagram. Raises ValueError or RecursionError."""
    head, _, body = datagram.partition(b"\n")
    if json.loads(head) != {"format": "json", "version": 1}:
        raise ValueError("unknown protocol")
    document = json.loads(body, parse_constant=_refuse, parse_float=_finite)
    if not isinstance(document, dict) or not _is(_TRACE_ID, document.get("trace_id")):
        raise ValueError("the trace id is missing")
    if not _is(_ID, document.get("id")):
        raise ValueError("the id is missing")
    return document


def _flattened(document: Json) -> Iterator[Json]:
    """Yield a segment and everything nested in it, each with the id of its parent."""
    waiting: list[tuple[Any, Any]] = [(document, document.get("parent_id"))]
    while waiting:
        part, parent_id = waiting.pop()
        if not isinstance(part, dict) or not _is(_ID, part.get("id")):
            continue
        yield {**part, "parent_id": parent_id if _is(_ID, parent_id) else None}
        inner = part.get("subsegments")
        waiting += [(child, part["id"]) for child in inner] if isinstance(inner, list) else []


def _tree(documents: Iterable[Json]) -> Iterator[Json]:
    """Yield each part for the page, in depth-first order.

    Omits parts that claim to contain themselves.
    """
    parts: dict[str, Json] = {}
    for part in (part for document in documents for part in _flattened(document)):
        if part["id"] not in parts or not part.get("in_progress"):
            parts[part["id"]] = part
    inside = defaultdict(list)
    for part in sorted(parts.values(), key=_start, reverse=True):
        inside[part["parent_id"] if part["parent_id"] in parts else None].append(part)
    begin = min((start for start in map(_start, parts.values()) if start), default=0)
    waiting = [(part, 0) for part in inside[None]]
    while waiting:
        part, depth = waiting.pop()
        yield _shown(part, depth, begin)
        waiting += [(child, depth + 1) for child in inside.get(part["id"], ())]


def _shown(part: Json, depth: int, begin: float) -> Json:
    kept = ("http", "annotations", "metadata", "cause")
    return {
        "id": part["id"],
        "parent_id": part["parent_id"],
        "depth": depth,
        "name": str(part.get("name", "")),
        "start_ms": max(0, round((_start(part) - begin) * 1000, 3)),
        "duration_ms": _milliseconds(part),
        "mark": next((mark for mark in _MARKS if part.get(mark) is True), None),
        "sql": sql(part),
        **{name: part[name] for name in kept if name in part},
    }


def sql(part: Json) -> str | None:
    """Return the SQL text of a part, or None if it is not a statement."""
    text = _member(part, "sql", "sanitized_query")
    return text if isinstance(text, str) else None


def _start(part: Json) -> float:
    return _number(part.get("start_time")) or 0


def _milliseconds(part: Json) -> float | None:
    """Return the duration of a part, or None while it is in progress."""
    start, end = _number(part.get("start_time")), _number(part.get("end_time"))
    return None if start is None or end is None else max(0, round((end - start) * 1000, 3))


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _FAR:
        return value
    return None


def _member(document: Any, *path: str) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _is(form: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(form.fullmatch(value))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value
