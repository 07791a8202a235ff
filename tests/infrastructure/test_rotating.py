"""The rotation function: exactly the permissions of its calls, for its secret, on a schedule."""

import ast
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from infrastructure import policies, rotating, template
from infrastructure.policies import Arns
from infrastructure.rotation import handler
from infrastructure.stages import STAGES, Stage

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:customers-prod/application-AbCdEf"
MASTER = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!cluster-1234-AbCdEf"
CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:customers-prod"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
ARNS = Arns(CLUSTER, SECRET, KEY, "aws", "eu-west-1", "123456789012")
SERVICES = {"_secrets": "secretsmanager", "_data": "rds-data"}

every_stage = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)


def statements() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rotating.policy(STAGES["prod"], ARNS, MASTER)["Statement"]
    return found


def may(action: str, resource: str) -> bool:
    return any(
        action in statement["Action"] and fnmatchcase(resource, statement["Resource"])
        for statement in statements()
    )


def calls() -> set[str]:
    """Return the actions that the code calls."""
    tree = ast.parse(Path(handler.__file__).read_text())
    return {
        f"{SERVICES[node.func.value.attr]}:{node.func.attr.title().replace('_', '')}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr in SERVICES
    }


def test_permissions_equal_the_codes_calls() -> None:
    granted = {action for statement in statements() for action in statement["Action"]}
    own = {action for statement in policies.basics("f", ARNS) for action in statement["Action"]}
    # Secrets Manager uses the key on behalf of its caller.
    assert granted - own - {"kms:Decrypt", "kms:GenerateDataKey"} == calls()


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("secretsmanager:DescribeSecret", SECRET),
        ("secretsmanager:GetSecretValue", SECRET),
        ("secretsmanager:PutSecretValue", SECRET),
        ("secretsmanager:UpdateSecretVersionStage", SECRET),
        ("secretsmanager:GetSecretValue", MASTER),
        ("rds-data:ExecuteStatement", CLUSTER),
        ("kms:Decrypt", KEY),
        ("kms:GenerateDataKey", KEY),
    ],
)
def test_function_may_rotate(action: str, resource: str) -> None:
    assert may(action, resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("secretsmanager:PutSecretValue", MASTER),
        ("secretsmanager:UpdateSecretVersionStage", MASTER),
        ("secretsmanager:GetSecretValue", SECRET.replace("application", "migrations")),
        ("secretsmanager:PutSecretValue", SECRET.replace("application", "cursor-key")),
        ("secretsmanager:PutSecretValue", SECRET.replace("prod", "dev")),
        ("secretsmanager:DeleteSecret", SECRET),
        ("rds-data:ExecuteStatement", CLUSTER.replace("prod", "dev")),
        ("rds-data:BeginTransaction", CLUSTER),
        ("kms:Decrypt", KEY.replace("1234abcd", "other")),
    ],
)
def test_function_may_do_nothing_else(action: str, resource: str) -> None:
    assert not may(action, resource)


def test_key_is_used_only_for_the_two_secrets() -> None:
    (use,) = [each for each in statements() if "kms:Decrypt" in each["Action"]]

    assert use["Condition"]["StringLike"] == {
        "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com",
        "kms:EncryptionContext:SecretARN": [SECRET, MASTER],
    }


@every_stage
def test_no_other_function_may_use_the_masters_secret(stage: Stage) -> None:
    for function in policies.DATA_API:
        document = str(policies.policy(stage, function, template.ARNS))
        assert "Master" not in document
        assert "PutSecretValue" not in document


@every_stage
def test_only_secrets_manager_may_invoke_the_function(stage: Stage) -> None:
    made = rotating.resources(stage, template.ARNS, template.MASTER_SECRET, {})
    permission = made["RotatePasswordPermission"]["Properties"]

    assert permission["Principal"] == "secretsmanager.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::Sub": "${DatabaseSecretArn}"}
    assert permission["SourceAccount"] == {"Fn::Sub": "${AWS::AccountId}"}


def test_rotation_is_scheduled() -> None:
    made = rotating.resources(STAGES["prod"], template.ARNS, template.MASTER_SECRET, {})
    schedule = made["RotationSchedule"]["Properties"]

    assert schedule["RotationRules"] == {"ScheduleExpression": "rate(30 days)"}
    assert schedule["SecretId"] == {"Fn::Sub": "${DatabaseSecretArn}"}
    assert schedule["RotationLambdaARN"] == {"Fn::GetAtt": ["RotatePassword", "Arn"]}


def test_function_has_the_variables_that_its_code_reads() -> None:
    read = set(re.findall(r'os\.environ\["(\w+)"\]', Path(handler.__file__).read_text()))

    assert read | {"AWS_ENDPOINT_URL_RDS_DATA"} == set(template.ROTATION)  # boto3 reads the last


def test_package_contains_only_the_rotation() -> None:
    assert set(rotating.files()) == {
        *("rotation/__init__.py", "rotation/accounts.py", "rotation/handler.py"),
    }
    for content in rotating.files().values():
        modules = re.findall(r"^\s*(?:from|import) (\S+)", content.decode(), re.MULTILINE)
        assert not any(name.startswith(("chalicelib", "infrastructure")) for name in modules)
