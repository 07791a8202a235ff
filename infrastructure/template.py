"""Complete the template that `chalice package` writes.

Parameters replace Chalice's literals, so every account deploys the same bytes with its own
database. Each function has its own role and an alias `live`. API Gateway invokes only the alias, so
CodeDeploy shifts traffic by moving the alias.

Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from infrastructure import api, audit, deployment, policies, rotating
from infrastructure.api import if_given
from infrastructure.deployment import ALIAS, substituted
from infrastructure.policies import Arns
from infrastructure.stages import MYSQL, RUNTIME, Stage

JSONObject = dict[str, Any]


class Function(NamedTuple):
    """A Lambda function: its ids in Chalice's template, its layers, and the settings it reads."""

    id: str
    role: str
    log: str
    layers: tuple[str, ...]
    settings: tuple[str, ...]
    concurrency: float
    """Share of the stage's concurrency; every function has a concurrency of at least one."""
    uses_database: bool


def _is_given(parameter: str) -> JSONObject:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


DATA_API = (
    "DATABASE_RESOURCE_ARN",
    "DATABASE_SECRET_ARN",
    "DATABASE_NAME",
    "AWS_ENDPOINT_URL_RDS_DATA",
    "DATA_API_CLIENT",
)
PROXY = ("DATABASE_URL",)
FUNCTIONS: Mapping[str, Function] = {
    "api_handler": Function(
        "APIHandler",
        "ApiHandlerRole",
        "ApiHandlerLogGroup",
        ("TracingLayer",),
        ("CURSOR_KEY", "CORS_ORIGINS", "RETENTION_DAYS", "DEEP_HEALTH"),
        1,
        uses_database=True,
    ),
    "authorize": Function(
        "Authorize",
        "AuthorizeRole",
        "AuthorizeLogGroup",
        ("AuthorizerLayer", "TracingLayer"),
        ("TOKEN_ISSUER", "TOKEN_AUDIENCE", "TOKEN_JWKS_URL", "TOKEN_SCOPE_PREFIX"),
        0.5,  # API Gateway caches the result for most tokens
        uses_database=False,
    ),
    "purge_customers": Function(
        "PurgeCustomers",
        "PurgeCustomersRole",
        "PurgeCustomersLogGroup",
        ("TracingLayer",),
        (),
        0,
        uses_database=True,
    ),
    "relay_events": Function(
        "RelayEvents",
        "RelayEventsRole",
        "RelayEventsLogGroup",
        ("TracingLayer",),
        ("EVENT_BUS",),
        0,
        uses_database=True,
    ),
}
ROTATION = (
    "DATABASE_RESOURCE_ARN",
    "DATABASE_MASTER_SECRET_ARN",
    "DATABASE_NAME",
    "AWS_ENDPOINT_URL_RDS_DATA",
)
ARNS = Arns(
    cluster="${DatabaseResourceArn}",
    secret="${DatabaseSecretArn}",  # noqa: S106 (its name)
    key="${DatabaseKeyArn}",
    partition="${AWS::Partition}",
    region="${AWS::Region}",
    account="${AWS::AccountId}",
    user="${DatabaseUserArn}",
)
MASTER_SECRET = "${DatabaseMasterSecretArn}"  # noqa: S105 (its name)
SETTINGS: Mapping[str, Any] = {
    "DATABASE_RESOURCE_ARN": {"Ref": "DatabaseResourceArn"},
    "DATABASE_SECRET_ARN": {"Ref": "DatabaseSecretArn"},
    "DATABASE_MASTER_SECRET_ARN": {"Ref": "DatabaseMasterSecretArn"},
    "DATABASE_NAME": {"Ref": "DatabaseName"},
    "DATABASE_URL": {"Ref": "DatabaseUrl"},
    "AWS_ENDPOINT_URL_RDS_DATA": if_given("DataApiEndpoint"),
    "DATA_API_CLIENT": {"Ref": "DataApiClient"},
    "CURSOR_KEY": {"Fn::Sub": "{{resolve:secretsmanager:${CursorKeySecretArn}:SecretString}}"},
    "CORS_ORIGINS": {"Ref": "CorsOrigins"},
    "RETENTION_DAYS": {"Ref": "RetentionDays"},
    "DEEP_HEALTH": {"Ref": "DeepHealth"},
    "EVENT_BUS": {"Ref": "EventBus"},
    "TOKEN_ISSUER": {"Ref": "TokenIssuer"},
    "TOKEN_AUDIENCE": {"Ref": "TokenAudience"},
    "TOKEN_JWKS_URL": {"Ref": "TokenJwksUrl"},
    "TOKEN_SCOPE_PREFIX": {"Ref": "TokenScopePrefix"},
}


def complete(packaged: JSONObject, stage: Stage, document: JSONObject) -> JSONObject:
    """Return the completed template; `document` contains the gateway's settings.

    Keeps what Chalice sets for each function from config.json: memory, timeout, tags, reserved
    concurrency and log retention; infrastructure/config.py rejects what would be lost.
    """
    resources = packaged["Resources"]
    for name, function in FUNCTIONS.items():
        properties = resources[function.id]["Properties"]
        properties |= {**_reservation(stage, function), **properties}
        properties |= _function(stage, name, function)
        resources[function.role]["Properties"]["Policies"] = [_policy(stage, name)]
        chalices = resources.get(function.log, {}).get("Properties", {})
        retention = chalices.get("RetentionInDays", stage.log_retention_days)
        resources[function.log] = _log(stage.lambda_name(name), retention)
    resources |= _layers()
    logs = {name: function.log for name, function in FUNCTIONS.items()}
    resources |= audit.resources(logs)
    resources |= deployment.resources(stage, ARNS)
    hook, rotation = deployment.hook_name(stage), rotating.name(stage)
    resources[deployment.HOOK_LOG] = _log(hook, stage.log_retention_days)
    settings = {each: SETTINGS[each] for each in ROTATION}
    resources |= rotating.resources(stage, ARNS, MASTER_SECRET, settings)
    resources[rotating.LOG] = _log(rotation, stage.log_retention_days)
    api.complete(resources, document, stage)
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Role":
            resource["Properties"]["PermissionsBoundary"] = if_given("PermissionsBoundary")
    return {
        "AWSTemplateFormatVersion": packaged["AWSTemplateFormatVersion"],
        "Description": f"The customers API, {stage.name}: functions, API Gateway and deployment",
        "Transform": packaged["Transform"],
        "Parameters": _parameters(stage),
        "Conditions": {
            f"Has{parameter}": _is_given(parameter)
            for parameter in ("DataApiEndpoint", "LogsKeyArn", "PermissionsBoundary")
        },
        "Resources": resources,
        "Outputs": packaged["Outputs"] | _outputs(stage),
    }


def _parameters(stage: Stage) -> JSONObject:
    text = _text
    bus = stage.event_bus if stage.has_events else ""
    return {
        "Stage": text("The stage.", Default=stage.name, AllowedValues=[stage.name]),
        "Release": text(
            "Hash of the package and the parameters. If it is unchanged, Lambda publishes no new"
            " version, and the functions keep their old settings.",
            Default="0" * 64,
            AllowedPattern="^[0-9a-f]{64}$",
        ),
        "DatabaseResourceArn": text("Output ClusterArn of the database's stack."),
        "DatabaseSecretArn": text("Output ApplicationSecretArn of the database's stack."),
        "DatabaseMasterSecretArn": text("Output MasterSecretArn of the database's stack."),
        "DatabaseName": text("Output DatabaseName of the database's stack.", Default="customers"),
        "DatabaseKeyArn": text("KMS key of the secret; output KeyArn of the database's stack."),
        "CursorKeySecretArn": text("Output CursorKeySecretArn of the database's stack."),
        "TokenIssuer": text("URL of the token issuer.", AllowedPattern="^https?://[^ ]+$"),
        "TokenAudience": text("Accepted audiences of tokens, separated by spaces.", MinLength=1),
        "TokenJwksUrl": text("URL of the issuer's keys, unless at the standard path.", Default=""),
        "TokenScopePrefix": text(
            "Identifier of the API at the issuer, if the issuer puts it before scopes. Required"
            " for Cognito.",
            Default="",
            AllowedPattern="^[^ ]*$",
        ),
        "CorsOrigins": text("Origins that may call the API, separated by spaces.", Default=""),
        "RetentionDays": {
            "Type": "Number",
            "Description": "Days during which a deleted customer can be restored.",
            "Default": 30,
            "MinValue": 1,
            "MaxValue": 3_650,
        },
        "DeepHealth": text(
            "Whether the health check may use the database: off if the database can pause.",
            Default="on",
            AllowedValues=["on", "off"],
        ),
        "EventBus": text("Name of the event bus. Nothing: no events.", Default=bus),
        "LogsKeyArn": text("Output KeyArn of the operations stack; encrypts logs.", Default=""),
        "PermissionsBoundary": text(
            "Maximum permissions of a role; an output of the pipeline's stack.", Default=""
        ),
        "DataApiEndpoint": text("URL of the Data API, unless it is AWS's.", Default=""),
        **(_proxy_parameters(stage) if stage.has_proxy else _data_api_parameters()),
    }


def _data_api_parameters() -> JSONObject:
    client = "The functions' client for the Data API."
    return {"DataApiClient": _text(client, Default="slim", AllowedValues=["boto3", "slim"])}


def _proxy_parameters(stage: Stage) -> JSONObject:
    user = "Output DatabaseUserArn of the database's stack."
    return {
        "DatabaseUrl": _text(
            "Output DatabaseUrl of the database's stack.",
            AllowedPattern="^mysql://([^:@/ ]+@)?[^@ ]+$",
            ConstraintDescription="An address without a password, which anyone could read here.",
        ),
        "FunctionSubnets": {
            "Type": "List<AWS::EC2::Subnet::Id>",
            "Description": "Output PrivateSubnets of the network's stack.",
        },
        "FunctionSecurityGroup": {
            "Type": "AWS::EC2::SecurityGroup::Id",
            "Description": "Output of that name of the network's stack.",
        },
        **({"DatabaseUserArn": _text(user)} if stage.backend == MYSQL else {}),
    }


def _text(description: str, **more: Any) -> JSONObject:
    return {"Type": "String", "Description": description, **more}


def _function(stage: Stage, name: str, function: Function) -> JSONObject:
    database = PROXY if stage.has_proxy else DATA_API
    names = (*database, *function.settings) if function.uses_database else function.settings
    settings = {each: SETTINGS[each] for each in names}
    return {
        "FunctionName": stage.lambda_name(name),
        # Lambda publishes a new version only if the function has changed
        "Description": {"Fn::Sub": "The customers API, release ${Release}"},
        "Runtime": RUNTIME,
        "CodeUri": "deployment.zip",
        "Environment": {"Variables": {"STAGE": {"Ref": "Stage"}, **settings}},
        "Layers": [{"Ref": layer} for layer in function.layers],
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": {"Ref": function.log}},
        "AutoPublishAlias": ALIAS,
        "AutoPublishCodeSha256": {"Ref": "Release"},
        "DeploymentPreference": deployment.preference(stage, name),
        **_snap_start(stage, name),
        **_network(stage, function),
    }


def _network(stage: Stage, function: Function) -> JSONObject:
    """Return the property, except for the authorizer, which needs the internet."""
    if not (stage.has_proxy and function.uses_database):
        return {}
    group = {"Ref": "FunctionSecurityGroup"}
    return {"VpcConfig": {"SubnetIds": {"Ref": "FunctionSubnets"}, "SecurityGroupIds": [group]}}


def _reservation(stage: Stage, function: Function) -> JSONObject:
    """Return the function's part of the stage's concurrency, unless the stage reserves none."""
    if stage.concurrency is None:
        return {}
    share = max(1, int(stage.concurrency * function.concurrency))
    return {"ReservedConcurrentExecutions": share}


def _snap_start(stage: Stage, name: str) -> JSONObject:
    """Return the property, except for scheduled functions, for which no client waits."""
    if stage.snap_start and name in deployment.SHIFTED:
        return {"SnapStart": {"ApplyOn": "PublishedVersions"}}
    return {}


def _policy(stage: Stage, name: str) -> JSONObject:
    document = policies.policy(stage, name, ARNS)
    return {"PolicyName": "own", "PolicyDocument": substituted(document)}


def _log(function: str, retention_days: int) -> JSONObject:
    return {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "LogGroupName": f"/aws/lambda/{function}",
            "RetentionInDays": retention_days,
            "KmsKeyId": if_given("LogsKeyArn"),
        },
    }


def _layers() -> JSONObject:
    """Return the layers. Old layer versions are retained because a rollback needs them."""
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


def _outputs(stage: Stage) -> JSONObject:
    values: Mapping[str, Any] = {
        "ApiFunctionName": {"Ref": "APIHandler"},
        "AuthorizerFunctionName": {"Ref": "Authorize"},
        "PurgeFunctionName": {"Ref": "PurgeCustomers"},
        "RelayFunctionName": {"Ref": "RelayEvents"},
        "Alias": ALIAS,
        "WebAclArn": {"Fn::GetAtt": ["Firewall", "Arn"]},
        "UsagePlanId": {"Ref": "UsagePlan"},
        **({"EndpointURL": stage.domain.url} if stage.domain else {}),
    }
    return {name: {"Value": value} for name, value in values.items()}
