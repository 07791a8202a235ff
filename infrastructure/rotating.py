"""The function that rotates the application's password, and its schedule.

Secrets Manager invokes the function. `rotation` is its code, in its own package, because no other
function may use the master user's secret.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
"""

from pathlib import Path
from typing import Any

from infrastructure.deployment import role, substituted
from infrastructure.policies import VERSION, Arns, Policy, allow, basics
from infrastructure.stages import RUNTIME, Stage

JSONObject = dict[str, Any]

CODE = Path(__file__).parent / "rotation"
ARCHIVE = "rotation.zip"
LOG = "RotatePasswordLogGroup"
FUNCTION_SECONDS = 60  # a paused database takes 15 seconds to resume
SCHEDULE = "rate(30 days)"


def name(stage: Stage) -> str:
    """Return the function's name in Lambda."""
    return stage.lambda_name("rotate_password")


def files() -> dict[str, bytes]:
    """Return the contents of the function's package."""
    return {f"rotation/{path.name}": path.read_bytes() for path in sorted(CODE.glob("*.py"))}


def resources(stage: Stage, arns: Arns, master: str, settings: JSONObject) -> JSONObject:
    """Return the function, its role and its schedule, without its log group, LOG.

    `master` is the ARN of the master user's secret, and `settings` are the environment variables.
    """
    document = substituted(policy(stage, arns, master))
    return {
        "RotatePassword": _function(stage, settings),
        "RotatePasswordRole": role(
            "lambda", Policies=[{"PolicyName": "own", "PolicyDocument": document}]
        ),
        "RotatePasswordPermission": _permission(arns),
        "RotationSchedule": _schedule(arns),
    }


def policy(stage: Stage, arns: Arns, master: str) -> Policy:
    """Return what the function may do: rotate one secret, and run statements as the master."""
    rotates = ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
    through_secrets_manager = {
        "StringLike": {
            "kms:ViaService": f"secretsmanager.{arns.region}.amazonaws.com",
            "kms:EncryptionContext:SecretARN": [arns.secret, master],
        }
    }
    statements = [
        allow("RunStatements", ["rds-data:ExecuteStatement"], arns.cluster),
        allow("ReadTheMastersSecret", ["secretsmanager:GetSecretValue"], master),
        allow("RotateItsSecret", [f"secretsmanager:{each}" for each in rotates], arns.secret),
        allow("CreatePasswords", ["secretsmanager:GetRandomPassword"], "*"),  # has no resource
        allow("UseTheirKey", ["kms:Decrypt", "kms:GenerateDataKey"], arns.key)
        | {"Condition": through_secrets_manager},
        *basics(name(stage), arns),
    ]
    return {"Version": VERSION, "Statement": statements}


def _function(stage: Stage, settings: JSONObject) -> JSONObject:
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": name(stage),
            "Description": "Rotates the password of the API's database user",
            "Runtime": RUNTIME,
            "Handler": "rotation.handler.handle",
            "CodeUri": ARCHIVE,
            "MemorySize": 256,
            "Timeout": FUNCTION_SECONDS,
            "Tracing": "Active",
            "ReservedConcurrentExecutions": 1,
            "Role": {"Fn::GetAtt": ["RotatePasswordRole", "Arn"]},
            "Environment": {"Variables": settings},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": {"Ref": LOG}},
        },
    }


def _permission(arns: Arns) -> JSONObject:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": "RotatePassword"},
            "Principal": "secretsmanager.amazonaws.com",
            "SourceAccount": substituted(arns.account),
            "SourceArn": substituted(arns.secret),
        },
    }


def _schedule(arns: Arns) -> JSONObject:
    """Return the schedule. The first rotation waits for it, because `migrate` may be yet to run."""
    return {
        "Type": "AWS::SecretsManager::RotationSchedule",
        "DependsOn": ["RotatePasswordPermission"],
        "Properties": {
            "SecretId": substituted(arns.secret),
            "RotationLambdaARN": {"Fn::GetAtt": ["RotatePassword", "Arn"]},
            "RotationRules": {"ScheduleExpression": SCHEDULE},
            "RotateImmediatelyOnUpdate": False,
        },
    }
