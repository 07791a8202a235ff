"""The overview summarizes the stored requests of the last minutes."""

from itertools import count
from typing import Any

import pytest

from local.console.overview import percentile, summarize
from local.console.traces import Traces
from local.segments import PROTOCOL

NOW = 1_800_000_000.0
numbers = count(1)


def request(age: float, duration_ms: float = 1, **more: Any) -> dict[str, Any]:
    """Return a request that began `age` seconds ago."""
    known = {"trace_id": str(next(numbers)), "status": 200, "statements": 1}
    return {**known, "start": NOW - age, "duration_ms": duration_ms, **more}


def test_figures_are_of_the_last_minutes() -> None:
    requests = [request(age, duration_ms=age) for age in (1, 2, 3, 100, 899, 901)]

    figures = summarize(requests, NOW, is_complete=True)

    assert (figures["span"], figures["seconds"], figures["requests"]) == (900, 900, 5)
    assert figures["rate"] == round(5 / 900, 3)
    assert (figures["p50"], figures["p95"], figures["p99"]) == (3, 899, 899)
    assert figures["statements"] == 5
    assert [bar["requests"] for bar in figures["bars"]] == [1] + [0] * 52 + [1] + [0] * 5 + [3]


@pytest.mark.parametrize(("oldest", "span", "seconds"), [(20, 60, 20), (301, 300, 300)])
def test_span_has_no_dropped_requests(oldest: float, span: int, seconds: float) -> None:
    figures = summarize([request(1), request(oldest)], NOW, is_complete=False)

    assert (figures["span"], figures["seconds"]) == (span, seconds)


def test_requests_that_go_on_do_not_count() -> None:
    begun: dict[str, Any] = {"trace_id": "begun", "statements": 0, "operation": "get_health"}

    assert summarize([begun, request(1)], NOW, is_complete=True)["requests"] == 1


def test_operations_are_listed_slowest_first() -> None:
    requests = [
        request(1, 5, operation="get_customer"),
        request(1, 90, operation="get_customers", statements=2),
        request(1, 10, operation="get_customers", statements=0, is_cold=True),
        request(1, 1, status=401),
    ]

    figures = summarize(requests, NOW, is_complete=True)

    shown = [(row["operation"], row["requests"], row["p95"]) for row in figures["operations"]]
    assert shown == [("get_customers", 2, 90), ("get_customer", 1, 5), ("(gateway)", 1, 1)]
    assert [each["duration_ms"] for each in figures["slowest"]] == [90, 10, 5, 1]
    assert (figures["cold"]["p50"], figures["warm"]["requests"]) == (10, 3)


def test_errors_are_counted_by_problem() -> None:
    new, old = (request(age, status=409, problem="email-taken") for age in (1, 2))
    requests = [new, old, request(3, status=503, problem="service-unavailable"), request(4)]
    refused = request(5, status=401)

    figures = summarize([*requests, refused], NOW, is_complete=True)

    assert (figures["errors"], figures["faults"]) == (3, 1)
    assert [(row["problem"], row["requests"], row["latest"]) for row in figures["problems"]] == [
        ("email-taken", 2, new["trace_id"]),
        ("service-unavailable", 1, requests[2]["trace_id"]),
        ("(gateway)", 1, refused["trace_id"]),
    ]


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (0, 1)])
def test_percentile_is_the_nearest_rank(share: float, value: float) -> None:
    assert percentile(range(1, 101), share) == value
    assert percentile([], share) is None


def test_traces_know_the_problem_and_the_cold_start() -> None:
    traces = Traces()
    annotations = '{"operation":"get_customer","problem":"not-found","cold_start":true}'
    segment = '{"trace_id":"1-5759e988-bd862e3fe1be46a994272793","id":"aaaaaaaaaaaaaaaa",'

    traces.take(PROTOCOL + f'{segment}"annotations":{annotations}}}'.encode())

    (row,), is_complete = traces.all()
    assert (row["problem"], row["is_cold"], is_complete) == ("not-found", True, True)
