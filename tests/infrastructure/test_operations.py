"""Alarms notify or page at the right time, and say what to do."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from operator import ge, lt
from typing import Any
from unittest.mock import Mock

import pytest

from infrastructure import firewall, parameters
from infrastructure.run import Run
from infrastructure.stages import STAGES, Stage
from tests.infrastructure.cloudformation import ACCOUNT, REGION, Template
from tests.infrastructure.emitted import ACCESS_LOG_VARIABLES, DISCOVERED_FIELDS, LINE_MEMBERS
from tests.infrastructure.operations import (
    ALARMS,
    NOTIFYING,
    PATH,
    QUIET,
    ROOT,
    TEMPLATE,
    VALUES,
    WINDOWS,
    both,
    dashboard,
)

DASHBOARD = dashboard(TEMPLATE)
QUERIES = DASHBOARD.of_type("AWS::Logs::QueryDefinition")
PAGING = {
    "AuthorizerFailing",
    "BudgetFast",
    "BudgetSlow",
    "Latency",
    "NoTraffic",
    "ServerErrors",
    "ServerErrorsSent",
}
# No request, or no run, is no data; for all others no data is no news.
WATCHING_FOR_SILENCE = {"EventsDelayed", "NoTraffic", "PurgeMissing"}

each_alarm = pytest.mark.parametrize("name", sorted(ALARMS.keys() - WINDOWS))
each_query = pytest.mark.parametrize("name", sorted(QUERIES))


# ------------------------------------------------------------------------------------ alarms


@pytest.mark.parametrize("name", sorted(NOTIFYING))
def test_alarm_notifies_and_links_its_runbook(name: str) -> None:
    alarm = NOTIFYING[name]
    topic = TEMPLATE.resolve({"Ref": "Pages" if name == "Page" else "Notices"})

    assert alarm["AlarmActions"] == alarm["OKActions"] == [topic]
    assert alarm.get("ActionsEnabled", True)
    assert alarm["AlarmName"].startswith("customers-prod-")
    description = alarm["AlarmDescription"]
    assert len(description) <= 1024
    assert "\n" not in description
    assert "  " not in description
    assert re.search(r"\. First: .+\. Runbook: docs/operating\.md#[a-z-]+$", description) or (
        re.search(r": .+\. First: .+\. Runbook: docs/operating\.md#[a-z-]+$", description)
    )


def test_alarm_names_are_unique() -> None:
    assert len({alarm["AlarmName"] for alarm in NOTIFYING.values()}) == len(NOTIFYING)


def test_runbook_has_exactly_one_section_per_alarm() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    runbook = text.partition("\n## Runbook\n")[2].partition("\n## ")[0]
    sections = {
        heading.lower().replace(" ", "-") for heading in re.findall("(?m)^### (.+)$", runbook)
    }

    named = {alarm["AlarmDescription"].rpartition("#")[2] for alarm in NOTIFYING.values()}
    assert sections == named | {"database-events"}


def test_docs_name_alarms_queries_and_widgets_that_exist() -> None:
    text = " ".join((ROOT / "docs" / "operating.md").read_text().split())
    prose = re.sub(r"```.+?```|`[^`]+`|\*\*.+?\*\*", "", text)
    starred = set(re.findall(r"\*([^*]+)\*", prose)) - {"(AWS)"}
    (shown,) = DASHBOARD.of_type("AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(shown["DashboardBody"])["widgets"]
    titles = [widget["properties"].get("title", "") for widget in widgets]

    alarms = {alarm["AlarmName"].removeprefix("customers-prod-") for alarm in NOTIFYING.values()}
    assert alarms <= set(re.findall(r"`([a-z-]+)`", text))
    queries = {query["Name"].rpartition("/")[2][2:] for query in QUERIES.values()}
    assert queries <= starred
    for name in starred - queries:
        assert any(title.startswith(name) for title in titles), name


def test_template_is_within_the_size_limit() -> None:
    """CloudFormation accepts 51,200 bytes without a bucket."""
    assert PATH.stat().st_size <= 51_200


@each_alarm
def test_alarm_needs_several_bad_periods(name: str) -> None:
    alarm = ALARMS[name]
    stats = [metric["MetricStat"] for metric in alarm.get("Metrics", ()) if "MetricStat" in metric]
    (period,) = {stat["Period"] for stat in stats or [alarm]}

    assert period in {300, 3600, 86_400}
    assert period * alarm["EvaluationPeriods"] <= 86_400
    assert 1 <= alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"]
    assert period * alarm["DatapointsToAlarm"] >= 600
    expected = "breaching" if name in WATCHING_FOR_SILENCE else "notBreaching"
    assert alarm["TreatMissingData"] == expected


# The statistic of each metric. For Count, AWS defines SampleCount as the number of requests.
STATISTICS = {
    "Count": "SampleCount",
    "Latency": "p99",
    "ACUUtilization": "Maximum",
    "ApproximateNumberOfMessagesVisible": "Maximum",
    "DeliveryToS3.DataFreshness": "Maximum",
    "RelayLag": "Minimum",
}


@each_alarm
def test_alarm_uses_a_suitable_statistic(name: str) -> None:
    alarm = ALARMS[name]
    stats = [metric["MetricStat"] for metric in alarm.get("Metrics", ()) if "MetricStat" in metric]

    for stat in stats:
        assert stat["Stat"] == STATISTICS.get(stat["Metric"]["MetricName"], "Sum")
    if not stats:
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        assert statistic == STATISTICS.get(alarm["MetricName"], "Sum")


@each_alarm
def test_metric_math_uses_defined_metrics(name: str) -> None:
    metrics = ALARMS[name].get("Metrics", ())
    if not metrics:
        return
    (returned,) = [metric for metric in metrics if metric["ReturnData"]]
    ids = {metric["Id"] for metric in metrics if metric is not returned}

    assert re.fullmatch("[a-z][A-Za-z0-9_]*", returned["Id"])
    assert set(re.findall("[a-z]\\w*", returned["Expression"])) == ids
    assert len(metrics) == len(ids) + 1


@both
def test_page_covers_client_visible_failures(template: Template) -> None:
    composites = template.of_type("AWS::CloudWatch::CompositeAlarm")
    page, alarms = composites["Page"], composites | template.of_type("AWS::CloudWatch::Alarm")
    names = {alarms[item]["AlarmName"] for item in PAGING if item in alarms}

    assert set(re.findall('ALARM\\("([^"]+)"\\)', page["AlarmRule"])) == names
    assert re.sub('ALARM\\("[^"]+"\\)', "x", page["AlarmRule"]).split() == (
        " OR ".join("x" * len(names)).split()
    )
    assert ("NoTraffic" in alarms) == (template is TEMPLATE)


Share = tuple[int, int] | None  # failed, of how many requests


@pytest.mark.parametrize("name", ["ServerErrors", "ServerErrorsSent"])
@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        ([(0, 1000)] * 3, "OK"),
        ([(49, 1000)] * 3, "OK"),
        ([(50, 1000), (0, 1000), (50, 1000)], "ALARM"),
        ([(1000, 1000), (0, 1000), (0, 1000)], "OK"),  # a moment
        ([(1, 1), (1, 1), (1, 1)], "OK"),  # three requests at night
        ([(4, 4)] * 3, "OK"),
        ([(5, 5), (5, 5), None], "ALARM"),
        ([None] * 3, "OK"),
        ([(1000, 1000), None, None], "OK"),
    ],
)
def test_failure_rates_that_page(name: str, periods: Sequence[Share], expected: str) -> None:
    assert _state(ALARMS[name], [_share(ALARMS[name], period) for period in periods]) == expected


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("NoTraffic", [None] * 3, "ALARM"),
        ("NoTraffic", [None, None, 1], "OK"),
        ("NoTraffic", [40, 50, 60], "OK"),
        ("PurgeMissing", [None] * 3, "ALARM"),
        ("PurgeMissing", [None, 1, None], "OK"),
        ("RotationFailing", [1], "ALARM"),
        ("RotationFailing", [0], "OK"),
        ("RotationFailing", [None], "OK"),  # the rotation is monthly
        ("EventsDelayed", [60, 900, 900], "OK"),
        ("EventsDelayed", [600, 900, 1200], "ALARM"),
        ("EventsDelayed", [None] * 3, "ALARM"),  # the relay does not run
        ("EventsUndelivered", [0, 1], "OK"),
        ("EventsUndelivered", [2, 2], "ALARM"),
        ("AuditDelayed", [3600, 3900, 4200], "ALARM"),
        ("AuditDelayed", [300, 600, 3600], "OK"),
        ("AuditDelayed", [None] * 3, "OK"),
        ("PurgeFailing", [3, 3, 3], "ALARM"),  # Lambda tries a scheduled run three times
        ("PurgeFailing", [3, 0, 3], "OK"),
        ("PurgeFailing", [None] * 3, "OK"),
        ("Latency", [2500, 2500, 2500], "ALARM"),
        ("Latency", [9000, 2400, 9000], "OK"),
        ("Latency", [None] * 3, "OK"),
        ("AuthorizerFailing", [5, 0, 5], "ALARM"),
        ("AuthorizerFailing", [4, 4, 4], "OK"),
        ("ApiThrottled", [1, 0, 1], "ALARM"),
        ("ApiThrottled", [90, 0, 0], "OK"),
        ("GatewayThrottled", [99, 1000, 1000], "OK"),
        ("DatabaseAtMaximum", [100, 100, 100], "ALARM"),
        ("DatabaseAtMaximum", [100, 50, 100], "OK"),
        ("DatabaseAtMaximum", [None] * 3, "OK"),  # it is paused
        ("DatabaseFailing", [10, 0, 10], "ALARM"),
    ],
)
def test_situations_that_alarm(name: str, values: Sequence[float | None], expected: str) -> None:
    assert _state(ALARMS[name], values) == expected


def test_latency_threshold_is_between_cold_start_and_timeout() -> None:
    timeout = json.loads((ROOT / ".chalice" / "config.json").read_text())["lambda_timeout"]

    assert 1_000 < ALARMS["Latency"]["Threshold"] < timeout * 1_000


def _share(alarm: Mapping[str, Any], period: Share) -> float | None:
    if period is None:
        return None
    (expression,) = [metric["Expression"] for metric in alarm["Metrics"] if "Expression" in metric]
    failed, total = period
    names = {"failed": failed, "requests": total, "answers": total}
    value: float = eval(expression, {"IF": _if}, names)  # noqa: S307 (ours)
    return value


def _if(condition: bool, this: float, that: float) -> float:  # noqa: FBT001
    return this if condition else that


def _state(alarm: Mapping[str, Any], values: Sequence[float | None]) -> str:
    """Return the alarm's state after these periods."""
    assert len(values) == alarm["EvaluationPeriods"]
    compare = {"GreaterThanOrEqualToThreshold": ge, "LessThanThreshold": lt}
    is_bad = compare[alarm["ComparisonOperator"]]
    missing = alarm["TreatMissingData"] == "breaching"
    breaching = sum(
        missing if value is None else is_bad(value, alarm["Threshold"]) for value in values
    )
    return "ALARM" if breaching >= alarm["DatapointsToAlarm"] else "OK"


# ---------------------------------------------------------------------------------- parameters


def test_budget_and_anomalies_count_the_stages_own_costs() -> None:
    (budget,) = TEMPLATE.of_type("AWS::Budgets::Budget").values()
    (monitor,) = TEMPLATE.of_type("AWS::CE::AnomalyMonitor").values()
    (subscription,) = TEMPLATE.of_type("AWS::CE::AnomalySubscription").values()
    (notification,) = budget["NotificationsWithSubscribers"]
    tags = Run(Mock(), STAGES["prod"]).stack("operations")._tags

    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": [f"user:stage${tags['stage']}"]}
    assert json.loads(monitor["MonitorSpecification"]) == {
        "Tags": {"Key": "stage", "Values": [tags["stage"]]}
    }
    assert json.loads(subscription["ThresholdExpression"])["Dimensions"]["Values"] == ["20"]
    addresses = [*notification["Subscribers"], *subscription["Subscribers"]]
    assert {each["Address"] for each in addresses} == {VALUES["AlarmEmail"]}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_budget_is_the_stages(stage: Stage) -> None:
    values = parameters.operations(stage, {"ClusterIdentifier": "c"}) | {
        "AlarmEmail": "a@b.example"
    }
    (budget,) = Template(PATH, values).of_type("AWS::Budgets::Budget").values()
    assert budget["Budget"]["BudgetLimit"] == {"Amount": str(stage.monthly_budget), "Unit": "USD"}


def test_only_prod_pages_without_traffic() -> None:
    """An idle dev stage would page the on-call engineer every night."""
    database = {"ClusterIdentifier": "customers-dev"}
    watching = {
        name
        for name, stage in STAGES.items()
        if "NoTraffic" in Template(PATH, parameters.operations(stage, database)).resources
    }
    assert watching == {"prod"}


def test_stages_that_pause_have_no_alarms_of_events() -> None:
    """Their database would never pause, and the missing relay would be an alarm forever."""
    for stage in STAGES.values():
        values = parameters.operations(stage, {"ClusterIdentifier": "c"})
        watched = {"EventsDelayed", "EventsUndelivered"} & Template(PATH, values).resources.keys()
        assert bool(watched) == (stage.seconds_until_pause is None)


def test_parameters_are_described_bounded_and_used() -> None:
    rest = {name: part for name, part in TEMPLATE.document.items() if name != "Parameters"}
    used = set(_used(rest))

    assert "Stage" in TEMPLATE.document["Parameters"]
    for name, parameter in TEMPLATE.document["Parameters"].items():
        assert name in used
        assert parameter["Description"].endswith(".")
        assert {"AllowedValues", "AllowedPattern", "MaxValue"} & parameter.keys()
        assert ("AllowedPattern" in parameter) == ("ConstraintDescription" in parameter)
        default = parameter.get("Default")
        if "AllowedValues" in parameter and default is not None:
            assert default in parameter["AllowedValues"]


def _used(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": name}:
            yield name
        case dict():
            for item in value.values():
                yield from _used(item)
        case list():
            for element in value:
                yield from _used(element)
        case str():
            yield from re.findall(r"\$\{(\w+)", value)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("AlarmEmail", ["", "oncall@example.com"], ["oncall", "a@b, c@d", " "]),
        ("PagerUrl", ["", "https://example.com/x"], ["http://example.com", "example.com"]),
        ("ApiFunctionName", ["customers-prod"], ["", "arn:aws:lambda:eu-west-1:1:function:x"]),
        ("DatabaseClusterIdentifier", ["customers-prod"], ["", "a-", "1a", "arn:aws:rds:x"]),
        ("ApiName", ["customers"], ["", "Customers", "a" * 13]),
        ("RunbookUrl", ["docs/operating.md"], ["", "a#b", "a b"]),
    ],
)
def test_parameter_patterns_accept_valid_values_only(
    name: str, good: Sequence[str], bad: Sequence[str]
) -> None:
    pattern = TEMPLATE.document["Parameters"][name]["AllowedPattern"]

    assert [text for text in good if not re.search(pattern, text)] == []
    assert [text for text in bad if re.search(pattern, text)] == []


def test_retentions_equal_chalices() -> None:
    stages = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"]
    parameters = TEMPLATE.document["Parameters"]

    deployed = (stage for name, stage in stages.items() if name != "local")
    retentions = {stage["log_retention_in_days"] for stage in deployed}
    assert retentions <= set(parameters["LogRetentionDays"]["AllowedValues"])
    assert parameters["LogRetentionDays"]["Default"] == stages["prod"]["log_retention_in_days"]


# --------------------------------------------------------------------- logs, keys and topics


def test_log_groups_are_encrypted_and_expire() -> None:
    groups = TEMPLATE.of_type("AWS::Logs::LogGroup")

    assert groups
    for name, group in groups.items():
        assert group["RetentionInDays"]
        assert group["KmsKeyId"] == TEMPLATE.resolve({"Fn::GetAtt": ["Key", "Arn"]})
        assert not group["LogGroupName"].startswith("/aws/")
        assert TEMPLATE.resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_key_policy_allows_only_its_purposes() -> None:
    (key,) = TEMPLATE.of_type("AWS::KMS::Key").values()
    statements = {item["Sid"]: item for item in key["KeyPolicy"]["Statement"]}

    assert key["EnableKeyRotation"]
    assert [statement["Principal"] for statement in statements.values()] == [
        {"AWS": "arn:aws:iam::123456789012:root"},
        {"Service": "logs.eu-west-1.amazonaws.com"},
        {"Service": "cloudwatch.amazonaws.com"},
        {"Service": "events.amazonaws.com"},
    ]
    for sid in ("EncryptLogs", "PublishAlarms", "PublishEvents"):
        assert statements[sid]["Condition"]
        assert not {"*", "kms:*"} & set(statements[sid]["Action"])
    (groups,) = statements["EncryptLogs"]["Condition"]["ArnEquals"].values()
    ours = {group["LogGroupName"] for group in TEMPLATE.of_type("AWS::Logs::LogGroup").values()}
    ours |= {firewall.log_name(STAGES["prod"])}
    assert ours <= {arn.partition("log-group:")[2] for arn in groups}


def test_topics_are_encrypted_and_only_our_alarms_and_rules_publish() -> None:
    (policy,) = TEMPLATE.of_type("AWS::SNS::TopicPolicy").values()
    (key,) = TEMPLATE.of_type("AWS::KMS::Key").values()
    topics = TEMPLATE.of_type("AWS::SNS::Topic")
    alarms, rules = policy["PolicyDocument"]["Statement"]
    _, _, of_alarms, of_rules = key["KeyPolicy"]["Statement"]

    assert sorted(policy["Topics"]) == sorted(TEMPLATE.resolve({"Ref": name}) for name in topics)
    assert all(topic["KmsMasterKeyId"] for topic in topics.values())
    for statement in (alarms, of_alarms):
        assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        (pattern,) = statement["Condition"]["ArnLike"].values()
        for name in NOTIFYING:
            assert fnmatchcase(TEMPLATE.resolve({"Fn::GetAtt": [name, "Arn"]}), pattern)
    for statement in (rules, of_rules):
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        (pattern,) = statement["Condition"]["ArnLike"].values()
        for rule in TEMPLATE.of_type("AWS::Events::Rule").values():
            assert fnmatchcase(f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule['Name']}", pattern)


@pytest.mark.parametrize(
    ("source", "category", "is_sent"),
    [
        ("customers-prod", "failover", True),
        ("customers-prod", "maintenance", True),
        ("customers-prod-database-writer-1a2b", "low storage", True),
        ("customers-prod-restored", "failure", True),
        ("customers-prod", "backup", False),
        ("customers-staging", "failover", False),
        ("customers-production", "failover", False),
    ],
)
def test_events_of_the_database_reach_the_notices(
    source: str,
    category: str,
    is_sent: bool,  # noqa: FBT001
) -> None:
    (rule,) = TEMPLATE.of_type("AWS::Events::Rule").values()
    (target,) = rule["Targets"]
    detail = rule["EventPattern"]["detail"]
    exact, prefix = detail["SourceIdentifier"]

    is_ours = source == exact or source.startswith(prefix["prefix"])
    assert (is_ours and category in detail["EventCategories"]) is is_sent
    assert target["Arn"] == TEMPLATE.resolve({"Ref": "Notices"})
    sent = target["InputTransformer"]
    assert set(re.findall(r"<(\w+)>", sent["InputTemplate"])) == sent["InputPathsMap"].keys()


def test_topics_have_the_configured_subscriptions() -> None:
    subscriptions = {
        (item["TopicArn"].rpartition(":")[2], item["Protocol"], item["Endpoint"])
        for item in TEMPLATE.of_type("AWS::SNS::Subscription").values()
    }

    assert subscriptions == {
        ("Notices", "email", VALUES["AlarmEmail"]),
        ("Pages", "email", VALUES["AlarmEmail"]),
        ("Pages", "https", VALUES["PagerUrl"]),
    }
    assert QUIET.of_type("AWS::SNS::Subscription") == {}


def test_pager_url_appears_only_in_its_subscription() -> None:
    assert TEMPLATE.document["Parameters"]["PagerUrl"]["NoEcho"]
    places = [
        name for name in TEMPLATE.resources if VALUES["PagerUrl"] in str(TEMPLATE.resources[name])
    ]
    assert places == ["PagesByPager"]
    assert VALUES["PagerUrl"] not in str(TEMPLATE.resolve(TEMPLATE.document["Outputs"]))


# -------------------------------------------------------------------------------- access log


def _access_line(**values: str) -> dict[str, str]:
    """Return a line of the access log, as API Gateway writes it."""
    outputs = TEMPLATE.document["Outputs"]
    format_ = outputs["AccessLogFormat"]["Value"]
    text = re.sub(r"\$context\.([A-Za-z.]+)", lambda found: values.get(found[1], "-"), format_)
    line: dict[str, str] = json.loads(text)
    return line


def test_access_log_contains_no_personal_data() -> None:
    format_ = TEMPLATE.document["Outputs"]["AccessLogFormat"]["Value"]

    assert set(re.findall(r"\$context\.([A-Za-z.]+)", format_)) == ACCESS_LOG_VARIABLES
    assert "\n" not in format_
    assert len(set(_access_line().values())) == 2  # "access", and nothing else of its own


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("200", {"Answers"}),
        ("404", {"Answers"}),
        ("429", {"Answers", "Throttled"}),
        ("500", {"Answers", "ServerErrors"}),
        ("503", {"Answers", "ServerErrors"}),
        ("504", {"Answers", "ServerErrors"}),
    ],
)
def test_access_log_metrics_count_responses(status: str, expected: set[str]) -> None:
    line, counted = _access_line(status=status), set()
    for item in TEMPLATE.of_type("AWS::Logs::MetricFilter").values():
        found = re.fullmatch(r'\{ \$\.(\w+) = "([^"]+)" \}', item["FilterPattern"])
        assert found
        (transformation,) = item["MetricTransformations"]
        # without a zero for the other lines there is no share of them
        assert (transformation["MetricValue"], transformation["DefaultValue"]) == ("1", 0)
        assert item["LogGroupName"] == "/customers/prod/access"
        if fnmatchcase(line[found[1]], found[2]):
            counted.add(transformation["MetricName"])

    assert counted == expected


# ----------------------------------------------------------------------------------- queries

WORDS = set(
    "and as asc bin by count count_distinct desc fields filter in latest like limit max pct sort"
    " stats or".split()
)

# https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html
FIREWALL_FIELDS = {"action", "terminatingRuleId", "httpRequest", "uri", "country"}


@each_query
def test_saved_query_uses_logged_fields(name: str) -> None:
    query = QUERIES[name]
    text = re.sub(r"(?m)^#.*$|\"[^\"]*\"|/[^/\n]+/|\b\d\w*", "", query["QueryString"])
    named = set(re.findall(r"\bas (\w+)", text))

    fields = set(re.findall(r"@?[A-Za-z_]\w*", text)) - WORDS - named
    logged = LINE_MEMBERS | DISCOVERED_FIELDS | set(_access_line()) | FIREWALL_FIELDS
    assert fields <= logged
    assert len(query["QueryString"]) <= 10_000


@each_query
def test_saved_query_uses_existing_log_groups(name: str) -> None:
    functions = ("Api", "Authorizer", "Purge", "Relay")
    groups = {f"/aws/lambda/{VALUES[f'{item}FunctionName']}" for item in functions}

    assert QUERIES[name]["Name"].startswith("customers/prod/")
    groups |= {"/customers/prod/access", firewall.log_name(STAGES["prod"])}
    assert set(QUERIES[name]["LogGroupNames"]) <= groups


# ----------------------------------------------------------------------------------- tracing


def test_tracing_stays_within_its_limits() -> None:
    longest = Template(PATH, VALUES | {"Stage": "a" * 12, "ApiName": "a" * 12})
    assert longest.refusals() == []
    rules = [item["SamplingRule"] for item in longest.of_type("AWS::XRay::SamplingRule").values()]
    (group,) = longest.of_type("AWS::XRay::Group").values()

    assert len(group["GroupName"]) <= 32
    for rule in rules:
        assert len(rule["RuleName"]) <= 32
        assert len(rule["ServiceName"]) <= 64
        assert rule["ServiceType"] == "AWS::ApiGateway::Stage"
    # The lowest priority applies first, so the rule for health checks precedes the rest.
    health, rest = sorted(rules, key=lambda rule: rule["Priority"])
    assert (health["URLPath"], health["FixedRate"], health["ReservoirSize"]) == ("*/health", 0, 0)
    assert rest["URLPath"] == "*"
