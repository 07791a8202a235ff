from collections.abc import Sequence
from typing import Any

import pytest

from load.traffic.marks import RECOVERY, SPIKE, STEADY, Mark, Marks
from load.traffic.outcomes import Outcome


def outcomes(phase: str, count: int, latency: float = 0.01, **other: Any) -> list[Outcome]:
    """Return so many gets, ten a second."""
    usual = {"operation": "get", "late": 0.0, "status": 200, "fault": ""}
    return [
        Outcome(due=n / 10, phase=phase, latency=latency, **{**usual, **other})
        for n in range(count)
    ]


REFUSED: dict[str, Any] = {"status": 429, "fault": "status 429"}
BROKEN: dict[str, Any] = {"status": 500, "fault": "status 500"}


def missed(marks: Marks, measured: Sequence[Outcome]) -> list[Mark]:
    return [mark for mark in marks.judge(measured) if not mark.is_held]


def test_all_marks_are_held_by_a_good_service() -> None:
    good = [*outcomes(STEADY, 200), *outcomes(SPIKE, 50), *outcomes(RECOVERY, 50)]

    judged = Marks().judge(good)

    assert all(mark.is_held for mark in judged)
    assert [mark.name for mark in judged] == [
        "steady: unexpected answers",
        "steady: get, p50",
        "steady: get, p95",
        "steady: get, p99",
        "spike: anything but 429 and 503",
        "spike: slowest refusal",
        "recovery after the spike",
    ]


@pytest.mark.parametrize("fault", [BROKEN, REFUSED, {"status": 0, "fault": "time-out"}])
def test_under_steady_load_nothing_is_unexpected(fault: dict[str, Any]) -> None:
    measured = [*outcomes(STEADY, 199), *outcomes(STEADY, 1, **fault)]

    [mark] = missed(Marks(), measured)

    assert (mark.name, mark.allowed, mark.measured) == (
        "steady: unexpected answers",
        "0 %",
        "0.5 %",
    )
    assert missed(Marks(unexpected=0.5), measured) == []


def test_each_quantile_has_a_limit_of_its_own() -> None:
    measured = [*outcomes(STEADY, 185, 0.01), *outcomes(STEADY, 15, 0.4)]

    assert [mark.name for mark in missed(Marks(limit=100), measured)] == ["steady: get, p95"]
    assert [mark.name for mark in missed(Marks(limit=5), measured)] == [
        "steady: get, p50",
        "steady: get, p95",
        "steady: get, p99",
    ]


def test_a_write_may_take_twice_as_long() -> None:
    slow = outcomes(STEADY, 10, 0.15)
    written = outcomes(STEADY, 10, 0.15, operation="create")

    assert [mark.name for mark in missed(Marks(), slow)] == ["steady: get, p50"]
    assert missed(Marks(), written) == []


def test_few_requests_have_no_p99() -> None:
    measured = outcomes(STEADY, 4) + outcomes(STEADY, 39, operation="list")

    names = [mark.name for mark in Marks().judge(measured)]

    assert names == ["steady: unexpected answers", "steady: list, p50"]


def test_a_spike_may_be_refused_at_once_and_not_otherwise() -> None:
    refused = [*outcomes(SPIKE, 50), *outcomes(SPIKE, 50, 0.5, **REFUSED)]

    assert missed(Marks(), refused) == []
    late = [*refused, *outcomes(SPIKE, 1, 1.5, **REFUSED)]
    assert [mark.name for mark in missed(Marks(), late)] == ["spike: slowest refusal"]
    broken = [*refused, *outcomes(SPIKE, 1, **BROKEN)]
    assert [mark.name for mark in missed(Marks(), broken)] == ["spike: anything but 429 and 503"]


def test_recovery_is_the_end_of_the_last_bad_second() -> None:
    spike, good = outcomes(SPIKE, 10), outcomes(RECOVERY, 100)
    late = [
        outcome._replace(latency=0.7) if 10 <= n < 30 else outcome for n, outcome in enumerate(good)
    ]

    [mark] = missed(Marks(recovery=2), [*spike, *late])

    assert (mark.name, mark.measured) == ("recovery after the spike", "3 s")
    assert missed(Marks(recovery=3), [*spike, *late]) == []


def test_nothing_is_judged_that_was_not_measured() -> None:
    assert Marks().judge([]) == []
    assert Marks().judge(outcomes("ramp", 10, **BROKEN)) == []
