"""The overview's figures: the last minutes' requests, their latency, problems and statements."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

SPANS = (900, 300, 60)
"""Seconds that the overview shows: the longest span whose requests are all stored."""
BARS = 60
SLOWEST = 10
BAD_REQUEST, FAULT = HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR

Json = dict[str, Any]


def summarize(requests: Sequence[Json], now: float, *, is_complete: bool) -> Json:
    """Return the figures of the requests, which are rows of `Traces`, newest first.

    `is_complete` is whether none was dropped. Otherwise, requests before the oldest are unknown.
    """
    ended = [each for each in requests if each.get("start") and each.get("duration_ms") is not None]
    oldest = 0 if is_complete else min((each["start"] for each in ended), default=now)
    span = next((span for span in SPANS if oldest <= now - span), SPANS[-1])
    start = now - span
    recent = [each for each in ended if each["start"] >= start]
    seconds = now - max(start, oldest)
    return {
        "start": start,
        "span": span,
        "seconds": seconds,
        **_figures(recent),
        "rate": round(len(recent) / seconds, 3) if seconds else None,
        "bars": _bars(recent, start, span / BARS),
        "cold": _figures(each for each in recent if each.get("is_cold")),
        "warm": _figures(each for each in recent if not each.get("is_cold")),
        "operations": _operations(recent),
        "problems": _problems(recent),
        "slowest": sorted(recent, key=_duration, reverse=True)[:SLOWEST],
    }


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of sorted values; None without values."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _figures(requests: Iterable[Json]) -> Json:
    counted = list(requests)
    durations = sorted(map(_duration, counted))
    return {
        "requests": len(counted),
        "errors": sum(BAD_REQUEST <= _status(each) < FAULT for each in counted),
        "faults": sum(_status(each) >= FAULT for each in counted),
        "statements": sum(each["statements"] for each in counted),
        "p50": percentile(durations, 0.5),
        "p95": percentile(durations, 0.95),
        "p99": percentile(durations, 0.99),
    }


def _bars(requests: Iterable[Json], start: float, width: float) -> list[Json]:
    """Return the figures of each part of the span."""
    parts = defaultdict(list)
    for each in requests:
        parts[min(BARS - 1, int((each["start"] - start) / width))].append(each)
    return [{"start": start + i * width, **_figures(parts[i])} for i in range(BARS)]


def _operations(requests: Iterable[Json]) -> list[Json]:
    """Return the figures of each operation, the slowest first."""
    groups = defaultdict(list)
    for each in requests:
        groups[each.get("operation") or "(gateway)"].append(each)
    rows = [{"operation": name, **_figures(group)} for name, group in groups.items()]
    return sorted(rows, key=lambda row: row["p95"], reverse=True)


def _problems(requests: Iterable[Json]) -> list[Json]:
    """Return the number of requests with each problem, the most frequent first."""
    failed = [each for each in requests if _status(each) >= BAD_REQUEST]
    counts = Counter((_problem(each), _status(each)) for each in failed)
    latest = {_problem(each): each["trace_id"] for each in reversed(failed)}
    return [
        {"problem": problem, "status": status, "requests": count, "latest": latest[problem]}
        for (problem, status), count in counts.most_common()
    ]


def _problem(request: Json) -> str:
    return request.get("problem") or "(gateway)"


def _status(request: Json) -> float:
    status: float = request.get("status") or 0
    return status


def _duration(request: Json) -> float:
    duration: float = request["duration_ms"]
    return duration
