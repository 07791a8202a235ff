"""Rules for the API's template after SAM's transform that linters don't check.

Each rule yields messages about violations.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

JSONObject = dict[str, Any]
Rule = Callable[[JSONObject], Iterator[str]]

RULES: dict[str, Rule] = {}
VARIABLE = re.compile(r"\$\{([^!}]+)\}")
WITHOUT_RESOURCES = {
    "secretsmanager:GetRandomPassword",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


def rule(check: Rule) -> Rule:
    RULES[check.__name__] = check
    return check


def broken(template: JSONObject) -> set[str]:
    """Return the names of the rules that the template breaks."""
    return {name for name, check in RULES.items() if list(check(template))}


def of_type(template: JSONObject, kind: str) -> dict[str, JSONObject]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def referenced(value: Any) -> Iterator[str]:
    """Yield every name that Ref, GetAtt and Sub refer to in a value."""
    if isinstance(value, list):
        for item in value:
            yield from referenced(item)
    if not isinstance(value, dict):
        return
    for key, argument in value.items():
        if key == "Ref":
            yield argument
        elif key == "Fn::GetAtt":
            yield argument[0] if isinstance(argument, list) else argument.split(".")[0]
        elif key == "Fn::Sub":
            text, own = (argument, {}) if isinstance(argument, str) else argument
            named = {found.split(".")[0] for found in VARIABLE.findall(text)}
            yield from named - own.keys()
            yield from referenced(own)
        else:
            yield from referenced(argument)


def integrations(template: JSONObject) -> Iterator[tuple[str, Any]]:
    (api,) = of_type(template, "AWS::ApiGateway::RestApi").values()
    for path, methods in api["Body"]["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation["x-amazon-apigateway-integration"]["uri"]
    for name, scheme in api["Body"]["securityDefinitions"].items():
        yield name, scheme["x-amazon-apigateway-authorizer"]["authorizerUri"]


@rule
def every_integration_calls_an_alias(template: JSONObject) -> Iterator[str]:
    aliases = of_type(template, "AWS::Lambda::Alias")
    for where, uri in integrations(template):
        names = {name for name in referenced(uri) if not name.startswith("AWS::")}
        if not names or not names <= aliases.keys():
            yield f"{where} reaches {names or uri}"


@rule
def every_permission_is_for_an_alias(template: JSONObject) -> Iterator[str]:
    aliases = of_type(template, "AWS::Lambda::Alias")
    for name, permission in of_type(template, "AWS::Lambda::Permission").items():
        if permission["Principal"] == "secretsmanager.amazonaws.com":
            continue  # clients never wait for the rotation, so it needs no canary
        if not set(referenced(permission["FunctionName"])) <= aliases.keys():
            yield f"{name} is for {permission['FunctionName']}"


@rule
def every_schedule_calls_an_alias(template: JSONObject) -> Iterator[str]:
    aliases = of_type(template, "AWS::Lambda::Alias")
    for name, event in of_type(template, "AWS::Events::Rule").items():
        targets = {item for target in event["Targets"] for item in referenced(target["Arn"])}
        if not targets or not targets <= aliases.keys():
            yield f"{name} starts {targets}"


@rule
def every_reference_exists(template: JSONObject) -> Iterator[str]:
    known = template["Resources"].keys() | template["Parameters"].keys()
    for name in referenced([template["Resources"], template["Outputs"]]):
        if name not in known and not name.startswith("AWS::"):
            yield f"{name} does not exist"


@rule
def dependencies_have_no_cycle(template: JSONObject) -> Iterator[str]:
    resources = template["Resources"]
    graph = {
        name: {
            *(set(referenced(resource)) & resources.keys()),
            *_as_list(resource.get("DependsOn")),
        }
        for name, resource in resources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " -> ".join(error.args[1])


@rule
def api_has_one_stage(template: JSONObject) -> Iterator[str]:
    stages = of_type(template, "AWS::ApiGateway::Stage").values()
    named = [stage["StageName"] for stage in stages]
    named += [
        deployment["StageName"]
        for deployment in of_type(template, "AWS::ApiGateway::Deployment").values()
        if "StageName" in deployment
    ]
    if len(named) != 1:
        yield f"stages {named}"


@rule
def stage_throttles_and_encrypts(template: JSONObject) -> Iterator[str]:
    for name, stage in of_type(template, "AWS::ApiGateway::Stage").items():
        settings = stage.get("MethodSettings", [])
        if not any(
            (setting["ResourcePath"], setting["HttpMethod"]) == ("/*", "*") for setting in settings
        ):
            yield f"{name} has no settings for all methods"
        for setting in settings:
            where = f"{name} {setting['HttpMethod']} {setting['ResourcePath']}"
            if not (setting.get("ThrottlingRateLimit") and setting.get("ThrottlingBurstLimit")):
                yield f"{where} is not throttled"
            if setting.get("CacheDataEncrypted") is not True:
                yield f"{where} would be cached unencrypted"
            if setting.get("DataTraceEnabled") is not False:
                yield f"{where} may log bodies"


@rule
def stage_logs_and_traces(template: JSONObject) -> Iterator[str]:
    for name, stage in of_type(template, "AWS::ApiGateway::Stage").items():
        if not stage.get("AccessLogSetting", {}).get("DestinationArn"):
            yield f"{name} has no access log"
        if stage.get("TracingEnabled") is not True:
            yield f"{name} is not traced"


@rule
def every_stage_has_a_firewall(template: JSONObject) -> Iterator[str]:
    stages = of_type(template, "AWS::ApiGateway::Stage").keys()
    before = {
        name
        for association in of_type(template, "AWS::WAFv2::WebACLAssociation").values()
        for name in referenced(association["ResourceArn"])
    }
    for name in stages - before:
        yield f"{name} has no firewall"


@rule
def api_is_regional_and_https_only(template: JSONObject) -> Iterator[str]:
    for name, api in of_type(template, "AWS::ApiGateway::RestApi").items():
        if api["Body"].get("schemes") != ["https"]:
            yield f"{name} accepts {api['Body'].get('schemes')}"
        if api.get("EndpointConfiguration", {}).get("Types") != ["REGIONAL"]:
            yield f"{name} is at {api.get('EndpointConfiguration')}"


@rule
def bodies_are_validated(template: JSONObject) -> Iterator[str]:
    (api,) = of_type(template, "AWS::ApiGateway::RestApi").values()
    for path, methods in api["Body"]["paths"].items():
        for method, operation in methods.items():
            bodies = [
                parameter
                for parameter in operation.get("parameters", [])
                if parameter["in"] == "body"
            ]
            validator = operation.get("x-amazon-apigateway-request-validator")
            if bool(bodies) != bool(validator):
                yield f"{method} {path} has a body or a validator, and not the other"
            for body in bodies:
                model = body["schema"]["$ref"].rpartition("/")[2]
                if model not in api["Body"]["definitions"]:
                    yield f"{method} {path} has no model {model}"


def statements(template: JSONObject) -> Iterator[tuple[str, JSONObject]]:
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


@rule
def permissions_have_no_wildcards(template: JSONObject) -> Iterator[str]:
    for role, statement in statements(template):
        actions = set(_as_list(statement["Action"]))
        if any("*" in action for action in actions):
            yield f"{role} may {actions}"
        if "*" in _as_list(statement["Resource"]) and not actions <= WITHOUT_RESOURCES:
            yield f"{role} may {actions} on everything"


@rule
def every_function_has_its_own_role(template: JSONObject) -> Iterator[str]:
    functions = of_type(template, "AWS::Lambda::Function")
    roles = [json.dumps(function["Role"]) for function in functions.values()]
    if len(set(roles)) != len(functions):
        yield f"{len(functions)} functions have {len(set(roles))} roles"


@rule
def authorizer_has_no_database(template: JSONObject) -> Iterator[str]:
    for role, statement in statements(template):
        services = {action.split(":")[0] for action in _as_list(statement["Action"])}
        if role == "AuthorizeRole" and not services <= {"logs", "xray"}:
            yield f"{role} may use {services}"


@rule
def every_function_is_bounded(template: JSONObject) -> Iterator[str]:
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        if not function.get("ReservedConcurrentExecutions"):
            yield f"{name} may take the account's whole concurrency"
        if function.get("TracingConfig") != {"Mode": "Active"}:
            yield f"{name} is not traced"
        if (
            not set(referenced(function["LoggingConfig"]["LogGroup"]))
            <= template["Resources"].keys()
        ):
            yield f"{name} doesn't have its own log group"


@rule
def timeouts_are_nested(template: JSONObject) -> Iterator[str]:
    (api,) = of_type(template, "AWS::ApiGateway::RestApi").values()
    longest = of_type(template, "AWS::Lambda::Function")["APIHandler"]["Timeout"]
    for path, methods in api["Body"]["paths"].items():
        for method, operation in methods.items():
            gateway = operation["x-amazon-apigateway-integration"]["timeoutInMillis"]
            if not longest * 1_000 < gateway <= 29_000:
                yield f"{method} {path}: {gateway} ms, and the function {longest} s"


@rule
def traffic_is_shifted_and_rolled_back(template: JSONObject) -> Iterator[str]:
    groups = of_type(template, "AWS::CodeDeploy::DeploymentGroup")
    for name in ("APIHandler", "Authorize"):
        policy = template["Resources"][f"{name}Aliaslive"].get("UpdatePolicy", {})
        shift = policy.get("CodeDeployLambdaAliasUpdate", {})
        if shift.get("DeploymentGroupName") != {"Ref": f"{name}DeploymentGroup"}:
            yield f"{name} changes at once"
        if name == "APIHandler" and shift.get("BeforeAllowTrafficHook") != {"Ref": "CheckVersion"}:
            yield f"{name} gets traffic unchecked"
    for name, group in groups.items():
        if not group.get("AlarmConfiguration", {}).get("Enabled"):
            yield f"{name} has no alarms"
        if not group.get("AutoRollbackConfiguration", {}).get("Enabled"):
            yield f"{name} does not roll back"


@rule
def logs_expire_and_are_encrypted(template: JSONObject) -> Iterator[str]:
    for name, group in of_type(template, "AWS::Logs::LogGroup").items():
        if not (group.get("RetentionInDays") and group.get("KmsKeyId")):
            yield f"{name} never expires, or is unencrypted"


def names_of_functions(template: JSONObject) -> Mapping[str, str]:
    functions = of_type(template, "AWS::Lambda::Function")
    return {name: function["FunctionName"] for name, function in functions.items()}


@rule
def logs_are_named_after_their_functions(template: JSONObject) -> Iterator[str]:
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        (group,) = referenced(function["LoggingConfig"]["LogGroup"])
        named = template["Resources"][group]["Properties"]["LogGroupName"]
        if named != f"/aws/lambda/{function['FunctionName']}":
            yield f"{name} logs to {named}"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
