"""Every metric on the dashboard and in alarms exists, and the dashboard is valid."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.infrastructure.cloudformation import Template
from tests.infrastructure.emitted import EMITTED
from tests.infrastructure.operations import (
    ALARMS,
    NOTIFYING,
    PATH,
    QUIET,
    TEMPLATE,
    VALUES,
    WINDOWS,
    both,
    dashboard,
)

AUDIT = Template(PATH.with_name("audit.yaml"), {"Stage": "prod"}).of_type(
    "AWS::KinesisFirehose::DeliveryStream"
)
BUS = Template(PATH.with_name("bus.yaml"), {"Stage": "prod"}).of_type("AWS::SQS::Queue")
EVENTS = {"EventsDelayed", "EventsUndelivered"}


class Metric(NamedTuple):
    """A metric that an alarm or widget uses."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]


def test_alarm_metrics_are_emitted() -> None:
    watched = [metric for alarm in ALARMS.values() for metric in _metrics_of_alarm(alarm)]

    assert len(watched) >= len(ALARMS)
    for metric in watched:
        _assert_emitted(metric)


@both
def test_dashboard_metrics_are_emitted(template: Template) -> None:
    drawn = [metric for widget in _widgets(template) for metric in _metrics_of_widget(widget)]

    assert len(drawn) > 40
    for metric in drawn:
        _assert_emitted(metric)


def test_every_custom_metric_is_on_the_dashboard() -> None:
    """A metric that no widget shows is not worth its price.

    The gateway counts these two, as well.
    """
    drawn = {
        metric.name
        for widget in _widgets(TEMPLATE)
        for metric in _metrics_of_widget(widget)
        if metric.namespace == "Customers"
    }

    ours = {name for names in EMITTED["Customers"].values() for name in names}
    assert ours - drawn == {"ClientErrors", "Faults"}


def _assert_emitted(metric: Metric) -> None:
    filters = [
        (metric_transformation["MetricNamespace"], metric_transformation["MetricName"])
        for resource in TEMPLATE.of_type("AWS::Logs::MetricFilter").values()
        for metric_transformation in resource["MetricTransformations"]
    ]
    if (metric.namespace, metric.name) in filters:
        assert not metric.dimensions
        return
    emitted = {
        frozenset(dimensions): names for dimensions, names in EMITTED[metric.namespace].items()
    }
    assert metric.name in emitted[frozenset(metric.dimensions)], metric
    things = {
        "ApiName": {"customers"},
        "Stage": {"prod"},
        "FunctionName": {value for name, value in VALUES.items() if name.endswith("FunctionName")},
        "DBClusterIdentifier": {VALUES["DatabaseClusterIdentifier"]},
        "DeliveryStreamName": {AUDIT["Stream"]["DeliveryStreamName"]},
        "QueueName": {BUS["DeadLetters"]["QueueName"]},
        "Role": {"WRITER"},
    }
    for dimension, value in metric.dimensions.items():
        if dimension in things:
            assert value in things[dimension]


def _metrics_of_alarm(alarm: Mapping[str, Any]) -> Iterator[Metric]:
    stats = [
        metric["MetricStat"]["Metric"]
        for metric in alarm.get("Metrics", ())
        if "MetricStat" in metric
    ]
    for stat in stats or [alarm]:
        dimensions = {
            dimension["Name"]: dimension["Value"] for dimension in stat.get("Dimensions", ())
        }
        yield Metric(stat["Namespace"], stat["MetricName"], dimensions)


def _metrics_of_widget(widget: Mapping[str, Any]) -> Iterator[Metric]:
    for row in widget["properties"].get("metrics", ()):
        options = row[-1] if isinstance(row[-1], dict) else {}
        words = row[:-1] if options else row
        if not words:
            yield from _searched(options["expression"])
            continue
        assert not {".", "..."} & set(words), "write it out, it is read by people"
        namespace, name, *rest = words
        yield Metric(namespace, name, dict(zip(rest[::2], rest[1::2], strict=True)))


def _searched(expression: str) -> Iterator[Metric]:
    """Return the metric of SEARCH('{space,dimension,...} dimension="value" MetricName="name"')."""
    if not expression.startswith("SEARCH("):
        return
    found = re.fullmatch(r"SEARCH\('\{(.+?)\} (.+)', '(Sum|p99)', \d+\)", expression)
    assert found
    namespace, *dimensions = found[1].split(",")
    given = dict(re.findall(r'(\w+)="([^"]+)"', found[2]))
    name = given.pop("MetricName")
    yield Metric(
        namespace, name, {dimension: given.get(dimension, "*") for dimension in dimensions}
    )


def _widgets(template: Template) -> list[dict[str, Any]]:
    (shown,) = dashboard(template).of_type("AWS::CloudWatch::Dashboard").values()
    widgets: list[dict[str, Any]] = json.loads(shown["DashboardBody"])["widgets"]
    return widgets


@both
def test_dashboard_is_json_within_the_size_limit(template: Template) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in _widgets(template):
        columns = range(widget["x"], widget["x"] + widget["width"])
        rows = range(widget["y"], widget["y"] + widget["height"])
        cells = {(column, row) for column in columns for row in rows}
        assert columns.stop <= 24
        assert not taken & cells
        taken |= cells
        assert "${" not in json.dumps(widget)
        if widget["type"] in {"metric", "log"}:
            assert widget["properties"]["title"]
            assert widget["properties"]["region"] == "eu-west-1"

    height = max(row for _, row in taken) + 1
    assert len(taken) == 24 * height, "a hole"


@both
def test_dashboard_expressions_use_defined_metrics(template: Template) -> None:
    widgets = [*_widgets(template)]
    assert any("metrics" in widget["properties"] for widget in widgets)
    for widget in widgets:
        rows = [
            row[-1] for row in widget["properties"].get("metrics", ()) if isinstance(row[-1], dict)
        ]
        ids = [options["id"] for options in rows if "id" in options]
        assert len(ids) == len(set(ids))
        for options in rows:
            expression = options.get("expression", "")
            if not expression.startswith("SEARCH("):
                assert set(re.findall("[A-Za-z_]\\w*", expression)) <= set(ids)
            # A hidden metric must be used in another expression.
            if options.get("visible") is False:
                assert any(options["id"] in row.get("expression", "") for row in rows)


@both
def test_dashboard_shows_every_alarm(template: Template) -> None:
    (shown,) = [widget for widget in _widgets(template) if widget["type"] == "alarm"]
    names = [arn.rpartition(":")[2] for arn in shown["properties"]["alarms"]]

    hidden = {"NoTraffic", *EVENTS} if template is QUIET else set()
    alarms = [alarm["AlarmName"] for name, alarm in NOTIFYING.items() if name not in hidden]
    assert sorted(names) == sorted(alarms)
    assert names[0] == "customers-prod-page"


def test_dashboard_shows_paging_thresholds() -> None:
    lines = {
        line["value"]
        for widget in _widgets(TEMPLATE)
        for line in widget["properties"].get("annotations", {}).get("horizontal", ())
    }

    paging = ("ServerErrors", "Latency", *WINDOWS)
    assert lines == {ALARMS[name]["Threshold"] for name in paging}


def test_dashboard_shows_percentiles() -> None:
    drawn = {
        (row[1], row[-1].get("stat"))
        for widget in _widgets(TEMPLATE)
        for row in widget["properties"].get("metrics", ())
        if len(row) > 1 and isinstance(row[-1], dict)
    }

    for name in ("Latency", "DatabaseLatency"):
        assert {(name, "p50"), (name, "p90"), (name, "p99")} <= drawn
