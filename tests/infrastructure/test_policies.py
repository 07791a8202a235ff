"""Each function may do what its code calls, on its own resources, and nothing else."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from chalice.config import Config

from infrastructure import policies
from infrastructure.stages import STAGES, Stage

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / ".chalice"
CLIENT = ROOT / "chalicelib" / "database" / "data_api.py"
BUS = ROOT / "chalicelib" / "events" / "bus.py"
OF_EVENTBRIDGE = {
    xform_name(name)
    for name in botocore.session.get_session().get_service_model("events").operation_names
}
SOURCES = [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]
OUTPUTS = {
    "ClusterArn": "arn:aws:rds:eu-west-1:123456789012:cluster:customers-prod",
    "ApplicationSecretArn": (
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:customers-prod/application-AbCdEf"
    ),
    "KeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
}
TRANSACTION = {"BeginTransaction", "CommitTransaction", "RollbackTransaction"}

every_stage = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
every_function = pytest.mark.parametrize("function", policies.DATA_API)


def calls(tree: ast.AST) -> Iterator[tuple[str, list[ast.expr]]]:
    """Yield the name of each called function, without its object, and the arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            yield getattr(called, "attr", getattr(called, "id", "")), node.args


def text_of(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)


def operations_called() -> set[str]:
    """Return the Data API operations that code under app.py can call."""
    found = {
        text_of(arguments[0]).title().replace("_", "")
        for name, arguments in calls(ast.parse(CLIENT.read_text()))
        if name == "_call"
    }
    begins = any(
        name == "transaction"
        for source in SOURCES
        for name, _ in calls(ast.parse(source.read_text()))
    )
    return found if begins else found - TRANSACTION


def reaches_database(function: str) -> bool:
    """Return whether a function of app.py, or a view of the API, uses the database."""
    tree = ast.parse((ROOT / "app.py").read_text())
    bodies = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    others = policies.DATA_API.keys() - {"api_handler"}
    waiting = [function] if function in others else [*(bodies.keys() - others)]
    called: set[str] = set()
    while waiting:
        names = {name for name, _ in calls(bodies[waiting.pop()])}
        waiting += (names & bodies.keys()) - called
        called |= names
    return "database" in called


def actions(policy: Mapping[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in statement["Action"]}


@every_function
def test_policy_actions_equal_the_codes_calls(function: str) -> None:
    granted = actions(policies.documents(STAGES["prod"], OUTPUTS)[function])

    of_database = {action for action in granted if action.startswith("rds-data:")}
    needed = operations_called() if reaches_database(function) else set()
    assert of_database == {f"rds-data:{name}" for name in needed}
    rest = {"logs:CreateLogStream", "logs:PutLogEvents"}
    rest |= {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    if needed:
        rest |= {"secretsmanager:GetSecretValue", "kms:Decrypt"}
    if function == "relay_events":
        rest |= bus_actions()
    assert granted - of_database == rest


def test_only_the_authorizer_has_no_database_access() -> None:
    assert not reaches_database("authorize")
    assert reaches_database("purge_customers")
    assert reaches_database("relay_events")
    assert reaches_database("api_handler")


def bus_actions() -> set[str]:
    """Return the actions of EventBridge that the relay's client calls."""
    called = {name for name, _ in calls(ast.parse(BUS.read_text()))}
    return {f"events:{name.title().replace('_', '')}" for name in called & OF_EVENTBRIDGE}


def test_only_the_relay_may_put_events_and_only_where_it_is_on() -> None:
    allowed = {
        (stage.name, function): statement["Resource"]
        for stage in STAGES.values()
        for function, policy in policies.documents(stage).items()
        for statement in policy["Statement"]
        if "events:PutEvents" in statement["Action"]
    }

    assert bus_actions() == {"events:PutEvents"}
    assert allowed == {
        (name, "relay_events"): f"arn:aws:events:*:*:event-bus/customers-{name}"
        for name, stage in STAGES.items()
        if stage.seconds_until_pause is None
    }


def test_code_creates_only_clients_that_it_has_permissions_for() -> None:
    """logins.py reads the secret of its address."""
    services = {
        text_of(arguments[0])
        for source in SOURCES
        if source != CLIENT.with_name("logins.py")
        for name, arguments in calls(ast.parse(source.read_text()))
        if name in {"client", "resource", "create_client"}
    }

    assert services == {"events", "rds-data"}
    of_logins = ast.parse(CLIENT.with_name("logins.py").read_text())
    called = {name for name, _ in calls(of_logins) if name.startswith(("get_", "put_", "list_"))}
    assert called == {"get_secret_value"}


def test_transaction_calls_are_detected() -> None:
    client = ast.parse(CLIENT.read_text())
    called = {text_of(found[0]) for name, found in calls(client) if name == "_call"}

    assert called == {
        "begin_transaction",
        "commit_transaction",
        "execute_statement",
        "rollback_transaction",
    }
    assert ("transaction", []) in list(calls(ast.parse("with database.transaction() as t: pass")))


@every_function
def test_bound_policy_names_single_resources(function: str) -> None:
    stage = STAGES["prod"]
    resources = {
        action: statement["Resource"]
        for statement in policies.documents(stage, OUTPUTS)[function]["Statement"]
        for action in statement["Action"]
    }

    own = f"log-group:/aws/lambda/{stage.lambda_name(function)}:*"
    expected = dict.fromkeys(
        ("logs:CreateLogStream", "logs:PutLogEvents"), f"arn:aws:logs:eu-west-1:123456789012:{own}"
    )
    expected |= dict.fromkeys(("xray:PutTraceSegments", "xray:PutTelemetryRecords"), "*")
    if function != "authorize":
        expected |= {
            "rds-data:ExecuteStatement": OUTPUTS["ClusterArn"],
            "secretsmanager:GetSecretValue": OUTPUTS["ApplicationSecretArn"],
            "kms:Decrypt": OUTPUTS["KeyArn"],
        }
    if function == "relay_events":
        bus = "arn:aws:events:eu-west-1:123456789012:event-bus/customers-prod"
        expected["events:PutEvents"] = bus
    assert resources == expected


def test_key_is_used_only_through_secrets_manager() -> None:
    policy = policies.documents(STAGES["prod"], OUTPUTS)["api_handler"]
    (decrypt,) = [
        statement for statement in policy["Statement"] if statement["Action"] == ["kms:Decrypt"]
    ]

    assert decrypt["Condition"]["StringLike"] == {
        "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com",
        "kms:EncryptionContext:SecretARN": OUTPUTS["ApplicationSecretArn"],
    }


@every_stage
@every_function
def test_each_function_has_its_own_policy_file(stage: Stage, function: str) -> None:
    config = Config(
        stage.name,
        user_provided_params={"project_dir": str(ROOT)},
        config_from_disk=json.loads((DIRECTORY / "config.json").read_text()),
    ).scope(stage.name, function)
    policy = json.loads((DIRECTORY / config.iam_policy_file).read_text())

    assert config.autogen_policy is False
    assert policy == policies.documents(stage)[function]


@every_stage
@every_function
def test_unbound_policy_is_limited_to_the_stage(stage: Stage, function: str) -> None:
    statements = policies.documents(stage)[function]["Statement"]
    assert {statement["Sid"] for statement in statements} >= {"SendTraces", "WriteItsLog"}
    for statement in statements:
        named = json.dumps([statement["Resource"], statement.get("Condition")])
        assert f"customers-{stage.name}" in named or statement["Sid"] == "SendTraces"
        assert all("*" not in action for action in statement["Action"])


USER = "arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123/functions"
MYSQL, WITH_PASSWORD = (
    replace(STAGES["prod"], backend=backend) for backend in ("mysql", "mysql_password")
)


@pytest.mark.parametrize("function", ["api_handler", "purge_customers"])
def test_function_with_tokens_may_only_log_in_as_its_user(function: str) -> None:
    policy = policies.documents(MYSQL, OUTPUTS | {"DatabaseUserArn": USER})[function]
    (login,) = [each for each in policy["Statement"] if "rds-db:connect" in each["Action"]]

    assert login == policies.allow("LogIn", ["rds-db:connect"], USER)
    basic = actions({"Statement": policies.basics("", policies.Arns.unbound("prod"))})
    assert actions(policy) == {"rds-db:connect", *policies.INTERFACES, *basic}


@pytest.mark.parametrize("function", ["api_handler", "purge_customers"])
def test_function_with_a_password_may_only_read_its_secret(function: str) -> None:
    policy = policies.documents(WITH_PASSWORD, OUTPUTS)[function]
    basic = actions({"Statement": policies.basics("", policies.Arns.unbound("prod"))})
    reading = {"secretsmanager:GetSecretValue", "kms:Decrypt"}

    assert actions(policy) == {*reading, *policies.INTERFACES, *basic}


@pytest.mark.parametrize("stage", [MYSQL, WITH_PASSWORD], ids=["mysql", "mysql_password"])
def test_only_lambda_may_use_the_permissions_for_the_network(stage: Stage) -> None:
    """Lambda joins the network with the function's role, and the code would share its rights."""
    outputs = OUTPUTS | {"DatabaseUserArn": USER}
    statements = policies.documents(stage, outputs)["api_handler"]["Statement"]
    allowed, denied = (
        [each for each in statements if each["Effect"] == effect and "ec2:" in str(each["Action"])]
        for effect in ("Allow", "Deny")
    )

    assert [each["Action"] for each in allowed] == [each["Action"] for each in denied]
    function = "arn:aws:lambda:eu-west-1:123456789012:function:customers-prod"
    assert denied[0]["Condition"] == {"ArnLike": {"lambda:SourceFunctionArn": function}}


@pytest.mark.parametrize("stage", [MYSQL, WITH_PASSWORD], ids=["mysql", "mysql_password"])
def test_authorizer_is_the_same_with_every_backend(stage: Stage) -> None:
    outputs = OUTPUTS | {"DatabaseUserArn": USER}
    expected = policies.documents(STAGES["prod"], OUTPUTS)["authorize"]
    assert policies.documents(stage, outputs)["authorize"] == expected


def test_unbound_login_is_limited_to_the_functions_user() -> None:
    policy = policies.documents(MYSQL)["api_handler"]
    (login,) = [each for each in policy["Statement"] if "rds-db:connect" in each["Action"]]
    assert login["Resource"] == "arn:aws:rds-db:*:*:dbuser:prx-*/functions"
