"""Generate API Gateway's settings beyond Chalice's routes, for both deployment methods.

`document` is generated from the schemas, the OpenAPI document and the table of the operations.
`infrastructure/template.py` merges it into the template, and `apply` applies it to an API that
`chalice deploy` created. Its values are CloudFormation properties, which AWS's APIs share.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
         https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
"""

import json
from collections.abc import Mapping
from typing import Any

import app
from chalicelib.http.fields import MAX_DECOMPOSITION
from chalicelib.http.routing import Operation
from infrastructure import firewall, gateway_responses
from infrastructure.stages import CLIENT_SHARE, Stage
from openapi import build
from openapi.references import documentation

JSONSchema = dict[str, Any]

TIMEOUT_MS = 29_000  # longer than the timeouts of the Lambda function and of a SQL statement
UTF_16 = 2  # maximum code units per character; AWS does not say if it counts these or characters

# Omits address, caller, path and query string because these may contain personal data.
ACCESS_LOG = {
    "message": "access",
    "stage": "$context.stage",
    "request_id": "$context.requestId",
    "trace_id": "$context.xrayTraceId",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "duration_ms": "$context.responseLatency",
    "integration_ms": "$context.integration.latency",
    "integration_status": "$context.integration.status",
    "authorizer_ms": "$context.authorizer.latency",
    "authorizer_status": "$context.authorizer.status",
    "error_type": "$context.error.responseType",
    "api_key_id": "$context.identity.apiKeyId",
    "bytes": "$context.responseLength",
}

# The schema rules that models contain: input that breaks them is invalid even after trimming.
MODEL_RULES = ("required", "minItems", "maxItems", "maxProperties", "minLength")


def document(stage: Stage) -> dict[str, Any]:
    """Return all settings of a stage.

    models: JSON Schemas (draft 4, without references) by name;
    bodies: by path and method, the name of the model for each media type;
    cache_keys: by path and method, the request headers that a cached response would depend on;
    settings: AWS::ApiGateway::Stage's MethodSettings; access_log: its Format;
    responses: properties of AWS::ApiGateway::GatewayResponse, except the API;
    usage_plan and firewall: properties of AWS::ApiGateway::UsagePlan, without stages, and of
    AWS::WAFv2::WebACL;
    domain: properties of AWS::ApiGateway::BasePathMapping, without API and stage, if there is a
    domain; then the API's default address is off;
    endpoint_type, tracing, cache_cluster, timeout_ms: as named.
    """
    return {
        "models": models(),
        "bodies": bodies(),
        "cache_keys": cache_keys(),
        "settings": settings(stage),
        "access_log": json.dumps(ACCESS_LOG, separators=(",", ":")),
        "responses": [gateway_responses.properties(each) for each in gateway_responses.RESPONSES],
        "usage_plan": usage_plan(stage),
        "firewall": firewall.properties(stage),
        "domain": domain(stage),
        "endpoint_type": "REGIONAL",
        "tracing": True,
        # Clients cache public responses, which depend on Origin; other responses must be fresh.
        "cache_cluster": False,
        "timeout_ms": TIMEOUT_MS,
    }


def models() -> dict[str, JSONSchema]:
    """Return the models of request bodies. They reject only what the app rejects, too.

    If a model rejects a body, the response does not say what is wrong. Models therefore have only
    rules that no correct client breaks. The app validates the rest, and responds with pointers.
    """
    components = build.document()["components"]["schemas"]
    bodies = [documentation(operation).body for operation in app.operation.table.values()]
    named = {body.schema: body for body in bodies if body}
    found = {name: _model(components[name], components) for name in sorted(named)}
    for name, body in named.items():
        if body.are_items_separate:
            del found[name]["properties"]["items"]["items"]
    return found


def bodies() -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for operation, method in _methods():
        if schema := _body(operation):
            models = dict.fromkeys(operation.consumes, schema)
            found.setdefault(operation.path, {})[method] = models
    return found


def cache_keys() -> dict[str, dict[str, list[str]]]:
    """Return the cache keys of reads: a cache would never return another caller's response."""
    found: dict[str, dict[str, list[str]]] = {}
    for operation, method in _methods():
        if method == "GET" and operation.scope:
            keys = ["method.request.header.Authorization"]
            found.setdefault(operation.path, {})[method] = keys
    return found


def settings(stage: Stage) -> list[dict[str, Any]]:
    """Return the settings of all methods, then of methods with a share of the rate limit."""
    every = {
        "MetricsEnabled": True,
        # The gateway's execution log may quote a body that its model rejects.
        "LoggingLevel": "OFF",
        "DataTraceEnabled": False,
        "CachingEnabled": False,
        "CacheDataEncrypted": True,
    }
    return [
        {"ResourcePath": "/*", "HttpMethod": "*", **every, **_throttle(stage, 1)},
        *(
            {"ResourcePath": _encoded(operation.path), "HttpMethod": method}
            | every
            | _throttle(stage, operation.share)
            for operation, method in _methods()
            if operation.share < 1
        ),
    ]


def usage_plan(stage: Stage) -> dict[str, Any]:
    """Return the usage plan. It throttles each API key, if the stage limits callers.

    It exists in any case, so that an operator can admit all callers before the stage requires it.
    """
    rate, burst = stage.rate * CLIENT_SHARE, int(stage.burst * CLIENT_SHARE)
    return {
        "UsagePlanName": f"customers-{stage.name}",
        "Description": "Limits each caller that `admit` has admitted, if limit_by is caller",
        "Throttle": {"RateLimit": rate, "BurstLimit": burst},
    }


def domain(stage: Stage) -> dict[str, str] | None:
    """Return the domain and the base path that are mapped to the stage."""
    if not stage.domain:
        return None
    path = {"BasePath": stage.domain.base_path} if stage.domain.base_path else {}
    return {"DomainName": stage.domain.name, **path}


def _methods() -> list[tuple[Operation, str]]:
    return [(each, method) for each in app.operation.table.values() for method in each.methods]


def _body(operation: Operation) -> str | None:
    """Return the name of the request body's schema; None if there is no body."""
    body = documentation(operation).body
    return body and body.schema


def _encoded(path: str) -> str:
    """Return the path in the syntax of method settings."""
    return "/" + path.replace("/", "~1")


def _throttle(stage: Stage, share: float) -> dict[str, Any]:
    rate, burst = stage.rate * share, max(1, int(stage.burst * share))
    return {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}


def _model(schema: JSONSchema, components: Mapping[str, JSONSchema]) -> JSONSchema:
    """Convert a schema of OpenAPI 3.1 to a model of API Gateway, a subset of draft 4.

    A nullable value has no type, because an import into API Gateway drops null and would then
    reject it. Patterns, formats and choices are omitted because the app trims text before it
    checks them. Read-only fields may have any value.
    """
    if "$ref" in schema:
        return _model(components[schema["$ref"].rpartition("/")[2]], components)
    if schema.get("readOnly"):
        return {}
    model: JSONSchema = {name: schema[name] for name in MODEL_RULES if name in schema}
    if isinstance(schema.get("type"), str):
        model["type"] = schema["type"]
    if "maxLength" in schema:
        model["maxLength"] = schema["maxLength"] * MAX_DECOMPOSITION * UTF_16
    if "properties" in schema:
        properties = schema["properties"].items()
        model["properties"] = {name: _model(each, components) for name, each in properties}
    if "items" in schema:
        model["items"] = _model(schema["items"], components)
    return model | _others(schema, components)


def _others(schema: JSONSchema, components: Mapping[str, JSONSchema]) -> JSONSchema:
    """Return the rule for properties that a schema does not list."""
    rule = schema.get("additionalProperties")
    if rule is None:
        return {}
    return {"additionalProperties": rule and _model(rule, components)}
