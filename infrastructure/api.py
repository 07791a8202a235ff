"""The API in the template: Chalice's Swagger, completed by the gateway document."""

import re
from collections.abc import Iterator
from typing import Any

from infrastructure import firewall
from infrastructure.deployment import substituted
from infrastructure.stages import Stage

JSONObject = dict[str, Any]

VALIDATOR = "body"
KEY = "api_key"
FUNCTION = re.compile(r"\$\{(\w+)\.Arn\}")
ACCOUNT = "${AWS::Region}:${AWS::AccountId}"
LOGS = f"arn:${{AWS::Partition}}:logs:{ACCOUNT}"
ACCESS_LOG = f"{LOGS}:log-group:/customers/${{Stage}}/access"
STAGE_ARN = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${RestAPI}/stages/${Name}"


def complete(resources: JSONObject, document: JSONObject, stage: Stage) -> None:
    """Complete the API in the template, and add its firewall and usage plan."""
    properties = resources["RestAPI"]["Properties"]
    properties |= _properties(document)
    properties["DefinitionBody"] = _on_the_alias(properties["DefinitionBody"])
    _describe(properties["DefinitionBody"], document)
    if document["domain"]:
        properties["DisableExecuteApiEndpoint"] = True  # clients would bypass mutual TLS
        resources["BasePathMapping"] = _mapping(document)
    if stage.limit_by == "caller":
        _require_keys(properties["DefinitionBody"])
    for function in ("APIHandler", "Authorize"):
        permission = resources[f"{function}InvokePermission"]["Properties"]
        permission["FunctionName"] = {"Ref": f"{function}.Alias"}
    resources |= _firewall_and_plan(document)
    resources |= _firewall_log(stage)


def if_given(parameter: str) -> JSONObject:
    """Return a parameter's value, or nothing if the parameter is empty."""
    return {"Fn::If": [f"Has{parameter}", {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}


def _properties(document: JSONObject) -> JSONObject:
    return {
        "EndpointConfiguration": {"Type": document["endpoint_type"]},
        "OpenApiVersion": "2.0",  # otherwise SAM adds a second stage, named Stage
        "TracingEnabled": document["tracing"],
        "CacheClusterEnabled": document["cache_cluster"],
        "MethodSettings": document["settings"],
        "AccessLogSetting": {
            "DestinationArn": {"Fn::Sub": ACCESS_LOG},
            "Format": document["access_log"],
        },
    }


def _on_the_alias(value: Any) -> Any:
    """Return the value with every function URI changed to its alias; Chalice's refer to $LATEST."""
    if isinstance(value, list):
        return [_on_the_alias(item) for item in value]
    if not isinstance(value, dict):
        return value
    match = FUNCTION.search(str(value.get("Fn::Sub")))
    if not match:
        return {name: _on_the_alias(element) for name, element in value.items()}
    text = value["Fn::Sub"].replace(match[0], "${Function}")
    return {"Fn::Sub": [text, {"Function": {"Ref": f"{match[1]}.Alias"}}]}


def _describe(body: JSONObject, document: JSONObject) -> None:
    """Add everything to the Swagger that the document contains and Swagger supports."""
    body["definitions"] |= document["models"]
    body["x-amazon-apigateway-request-validators"] = {
        VALIDATOR: {"validateRequestBody": True, "validateRequestParameters": False}
    }
    body["x-amazon-apigateway-gateway-responses"] = dict(map(_response, document["responses"]))
    for path, method, operation in _operations(body):
        integration = operation["x-amazon-apigateway-integration"]
        integration["timeoutInMillis"] = document["timeout_ms"]
        if models := document["bodies"].get(path, {}).get(method):
            _validate(operation, models)
        if keys := document["cache_keys"].get(path, {}).get(method):
            integration["cacheKeyParameters"] = keys
            operation.setdefault("parameters", []).extend(map(_header, keys))


def _require_keys(body: JSONObject) -> None:
    """Require an API key for each operation with a token. The authorizer names the key.

    A request whose key is not in the usage plan gets the gateway response INVALID_API_KEY.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html
    """
    body["x-amazon-apigateway-api-key-source"] = "AUTHORIZER"
    key = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    body["securityDefinitions"][KEY] = key
    for _, _, operation in _operations(body):
        if "security" in operation:
            operation["security"].insert(0, {KEY: []})


def _operations(body: JSONObject) -> Iterator[tuple[str, str, JSONObject]]:
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _validate(operation: JSONObject, models: dict[str, str]) -> None:
    (name,) = set(models.values())  # Swagger has one schema for all media types
    operation["consumes"] = list(models)
    schema = {"$ref": f"#/definitions/{name}"}
    body = {"in": "body", "name": name, "required": True, "schema": schema}
    operation.setdefault("parameters", []).append(body)
    operation["x-amazon-apigateway-request-validator"] = VALIDATOR


def _header(key: str) -> JSONObject:
    name = key.removeprefix("method.request.header.")
    return {"in": "header", "name": name, "required": False, "type": "string"}


def _response(properties: JSONObject) -> tuple[str, JSONObject]:
    return properties["ResponseType"], {
        "statusCode": properties["StatusCode"],
        "responseParameters": properties["ResponseParameters"],
        "responseTemplates": properties["ResponseTemplates"],
    }


def _mapping(document: JSONObject) -> JSONObject:
    """Return the mapping of the domain. It refers to the stage, so it waits for the stage."""
    target = {"RestApiId": {"Ref": "RestAPI"}, "Stage": {"Ref": "RestAPI.Stage"}}
    return {
        "Type": "AWS::ApiGateway::BasePathMapping",
        "Properties": {**document["domain"], **target},
    }


def _firewall_and_plan(document: JSONObject) -> JSONObject:
    """Return the stage's firewall, and its usage plan. The plan's limits need API keys."""
    stage = {"Ref": "RestAPI.Stage"}
    return {
        "Firewall": {"Type": "AWS::WAFv2::WebACL", "Properties": document["firewall"]},
        "FirewallAssociation": {
            "Type": "AWS::WAFv2::WebACLAssociation",
            "Properties": {
                "WebACLArn": {"Fn::GetAtt": ["Firewall", "Arn"]},
                "ResourceArn": {"Fn::Sub": [STAGE_ARN, {"Name": stage}]},
            },
        },
        "UsagePlan": {
            "Type": "AWS::ApiGateway::UsagePlan",
            "Properties": {
                **document["usage_plan"],
                "ApiStages": [{"ApiId": {"Ref": "RestAPI"}, "Stage": stage}],
            },
        },
    }


def _firewall_log(stage: Stage) -> JSONObject:
    """Return the log of the firewall. It expires early, because it may contain personal data."""
    masking = firewall.masking("${AWS::Partition}")
    arn = {"Fn::Sub": f"{LOGS}:log-group:{firewall.log_name(stage)}"}
    return {
        "FirewallLog": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": firewall.log_name(stage),
                "RetentionInDays": firewall.LOG_DAYS,
                "KmsKeyId": if_given("LogsKeyArn"),
                "DataProtectionPolicy": substituted(masking),
            },
        },
        "FirewallLogging": {
            "Type": "AWS::WAFv2::LoggingConfiguration",
            "DependsOn": "FirewallLog",
            "Properties": {
                "ResourceArn": {"Fn::GetAtt": ["Firewall", "Arn"]},
                "LogDestinationConfigs": [arn],  # GetAtt would end with `:*`, which WAF rejects
                **firewall.logging(),
            },
        },
    }
