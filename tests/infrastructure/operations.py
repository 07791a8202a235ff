"""The operations template, with parameter values for tests."""

from pathlib import Path

import pytest

from tests.infrastructure.cloudformation import Template

ROOT = Path(__file__).parents[2]
PATH = ROOT / "infrastructure" / "operations.yaml"
VALUES = {
    "Stage": "prod",
    "ApiFunctionName": "customers-prod-APIHandler-1A2B",
    "AuthorizerFunctionName": "customers-prod-Authorize-3C4D",
    "PurgeFunctionName": "customers-prod-PurgeCustomers-5E6F",
    "DatabaseClusterIdentifier": "customers-prod",
    "AlarmEmail": "oncall@example.com",
    "PagerUrl": "https://events.example.com/integration/key",
}
TEMPLATE = Template(PATH, VALUES)
QUIET = Template(PATH, VALUES | {"ExpectsTraffic": "false", "AlarmEmail": "", "PagerUrl": ""})
ALARMS = TEMPLATE.of_type("AWS::CloudWatch::Alarm")
EVERY_ALARM = {**ALARMS, **TEMPLATE.of_type("AWS::CloudWatch::CompositeAlarm")}

both = pytest.mark.parametrize("template", [TEMPLATE, QUIET], ids=["expects traffic", "is quiet"])
