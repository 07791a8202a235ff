"""Alarms page and notify when failures spend the error budget, as docs/operating.md says."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from operator import ge, lt
from typing import Any

import pytest

from tests.infrastructure.cloudformation import Template
from tests.infrastructure.operations import ALARMS, COMPOSITES, PATH, ROOT, VALUES, WINDOWS

HOUR = 60
DAY = 24 * HOUR
HISTORY = 3 * DAY
# What each metric of this simulation counts, in minutes. The others have no data.
COUNTED = {"5XXError": 0, "ServerErrors": 0, "Count": 1, "Answers": 1}
COMPARED = {"GreaterThanOrEqualToThreshold": ge, "LessThanThreshold": lt}


class Traffic:
    """Phases of requests: how many a minute, the share that fails, and the number of minutes.

    Three days without a failure precede the first phase, whose first minute is 0.
    """

    def __init__(self, *phases: tuple[float, float, int]) -> None:
        self.minutes = sum(minutes for _, _, minutes in phases)
        healthy = (phases[0][0], 0.0, HISTORY)
        minutes = [(n, share) for n, share, length in (healthy, *phases) for _ in range(length)]
        self._failed = _counted(n * share for n, share in minutes)
        self._total = _counted(n for n, _ in minutes)

    def data(self, metric: str, end: int, length: int) -> int | None:
        """Return the sum of the `length` minutes before `end`, or None without a request."""
        sums = (self._failed, self._total)
        stop, start = HISTORY + end, HISTORY + end - length
        failed, total = (each[stop] - each[start] for each in sums)
        return (failed, total)[COUNTED[metric]] if metric in COUNTED and total else None


def _counted(parts: Iterable[float]) -> list[int]:
    """Return the whole number of requests before each minute."""
    return [int(total + 1e-6) for total in accumulate(parts, initial=0.0)]


def _if(condition: bool, this: float, that: float) -> float:  # noqa: FBT001
    return this if condition else that


def is_active(name: str, traffic: Traffic, minute: int) -> bool:
    """Return whether an alarm of any kind is in ALARM at the end of a minute."""
    if name in COMPOSITES:
        rule = COMPOSITES[name]["AlarmRule"].replace(" AND ", " and ").replace(" OR ", " or ")
        by_name = {alarm["AlarmName"]: key for key, alarm in (ALARMS | COMPOSITES).items()}
        rule = re.sub(r'ALARM\("([^"]+)"\)', lambda part: f"active({by_name[part[1]]!r})", rule)
        return bool(eval(rule, {"active": lambda other: is_active(other, traffic, minute)}))  # noqa: S307 (ours)
    alarm = ALARMS[name]
    values = list(_datapoints(alarm, traffic, minute))
    is_missing_bad = alarm["TreatMissingData"] == "breaching"
    is_bad = COMPARED[alarm["ComparisonOperator"]]
    bad = [is_missing_bad if v is None else is_bad(v, alarm["Threshold"]) for v in values]
    return bad.count(True) >= int(alarm["DatapointsToAlarm"])


def _datapoints(alarm: Mapping[str, Any], traffic: Traffic, minute: int) -> Iterator[float | None]:
    """Yield the datapoints of a sliding window, which CloudWatch moves every minute."""
    parts = alarm.get("Metrics") or [{"Id": "m", "MetricStat": {"Metric": alarm, **alarm}}]
    stats = {part["Id"]: part["MetricStat"] for part in parts if "MetricStat" in part}
    expression = next((part["Expression"] for part in parts if "Expression" in part), "m")
    for number in range(alarm["EvaluationPeriods"]):
        values = {}
        for key, stat in stats.items():
            length = stat["Period"] // 60
            values[key] = traffic.data(
                stat["Metric"]["MetricName"], minute - number * length, length
            )
        is_known = None not in values.values()
        yield eval(expression, {"IF": _if}, values) if is_known else None  # noqa: S307 (ours)


def first(name: str, traffic: Traffic, step: int = 1) -> int | None:
    """Return the first minute in which the alarm is active, if any."""
    minutes = range(step, traffic.minutes + 1, step)
    return next((n for n in minutes if is_active(name, traffic, n)), None)


PER_MINUTE = 60.0


@pytest.mark.parametrize(
    ("failing", "alarm", "minutes"),
    [
        (1.0, "BudgetFast", 1),  # an outage
        (0.1, "BudgetFast", 9),  # one fault in ten requests
        (0.02, "BudgetFast", 44),
        (0.01, "BudgetSlow", 217),
        (0.007, "BudgetSlow", 310),
    ],
)
def test_page_follows_once_the_budget_is_spent_too_fast(
    failing: float, alarm: str, minutes: int
) -> None:
    """The times are those in which 2 % or 5 % of a month's budget are gone."""
    traffic = Traffic((PER_MINUTE, failing, minutes))

    assert first(alarm, traffic) == minutes
    assert first("Page", traffic) in range(1, minutes + 1)


def test_lasting_failures_beyond_the_objective_send_an_email_only() -> None:
    traffic = Traffic((PER_MINUTE, 0.002, 3 * DAY))

    assert first("BudgetSteady", traffic, step=30) == 36 * HOUR + 30
    assert first("Page", traffic, step=30) is None


@pytest.mark.parametrize("failing", [0.0, 1e-6, 0.0005, 0.0009])
def test_failures_within_the_objective_notify_no_one(failing: float) -> None:
    """One fault in a million requests, for example."""
    traffic = Traffic((10 * PER_MINUTE, failing, 3 * DAY))

    for name in ("Page", "BudgetFast", "BudgetSlow", "BudgetSteady"):
        assert first(name, traffic, step=30) is None


def test_one_fault_in_ten_requests_pages_at_ten_requests_an_hour() -> None:
    traffic = Traffic((10 / HOUR, 0.1, 6 * HOUR))

    assert first("Page", traffic) == 5 * HOUR  # the fifth failure


@pytest.mark.parametrize("failures", [1, 4])
def test_single_failures_at_night_notify_no_one(failures: int) -> None:
    traffic = Traffic((failures / HOUR, 1.0, HOUR), (failures / HOUR, 0.0, 12 * HOUR))

    for name in ("BudgetFast", "BudgetSlow", "BudgetSteady", "ServerErrors"):
        assert first(name, traffic, step=5) is None


def test_no_traffic_pages_and_spends_no_budget() -> None:
    traffic = Traffic((PER_MINUTE, 0.0, 10), (0.0, 0.0, 30))

    assert first("Page", traffic) == first("NoTraffic", traffic) == 10 + 15
    for name in ("BudgetFast", "BudgetSlow", "BudgetSteady", "ServerErrors"):
        assert first(name, traffic) is None


def test_page_ends_with_the_outage() -> None:
    """The short windows end it. The long one would page for six hours."""
    traffic = Traffic((PER_MINUTE, 1.0, 10), (PER_MINUTE, 0.0, 30))

    assert is_active("BudgetFast", traffic, 10)
    assert not is_active("BudgetFast", traffic, 15)
    assert is_active("Page", traffic, 39)
    assert is_active("BudgetSlowLong", traffic, 40)
    assert not is_active("Page", traffic, 40)


@pytest.mark.parametrize("name", sorted(WINDOWS))
def test_window_is_allowed_and_notifies_no_one(name: str) -> None:
    """CloudWatch accepts up to seven days, in periods of an hour or more; else one day."""
    alarm = ALARMS[name]
    (period,) = {part["MetricStat"]["Period"] for part in alarm["Metrics"] if "MetricStat" in part}

    assert period % 60 == 0
    assert period * alarm["EvaluationPeriods"] <= (604_800 if period >= 3_600 else 86_400)
    assert "AlarmActions" not in alarm
    assert alarm["AlarmDescription"].endswith("notifies no one.")


@pytest.mark.parametrize(
    ("name", "hours", "part"),
    [("BudgetFast", 1, 0.02), ("BudgetSlow", 6, 0.05), ("BudgetSteady", 72, 0.1)],
)
def test_threshold_is_a_part_of_the_months_budget(name: str, hours: int, part: float) -> None:
    long, short = ALARMS[f"{name}Long"], ALARMS[f"{name}Short"]
    periods = [alarm["Metrics"][1]["MetricStat"]["Period"] for alarm in (long, short)]

    assert periods == [hours * 3_600, hours * 300]
    assert long["Threshold"] == short["Threshold"] == pytest.approx(part * 30 * 24 / hours)


def test_objective_is_a_parameter_and_in_the_docs() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    budget = Template(PATH, VALUES).values["ErrorBudgetPercent"]
    strict = Template(PATH, VALUES | {"ErrorBudgetPercent": "0.01"})

    assert f"{100 - budget:g} % of the responses" in text
    expressions: Sequence[str] = [
        strict.of_type("AWS::CloudWatch::Alarm")[name]["Metrics"][0]["Expression"]
        for name in WINDOWS
    ]
    assert all("/ 0.01" in expression for expression in expressions)
