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

from local.console.search import Search
from local.console.shelf import FullError, Shelf
from local.console.statements import formatted

MAX_TEXT = 2_000  # characters of a path in the list
MAX_CALLERS = 1_000

_TRACE_ID = re.compile("1-[0-9a-f]{8}-[0-9a-f]{24}", re.ASCII)
_ID = re.compile("[0-9a-f]{16}", re.ASCII)
_FAR = 1e11  # seconds; larger times are invalid
_MARKS = ("fault", "throttle", "error")
_FORMATS = ("json", "exchange")  # X-Ray's segments, and the gateway's headers and bodies
_READS = {"GET", "HEAD"}
_ERROR = 400

Json = dict[str, Any]


class Traces:
    """The recent requests. Thread-safe.

    `sequence` increases with each change, and from one console to the next. `refused` counts
    invalid segments, `full` those beyond a trace's size limit. `evicted` counts the requests that
    made room for others; the last of them began at `evicted_until`. `callers` are the subjects of
    the requests' tokens.
    """

    def __init__(self) -> None:
        self.first = self.sequence = time.time_ns() // 1000
        self.refused = self.full = self.evicted = 0
        self.evicted_until: float | None = None
        self._lock = threading.Lock()
        self._shelf = Shelf()
        self._exchanges = Shelf()
        self._requests: dict[str, _Request] = {}
        self._callers: dict[str, None] = {}  # in the order of their last requests

    def take(self, datagram: bytes) -> None:
        """Add the segment in a datagram. Never raises, regardless of its content."""
        try:
            form, document = parsed(datagram)
        except (ValueError, RecursionError):
            self.refused += 1
            return
        with self._lock:
            (self._add if form == "json" else self._add_exchange)(document)

    @property
    def total(self) -> int:
        return len(self._requests)

    @property
    def oldest(self) -> int:
        """The number of the oldest request that is stored."""
        with self._lock:
            return next((request.number for request in self._requests.values()), 0)

    def since(self, sequence: int, search: str = "") -> list[Json]:
        """Return the requests that have changed since then and match, newest first."""
        wanted = Search(search)
        with self._lock:
            if sequence >= self.sequence:
                return []
            newest_first = reversed(self._requests.values())
            changed = [request for request in newest_first if request.sequence > sequence]
            return [row for request in changed if (row := request.matching(wanted))]

    def all(self) -> tuple[list[Json], bool]:
        """Return all requests, newest first, and whether none was dropped."""
        with self._lock:
            newest_first = reversed(self._requests.values())
            return [trace.row() for trace in newest_first], not self.evicted

    def request(self, trace_id: str) -> Json | None:
        """Return a request as in the list, or None if it is not stored."""
        with self._lock:
            found = self._requests.get(trace_id)
            return found.row() if found else None

    @property
    def callers(self) -> list[str]:
        with self._lock:
            return list(self._callers)

    def segments(self, trace_id: str) -> list[Json]:
        """Return the parts of a trace, each after its parent, with its `depth`."""
        with self._lock:
            texts = self._shelf.get(trace_id)
        return list(_tree(map(json.loads, texts)))

    def exchanges(self, trace_id: str) -> list[Json]:
        """Return the requests of a trace with their responses: headers and bodies."""
        with self._lock:
            texts = self._exchanges.get(trace_id)
        return [json.loads(text) for text in texts]

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
        for evicted in dropped:
            self.evicted += 1
            self.evicted_until = self._requests.pop(evicted).row().get("start")

    def _add_exchange(self, document: Json) -> None:
        request = self._requests.get(document["trace_id"])
        if request is None:  # without a segment, there is no request to which this belongs
            return
        try:
            self._exchanges.add(document["trace_id"], json.dumps(document))
        except FullError:
            self.full += 1
            return
        self.sequence += 1
        request.sequence = self.sequence
        request.learn_exchange(document)
        if caller := request.row().get("caller"):
            self._callers.pop(caller, None)
            self._callers[caller] = None
            if len(self._callers) > MAX_CALLERS:
                del self._callers[next(iter(self._callers))]


class _Request:
    """A request as in the list."""

    def __init__(self, trace_id: str, number: int) -> None:
        self.sequence = self.number = number
        self._known: Json = {"trace_id": trace_id, "number": number}
        self._statements: dict[str, str] = {}
        self._messages: list[str] = []

    def row(self) -> Json:
        return {**self._known, "statements": len(self._statements)}

    def matching(self, search: Search) -> Json | None:
        """Return the row, or None if the request does not match."""
        texts = [*self._statements.values(), *self._messages]
        return self.row() if search.matches(self._known, texts) else None

    def learn(self, part: Json) -> None:
        if "sql" in part:
            self._statements[part["id"]] = (sql(part) or "").lower()
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

    def learn_exchange(self, document: Json) -> None:
        """Learn the target and the searchable texts, without the bodies of successful reads."""
        self._known["target"] = document["target"][:MAX_TEXT]
        if caller := document["caller"]:
            self._known["caller"] = caller[:MAX_TEXT]
        response = document["response"]
        is_read = self._known.get("method") in _READS
        if is_read and (self._known.get("status") or 0) < _ERROR:
            response = response["headers"]
        self._messages.append(json.dumps([document["request"], response]).lower())


def parsed(datagram: bytes) -> tuple[str, Json]:
    """Return the format and the content of a datagram. Raises ValueError or RecursionError."""
    head, _, body = datagram.partition(b"\n")
    form = json.loads(head)
    if form not in [{"format": name, "version": 1} for name in _FORMATS]:
        raise ValueError("unknown protocol")
    document = json.loads(body, parse_constant=_refuse, parse_float=_finite)
    if not isinstance(document, dict) or not _is(_TRACE_ID, document.get("trace_id")):
        raise ValueError("the trace id is missing")
    if form["format"] == "json" and not _is(_ID, document.get("id")):
        raise ValueError("the id is missing")
    if form["format"] == "exchange" and not _is_exchange(document):
        raise ValueError("the request or the response is missing")
    return form["format"], document


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
        "formatted": formatted(sql(part) or ""),
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


def _is_exchange(document: Json) -> bool:
    kinds = {"headers": list, "body": str, "length": int}
    texts = (document.get("target"), document.get("caller"))
    return all(isinstance(text, str) for text in texts) and all(
        isinstance(_member(document, side, name), kind)
        for side in ("request", "response")
        for name, kind in kinds.items()
    )


def _is(form: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(form.fullmatch(value))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value
