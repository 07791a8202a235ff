"""The alarms of a canary detect a faulty version at any traffic, and tolerate coincidences."""

from collections.abc import Sequence
from typing import Any

import pytest

from infrastructure import deployment
from infrastructure.policies import Arns
from infrastructure.stages import STAGES

RESOURCES = deployment.resources(STAGES["prod"], Arns("cluster", "secret", "key"))
ALARMS = ("ResponsesFailing", "FunctionsFailing")
CANARY = 0.1  # its share of the requests: Canary10Percent5Minutes

Minute = tuple[float, float]  # failed, of how many requests


def fires(alarm: dict[str, Any], minutes: Sequence[Minute]) -> bool:
    """Return whether the alarm fires after these minutes. Without requests there is no data."""
    (expression,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    failed, total = [each["Id"] for each in alarm["Metrics"] if "MetricStat" in each]
    assert len(minutes) == alarm["EvaluationPeriods"]
    assert alarm["TreatMissingData"] == "notBreaching"
    shares = [eval(expression, {failed: f, total: n}) for f, n in minutes if n]  # noqa: S307 (ours)
    failing = [share for share in shares if share >= alarm["Threshold"]]
    return len(failing) >= int(alarm["DatapointsToAlarm"])


@pytest.fixture(params=ALARMS)
def alarm(request: pytest.FixtureRequest) -> dict[str, Any]:
    properties: dict[str, Any] = RESOURCES[request.param]["Properties"]
    return properties


@pytest.mark.parametrize("requests", [100, 1_000, 60_000, 1_000_000])
@pytest.mark.parametrize("failing", [0.1, 1.0])
def test_version_that_fails_every_tenth_request_is_detected(
    alarm: dict[str, Any], requests: int, failing: float
) -> None:
    """It fails one in a hundred of all requests, because the others get the previous version."""
    assert fires(alarm, [(requests * CANARY * failing, requests)] * 5)


def test_two_failures_within_the_canary_are_detected_at_low_traffic(alarm: dict[str, Any]) -> None:
    assert fires(alarm, [(0, 4), (1, 10), (0, 0), (1, 6), (0, 3)])


def test_version_that_fails_late_is_detected(alarm: dict[str, Any]) -> None:
    assert fires(alarm, [(0, 900), (0, 900), (0, 900), (9, 900), (9, 900)])


@pytest.mark.parametrize("requests", [1_000, 1_000_000])
def test_failures_within_the_target_are_tolerated(alarm: dict[str, Any], requests: int) -> None:
    assert not fires(alarm, [(requests * 0.001, requests)] * 5)


def test_one_failure_is_a_coincidence(alarm: dict[str, Any]) -> None:
    assert not fires(alarm, [(0, 4), (1, 1), (0, 0), (0, 6), (0, 3)])


def test_minutes_of_the_alarm_are_those_of_the_canary() -> None:
    """An older failure would roll back a version that has not caused it."""
    deployed = {stage.deployment for stage in STAGES.values()} - {"AllAtOnce"}
    assert deployed == {f"Canary10Percent{deployment.CANARY_MINUTES}Minutes"}
