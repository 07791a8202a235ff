"""The templates of the operations and of the dashboard, with parameter values for tests."""

from pathlib import Path

import pytest

from infrastructure.parameters import SHOWN
from tests.infrastructure.cloudformation import Template

ROOT = Path(__file__).parents[2]
PATH = ROOT / "infrastructure" / "operations.yaml"
VALUES = {
    "Stage": "prod",
    "ApiFunctionName": "customers-prod-APIHandler-1A2B",
    "AuthorizerFunctionName": "customers-prod-Authorize-3C4D",
    "PurgeFunctionName": "customers-prod-PurgeCustomers-5E6F",
    "RelayFunctionName": "customers-prod-RelayEvents-7A8B",
    "RotationFunctionName": "customers-prod-rotate_password",
    "DatabaseClusterIdentifier": "customers-prod",
    "AlarmEmail": "oncall@example.com",
    "PagerUrl": "https://events.example.com/integration/key",
}
QUIETLY = {"ExpectsTraffic": "false", "HasEvents": "false", "AlarmEmail": "", "PagerUrl": ""}
TEMPLATE = Template(PATH, VALUES)
QUIET = Template(PATH, VALUES | QUIETLY)
ALARMS = TEMPLATE.of_type("AWS::CloudWatch::Alarm")
COMPOSITES = TEMPLATE.of_type("AWS::CloudWatch::CompositeAlarm")
WINDOWS = {f"Budget{rate}{at}" for rate in ("Fast", "Slow", "Steady") for at in ("Long", "Short")}
"""Alarms that notify no one: an alarm of the error budget combines two of them."""
NOTIFYING = {name: alarm for name, alarm in (ALARMS | COMPOSITES).items() if name not in WINDOWS}


def dashboard(operations: Template) -> Template:
    """Return the dashboard of these operations, with the parameters that `provision` passes."""
    outputs = operations.resolve(operations.document["Outputs"])
    shown = {name: outputs[name]["Value"] for name in SHOWN}
    return Template(PATH.with_name("dashboard.yaml"), operations.values | shown)


both = pytest.mark.parametrize("template", [TEMPLATE, QUIET], ids=["expects traffic", "is quiet"])
