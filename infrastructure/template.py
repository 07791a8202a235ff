"""What Chalice's template lacks: `complete` makes of it what a stage is deployed from.

Parameters stand where Chalice has literals, so the bytes are the commit's and the database is the
account's. Each function has a role of its own, and an alias `live`; API Gateway reaches nothing
else, so that CodeDeploy, which moves the alias, moves the traffic.

Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from infrastructure import api, deployment, policies
from infrastructure.deployment import ALIAS, substituted
from infrastructure.policies import Arns
from infrastructure.stages import RUNTIME, Stage

JSONObject = dict[str, Any]


class Function(NamedTuple):
    """A function: its ids in Chalice's template, its layers, and the settings that it reads."""

    id: str
    role: str
    log: str
    layers: tuple[str, ...]
    settings: tuple[str, ...]
    concurrency: float
    """Its share of the stage's, of which there is at least one."""


def _is_given(parameter: str) -> JSONObject:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def _if(parameter: str) -> JSONObject:
    return {"Fn::If": [f"Has{parameter}", {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}


DATABASE = (
    "DATABASE_RESOURCE_ARN",
    "DATABASE_SECRET_ARN",
    "DATABASE_NAME",
    "AWS_ENDPOINT_URL_RDS_DATA",
    "DATA_API_CLIENT",
)
FUNCTIONS: Mapping[str, Function] = {
    "api_handler": Function(
        "APIHandler",
        "ApiHandlerRole",
        "ApiHandlerLogGroup",
        ("TracingLayer",),
        (*DATABASE, "CURSOR_KEY", "CORS_ORIGINS", "RETENTION_DAYS"),
        1,
    ),
    "authorize": Function(
        "Authorize",
        "AuthorizeRole",
        "AuthorizeLogGroup",
        ("AuthorizerLayer", "TracingLayer"),
        ("TOKEN_ISSUER", "TOKEN_AUDIENCE", "TOKEN_JWKS_URL"),
        0.5,  # most tokens are remembered
    ),
    "purge_customers": Function(
        "PurgeCustomers",
        "PurgeCustomersRole",
        "PurgeCustomersLogGroup",
        ("TracingLayer",),
        DATABASE,
        0,
    ),
}
ARNS = Arns(
    cluster="${DatabaseResourceArn}",
    secret="${DatabaseSecretArn}",  # noqa: S106 (its name)
    key="${DatabaseKeyArn}",
    partition="${AWS::Partition}",
    region="${AWS::Region}",
    account="${AWS::AccountId}",
)
SETTINGS: Mapping[str, Any] = {
    "DATABASE_RESOURCE_ARN": {"Ref": "DatabaseResourceArn"},
    "DATABASE_SECRET_ARN": {"Ref": "DatabaseSecretArn"},
    "DATABASE_NAME": {"Ref": "DatabaseName"},
    "AWS_ENDPOINT_URL_RDS_DATA": _if("DataApiEndpoint"),
    "DATA_API_CLIENT": {"Ref": "DataApiClient"},
    "CURSOR_KEY": {"Fn::Sub": "{{resolve:secretsmanager:${CursorKeySecretArn}:SecretString}}"},
    "CORS_ORIGINS": {"Ref": "CorsOrigins"},
    "RETENTION_DAYS": {"Ref": "RetentionDays"},
    "TOKEN_ISSUER": {"Ref": "TokenIssuer"},
    "TOKEN_AUDIENCE": {"Ref": "TokenAudience"},
    "TOKEN_JWKS_URL": {"Ref": "TokenJwksUrl"},
}


def complete(packaged: JSONObject, stage: Stage, document: JSONObject) -> JSONObject:
    """Return Chalice's template with what it lacks; `document` is the gateway's."""
    resources = packaged["Resources"]
    for name, function in FUNCTIONS.items():
        resources[function.id]["Properties"] |= _function(stage, name, function)
        resources[function.role]["Properties"]["Policies"] = [_policy(stage, name)]
        resources[function.log] = _log(stage, stage.lambda_name(name))
    resources |= _layers()
    resources |= deployment.resources(stage, ARNS)
    resources[deployment.HOOK_LOG] = _log(stage, deployment.hook_name(stage))
    api.work_in(resources, document)
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Role":
            resource["Properties"]["PermissionsBoundary"] = _if("PermissionsBoundary")
    return {
        "AWSTemplateFormatVersion": packaged["AWSTemplateFormatVersion"],
        "Description": f"The customers API, {stage.name}: what `chalice package` makes, completed",
        "Transform": packaged["Transform"],
        "Parameters": _parameters(stage),
        "Conditions": {
            f"Has{parameter}": _is_given(parameter)
            for parameter in ("DataApiEndpoint", "LogsKeyArn", "PermissionsBoundary")
        },
        "Resources": resources,
        "Outputs": packaged["Outputs"] | _outputs(),
    }


def _parameters(stage: Stage) -> JSONObject:
    def text(description: str, **more: Any) -> JSONObject:
        return {"Type": "String", "Description": description, **more}

    return {
        "Stage": text("The stage.", Default=stage.name, AllowedValues=[stage.name]),
        "Release": text(
            "What a version is named by: a deployment that changes only parameters has to change"
            " it, or the functions keep their old ones.",
            Default="0" * 64,
            AllowedPattern="^[0-9a-f]{64}$",
        ),
        "DatabaseResourceArn": text("The cluster; output ClusterArn of the database's stack."),
        "DatabaseSecretArn": text("Its user's secret; output ApplicationSecretArn."),
        "DatabaseName": text("Output DatabaseName.", Default="customers"),
        "DatabaseKeyArn": text("What the secret is encrypted with; output KeyArn."),
        "CursorKeySecretArn": text("What signs cursors; output CursorKeySecretArn."),
        "TokenIssuer": text("Whose tokens are taken.", AllowedPattern="^https?://[^ ]+$"),
        "TokenAudience": text("For whom, one or more, with spaces.", MinLength=1),
        "TokenJwksUrl": text("Where the issuer's keys are, if not where usual.", Default=""),
        "CorsOrigins": text("Whose pages may use the API, with spaces.", Default=""),
        "RetentionDays": {
            "Type": "Number",
            "Description": "For how many days a deleted customer can be restored.",
            "Default": 30,
            "MinValue": 1,
            "MaxValue": 3_650,
        },
        "LogsKeyArn": text("Encrypts logs; output KeyArn of the operations' stack.", Default=""),
        "PermissionsBoundary": text(
            "The most that a role may do; an output of the pipeline's stack.", Default=""
        ),
        "DataApiEndpoint": text("The Data API where it is not AWS's own.", Default=""),
        "DataApiClient": text(
            "By what functions call the Data API.", Default="slim", AllowedValues=["boto3", "slim"]
        ),
    }


def _function(stage: Stage, name: str, function: Function) -> JSONObject:
    settings = {each: SETTINGS[each] for each in function.settings}
    return {
        "FunctionName": stage.lambda_name(name),
        # Lambda publishes no version of a function in which nothing has changed
        "Description": {"Fn::Sub": "The customers API, release ${Release}"},
        "Runtime": RUNTIME,
        "CodeUri": "deployment.zip",
        "Environment": {"Variables": {"STAGE": {"Ref": "Stage"}, **settings}},
        "Layers": [{"Ref": layer} for layer in function.layers],
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": {"Ref": function.log}},
        "ReservedConcurrentExecutions": max(1, int(stage.concurrency * function.concurrency)),
        "AutoPublishAlias": ALIAS,
        "AutoPublishCodeSha256": {"Ref": "Release"},
        "DeploymentPreference": deployment.preference(stage, name),
        **_snap_start(stage, name),
    }


def _snap_start(stage: Stage, name: str) -> JSONObject:
    """Return the property, except for the purge, because no client waits for that."""
    if stage.snap_start and name in deployment.SHIFTED:
        return {"SnapStart": {"ApplyOn": "PublishedVersions"}}
    return {}


def _policy(stage: Stage, name: str) -> JSONObject:
    document = policies.policy(stage, name, ARNS)
    return {"PolicyName": "own", "PolicyDocument": substituted(document)}


def _log(stage: Stage, function: str) -> JSONObject:
    return {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "LogGroupName": f"/aws/lambda/{function}",
            "RetentionInDays": stage.log_retention_days,
            "KmsKeyId": _if("LogsKeyArn"),
        },
    }


def _layers() -> JSONObject:
    """Return the layers; versions of functions that may be gone back to keep their old ones."""
    return {
        f"{name.title()}Layer": {
            "Type": "AWS::Serverless::LayerVersion",
            "Properties": {
                "LayerName": {"Fn::Sub": f"customers-${{Stage}}-{name}"},
                "ContentUri": f"{name}.zip",
                "CompatibleRuntimes": [RUNTIME],
                "CompatibleArchitectures": ["x86_64"],
                "RetentionPolicy": "Retain",
            },
        }
        for name in ("authorizer", "tracing")
    }


def _outputs() -> JSONObject:
    values: Mapping[str, Any] = {
        "ApiFunctionName": {"Ref": "APIHandler"},
        "AuthorizerFunctionName": {"Ref": "Authorize"},
        "PurgeFunctionName": {"Ref": "PurgeCustomers"},
        "Alias": ALIAS,
        "WebAclArn": {"Fn::GetAtt": ["Firewall", "Arn"]},
        "UsagePlanId": {"Ref": "UsagePlan"},
    }
    return {name: {"Value": value} for name, value in values.items()}
