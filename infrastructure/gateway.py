"""What API Gateway is told beyond Chalice's routes: one document for both ways of deploying.

`document` is generated from the schemas, the OpenAPI document and the table of the operations. The
template takes it in (`infrastructure/template.py`), and `apply` puts it onto an API that `chalice
deploy` has made. Its parts are properties of CloudFormation, which are also those of AWS's APIs.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
         https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
"""

import json
from collections.abc import Mapping
from typing import Any

import app
import openapi
from chalicelib.http.fields import MAX_DECOMPOSITION
from chalicelib.http.routing import Operation
from infrastructure import firewall, gateway_responses
from infrastructure.stages import Stage
from openapi.operations import DESCRIPTIONS

JSONSchema = dict[str, Any]

TIMEOUT_MS = 29_000  # the gateway's; Lambda ends before, and a statement before that
COMPRESSED_BYTES = 1_024  # and more are compressed
UTF_16 = 2  # units of a character at most: AWS does not say which of the two it counts

# Of the stage's rate, what one operation may take at most; all others may take all of it.
SHARES: Mapping[str, float] = {
    "create_customer": 0.5,
    "create_customers": 0.02,  # a hundred customers each
    "replace_customer": 0.5,
    "patch_customer": 0.5,
    "delete_customer": 0.5,
    "restore_customer": 0.1,
    "erase_customer": 0.1,
    "get_health": 0.1,
    "get_openapi": 0.1,
    "get_problems": 0.1,
}
OF_A_KEY = 0.1  # of the stage's rate, what one API key may take

# Neither address nor caller, and no path or query as they were sent: those may be personal.
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

# What a model keeps of a schema: rules that the app's text, which is trimmed first, can't break.
KEPT = ("required", "minItems", "maxItems", "maxProperties", "minLength")


def document(stage: Stage) -> dict[str, Any]:
    """Return all of it.

    models: JSON Schemas (draft 4, without references) by name;
    bodies: by path and method, the name of the model for each media type;
    cache_keys: by path and method, what an answer in the cache would depend on;
    settings: AWS::ApiGateway::Stage's MethodSettings; access_log: its Format;
    responses: properties of AWS::ApiGateway::GatewayResponse, but for the API;
    usage_plan and firewall: properties of AWS::ApiGateway::UsagePlan, without stages, and of
    AWS::WAFv2::WebACL;
    minimum_compression_size in bytes, endpoint_type, tracing, cache_cluster, timeout_ms: as named.
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
        "minimum_compression_size": COMPRESSED_BYTES,
        "endpoint_type": "REGIONAL",
        "tracing": True,
        # What is public is kept by clients, and depends on Origin; the rest must not be stale.
        "cache_cluster": False,
        "timeout_ms": TIMEOUT_MS,
    }


def models() -> dict[str, JSONSchema]:
    """Return the models of bodies: what they refuse the app refuses, and it refuses more.

    What a model refuses is answered without a word on what is wrong, so it only has rules that
    no honest client breaks; all others are the app's, which answers with pointers.
    """
    components = openapi.document()["components"]["schemas"]
    names = {each.body.schema for each in DESCRIPTIONS.values() if each.body}
    return {name: _model(components[name], components) for name in sorted(names)}


def bodies() -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for operation, method in _methods():
        if body := DESCRIPTIONS[operation.name].body:
            taken = dict.fromkeys(body.media_types, body.schema)
            found.setdefault(operation.path, {})[method] = taken
    return found


def cache_keys() -> dict[str, dict[str, list[str]]]:
    """Return them for what a caller reads: were there a cache, nobody would get another's."""
    found: dict[str, dict[str, list[str]]] = {}
    for operation, method in _methods():
        if method == "GET" and operation.scope:
            keys = ["method.request.header.Authorization"]
            found.setdefault(operation.path, {})[method] = keys
    return found


def settings(stage: Stage) -> list[dict[str, Any]]:
    """Return the settings of all methods, then of each that may take only a share of the rate."""
    every = {
        "MetricsEnabled": True,
        # The gateway's own log of errors may quote a body that does not fit its model.
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
            | _throttle(stage, SHARES[operation.name])
            for operation, method in _methods()
            if operation.name in SHARES
        ),
    ]


def usage_plan(stage: Stage) -> dict[str, Any]:
    """Return the plan of whoever gets an API key; a quota is for a day."""
    rate = stage.rate * OF_A_KEY
    return {
        "UsagePlanName": f"customers-{stage.name}",
        "Description": "For API keys, which no operation asks for: they tell callers apart.",
        "Throttle": {"RateLimit": rate, "BurstLimit": int(stage.burst * OF_A_KEY)},
        "Quota": {"Limit": int(rate * 86_400), "Period": "DAY"},
    }


def _methods() -> list[tuple[Operation, str]]:
    return [(each, method) for each in app.operation.table.values() for method in each.methods]


def _encoded(path: str) -> str:
    """Return the path as settings of methods name it."""
    return "/" + path.replace("/", "~1")


def _throttle(stage: Stage, share: float) -> dict[str, Any]:
    rate, burst = stage.rate * share, max(1, int(stage.burst * share))
    return {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}


def _model(schema: JSONSchema, components: Mapping[str, JSONSchema]) -> JSONSchema:
    """Return a schema of OpenAPI 3.1 as a model of API Gateway, which takes a part of draft 4.

    Of what may be null there is no type: an import loses null, and would refuse it. Patterns,
    formats and choices are of trimmed text. Members that the service sets may be anything.
    """
    if "$ref" in schema:
        return _model(components[schema["$ref"].rpartition("/")[2]], components)
    if schema.get("readOnly"):
        return {}
    model: JSONSchema = {name: schema[name] for name in KEPT if name in schema}
    if isinstance(schema.get("type"), str):
        model["type"] = schema["type"]
    if "maxLength" in schema:
        model["maxLength"] = schema["maxLength"] * MAX_DECOMPOSITION * UTF_16
    if "properties" in schema:
        members = schema["properties"].items()
        model["properties"] = {name: _model(each, components) for name, each in members}
    if "items" in schema:
        model["items"] = _model(schema["items"], components)
    return model | _others(schema, components)


def _others(schema: JSONSchema, components: Mapping[str, JSONSchema]) -> JSONSchema:
    """Return the rule for members that a schema does not name."""
    rule = schema.get("additionalProperties")
    if rule is None:
        return {}
    return {"additionalProperties": rule and _model(rule, components)}
