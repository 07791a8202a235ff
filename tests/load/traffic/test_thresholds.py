from collections.abc import Sequence
from typing import Any

import pytest

from load.traffic.outcomes import Outcome
from load.traffic.thresholds import RECOVERY, SPIKE, STEADY, Threshold, Thresholds


def outcomes(phase: str, count: int, latency: float = 0.01, **other: Any) -> list[Outcome]:
    """Return this number of gets, ten per second."""
    usual = {"operation": "get", "late": 0.0, "status": 200, "fault": ""}
    return [
        Outcome(due=n / 10, phase=phase, latency=latency, **{**usual, **other})
        for n in range(count)
    ]


REFUSED: dict[str, Any] = {"status": 429, "fault": "status 429"}
BROKEN: dict[str, Any] = {"status": 500, "fault": "status 500"}


def missed(thresholds: Thresholds, measured: Sequence[Outcome]) -> list[Threshold]:
    return [threshold for threshold in thresholds.judge(measured) if not threshold.is_met]


def test_good_service_meets_all_thresholds() -> None:
    good = [*outcomes(STEADY, 200), *outcomes(SPIKE, 50), *outcomes(RECOVERY, 50)]

    judged = Thresholds().judge(good)

    assert all(threshold.is_met for threshold in judged)
    assert [threshold.name for threshold in judged] == [
        "steady: unexpected responses",
        "steady: get, p50",
        "steady: get, p95",
        "steady: get, p99",
        "spike: anything except 429 and 503",
        "spike: slowest 429 or 503",
        "recovery after the spike",
    ]


@pytest.mark.parametrize("fault", [BROKEN, REFUSED, {"status": 0, "fault": "time-out"}])
def test_fault_under_steady_load_misses_threshold(fault: dict[str, Any]) -> None:
    measured = [*outcomes(STEADY, 199), *outcomes(STEADY, 1, **fault)]

    [threshold] = missed(Thresholds(), measured)

    assert (threshold.name, threshold.allowed, threshold.measured) == (
        "steady: unexpected responses",
        "0 %",
        "0.5 %",
    )
    assert missed(Thresholds(unexpected=0.5), measured) == []


def test_slow_quantile_misses_only_its_threshold() -> None:
    measured = [*outcomes(STEADY, 185, 0.01), *outcomes(STEADY, 15, 0.4)]

    assert [threshold.name for threshold in missed(Thresholds(limit=100), measured)] == [
        "steady: get, p95"
    ]
    assert [threshold.name for threshold in missed(Thresholds(limit=5), measured)] == [
        "steady: get, p50",
        "steady: get, p95",
        "steady: get, p99",
    ]


def test_write_has_twice_the_limit_of_a_read() -> None:
    slow = outcomes(STEADY, 10, 0.15)
    written = outcomes(STEADY, 10, 0.15, operation="create")

    assert [threshold.name for threshold in missed(Thresholds(), slow)] == ["steady: get, p50"]
    assert missed(Thresholds(), written) == []


def test_few_requests_are_not_judged_by_p99() -> None:
    measured = outcomes(STEADY, 4) + outcomes(STEADY, 39, operation="list")

    names = [threshold.name for threshold in Thresholds().judge(measured)]

    assert names == ["steady: unexpected responses", "steady: list, p50"]


def test_spike_allows_only_quick_429_and_503() -> None:
    overloads = [*outcomes(SPIKE, 50), *outcomes(SPIKE, 50, 0.5, **REFUSED)]

    assert missed(Thresholds(), overloads) == []
    late = [*overloads, *outcomes(SPIKE, 1, 1.5, **REFUSED)]
    assert [threshold.name for threshold in missed(Thresholds(), late)] == [
        "spike: slowest 429 or 503"
    ]
    broken = [*overloads, *outcomes(SPIKE, 1, **BROKEN)]
    assert [threshold.name for threshold in missed(Thresholds(), broken)] == [
        "spike: anything except 429 and 503"
    ]


def test_recovery_ends_after_the_last_bad_second() -> None:
    spike, good = outcomes(SPIKE, 10), outcomes(RECOVERY, 100)
    late = [
        outcome._replace(latency=0.7) if 10 <= n < 30 else outcome for n, outcome in enumerate(good)
    ]

    [threshold] = missed(Thresholds(recovery=2), [*spike, *late])

    assert (threshold.name, threshold.measured) == ("recovery after the spike", "3 s")
    assert missed(Thresholds(recovery=3), [*spike, *late]) == []


def test_phases_without_requests_are_not_judged() -> None:
    assert Thresholds().judge([]) == []
    assert Thresholds().judge(outcomes("ramp", 10, **BROKEN)) == []
