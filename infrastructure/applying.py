"""Apply the gateway document to an API that `chalice deploy` created, through API Gateway's API.

`chalice deploy` overwrites the API, so apply the document after each deployment. Only differences
are changed and reported. The document is `infrastructure.gateway.document`.

Source: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from infrastructure.failures import Failure, code_of

VALIDATOR = "body"
# By names of AWS::ApiGateway::Stage's MethodSettings: the patch's path, and the setting's name.
SETTINGS = {
    "CacheDataEncrypted": ("caching/dataEncrypted", "cacheDataEncrypted"),
    "CachingEnabled": ("caching/enabled", "cachingEnabled"),
    "DataTraceEnabled": ("logging/dataTrace", "dataTraceEnabled"),
    "LoggingLevel": ("logging/loglevel", "loggingLevel"),
    "MetricsEnabled": ("metrics/enabled", "metricsEnabled"),
    "ThrottlingBurstLimit": ("throttling/burstLimit", "throttlingBurstLimit"),
    "ThrottlingRateLimit": ("throttling/rateLimit", "throttlingRateLimit"),
}
MAX_OPERATIONS = 20  # per patch
WITHOUT_PATH = "(none)"  # AWS's name of an empty base path

Say = Callable[[str], None]
Document = Mapping[str, Any]


def apply(gateway: "Gateway", stage: str, document: Document, access_log: str | None) -> bool:
    """Update an API and its stage to match the document. Returns whether anything changed.

    `access_log` is the ARN of the access log's group, if there is one. Raises Failure if the API or
    the stage does not exist, ClientError.
    """
    domain = document["domain"]
    is_set = [  # before the default address is off
        gateway.map_domain(domain["DomainName"], domain.get("BasePath"), stage) if domain else False
    ]
    is_new = [
        gateway.add_models(document["models"]),
        gateway.add_bodies(document["bodies"]),
        gateway.add_responses(document["responses"]),
        gateway.set_default_address(is_off=bool(domain)),
    ]
    if any(is_new):  # the stage serves the last deployed state
        gateway.deploy(stage)
    is_set.append(gateway.set_stage(stage, document, access_log))
    if not any(is_new + is_set):
        gateway.say("nothing to change")
    return any(is_new + is_set)


class Gateway:
    """A REST API. Each method reports its changes to `say`, and returns whether there were any."""

    def __init__(self, client: Any, api: str, say: Say) -> None:
        self._client = client
        self._api = {"restApiId": api}
        self.say = say

    def deploy(self, stage: str) -> None:
        self._client.create_deployment(
            **self._api, stageName=stage, description="the gateway document"
        )
        self.say(f"stage {stage}: redeployed")

    def add_models(self, models: Mapping[str, Any]) -> bool:
        current = {model["name"]: model.get("schema") for model in self._all("get_models")}
        changes = 0
        for name, schema in models.items():
            if name not in current:
                self._client.create_model(
                    **self._api,
                    name=name,
                    contentType="application/json",
                    schema=json.dumps(schema),
                )
            elif json.loads(current[name] or "null") != schema:
                patch = [{"op": "replace", "path": "/schema", "value": json.dumps(schema)}]
                self._client.update_model(**self._api, modelName=name, patchOperations=patch)
            else:
                continue
            self.say(f"model {name}")
            changes += 1
        return bool(changes)

    def add_bodies(self, bodies: Mapping[str, Mapping[str, Mapping[str, str]]]) -> bool:
        """Validate each method's body by the model of its media type. Raises Failure."""
        resources = {resource["path"]: resource["id"] for resource in self._all("get_resources")}
        validator = self._validator()
        changes = 0
        for path, methods in bodies.items():
            if path not in resources:
                raise Failure(
                    f"The API has no path {path}: it is older than this working copy. Run `chalice"
                    " deploy` first."
                )
            for method, models in methods.items():
                target = {"resourceId": resources[path], "httpMethod": method}
                if patch := list(self._body_patch(target, validator, models)):
                    self._client.update_method(**self._api, **target, patchOperations=patch)
                    self.say(
                        f"{method} {path}: bodies are {', '.join(sorted(set(models.values())))}"
                    )
                    changes += 1
        return bool(changes)

    def add_responses(self, responses: list[Mapping[str, Any]]) -> bool:
        changes = 0
        for expected in responses:
            kind = expected["ResponseType"]
            arguments = {
                "statusCode": expected["StatusCode"],
                "responseParameters": expected["ResponseParameters"],
                "responseTemplates": expected["ResponseTemplates"],
            }
            current = self._response(kind)
            if {name: current.get(name) for name in arguments} != arguments:
                self._client.put_gateway_response(**self._api, responseType=kind, **arguments)
                self.say(f"gateway response {kind}")
                changes += 1
        return bool(changes)

    def set_default_address(self, *, is_off: bool) -> bool:
        if self._client.get_rest_api(**self._api).get("disableExecuteApiEndpoint", False) == is_off:
            return False
        path = "/disableExecuteApiEndpoint"
        patch = [{"op": "replace", "path": path, "value": _text(is_off)}]
        self._client.update_rest_api(**self._api, patchOperations=patch)
        self.say(f"the default address is {'off' if is_off else 'on'}")
        return True

    def map_domain(self, domain: str, base_path: str | None, stage: str) -> bool:
        """Map a domain and a base path to the stage, which must exist.

        Raises Failure if the domain does not exist, or is mapped elsewhere.
        """
        path = base_path or WITHOUT_PATH
        wanted = {**self._api, "stage": stage}
        if current := self._mappings(domain).get(path):
            if {name: current.get(name) for name in wanted} == wanted:
                return False
            raise Failure(
                f"{domain} ({path}) belongs to the stage {current.get('stage')} of the API"
                f" {current['restApiId']}: delete that mapping, or use another base path."
            )
        self._client.create_base_path_mapping(domainName=domain, basePath=path, **wanted)
        self.say(f"{domain} ({path}): mapped")
        return True

    def _mappings(self, domain: str) -> dict[str, dict[str, Any]]:
        """Return the domain's mappings by base path. Raises Failure if there is no such domain."""
        pages = self._client.get_paginator("get_base_path_mappings").paginate(domainName=domain)
        try:
            return {each["basePath"]: each for page in pages for each in page.get("items", [])}
        except ClientError as error:
            if code_of(error) != "NotFoundException":
                raise
            raise Failure(
                f"API Gateway has no domain {domain}: run `provision` for this stage first."
            ) from None

    def set_stage(self, name: str, document: Document, access_log: str | None) -> bool:
        """Apply the stage's settings: throttling, caching, metrics, logs, tracing.

        Raises Failure.
        """
        try:
            stage = self._client.get_stage(**self._api, stageName=name)
        except ClientError as error:
            if code_of(error) != "NotFoundException":
                raise
            raise Failure(f"The API has no stage {name}: run `chalice deploy` first.") from None
        patch = [*_stage_patch(stage, document, access_log), *_settings_patch(stage, document)]
        for start in range(0, len(patch), MAX_OPERATIONS):
            part = patch[start : start + MAX_OPERATIONS]
            self._client.update_stage(**self._api, stageName=name, patchOperations=part)
        for operation in patch:
            self.say(f"stage {name}: {operation['path']} {operation['value']}")
        return bool(patch)

    def _validator(self) -> str:
        for validator in self._all("get_request_validators"):
            if validator["name"] == VALIDATOR:
                return str(validator["id"])
        created = self._client.create_request_validator(
            **self._api, name=VALIDATOR, validateRequestBody=True, validateRequestParameters=False
        )
        return str(created["id"])

    def _body_patch(
        self, target: Mapping[str, str], validator: str, models: Mapping[str, str]
    ) -> Iterator[dict[str, str]]:
        current = self._client.get_method(**self._api, **target)
        if current.get("requestValidatorId") != validator:
            yield {"op": "replace", "path": "/requestValidatorId", "value": validator}
        for media_type, model in models.items():
            if current.get("requestModels", {}).get(media_type) != model:
                path = f"/requestModels/{media_type.replace('/', '~1')}"
                yield {"op": "add", "path": path, "value": model}

    def _response(self, kind: str) -> dict[str, Any]:
        """Return the API's own gateway response. AWS has a default for each type."""
        try:
            return dict(self._client.get_gateway_response(**self._api, responseType=kind))
        except ClientError as error:
            if code_of(error) != "NotFoundException":
                raise
            return {}

    def _all(self, operation: str) -> Iterator[dict[str, Any]]:
        for page in self._client.get_paginator(operation).paginate(**self._api):
            yield from page["items"]


def _stage_patch(
    stage: Mapping[str, Any], document: Document, access_log: str | None
) -> Iterator[dict[str, str]]:
    targets: dict[str, tuple[Any, Any]] = {
        "/tracingEnabled": (stage.get("tracingEnabled", False), document["tracing"]),
        "/cacheClusterEnabled": (
            stage.get("cacheClusterEnabled", False),
            document["cache_cluster"],
        ),
    }
    if access_log:
        current = stage.get("accessLogSettings", {})
        targets["/accessLogSettings/destinationArn"] = (current.get("destinationArn"), access_log)
        targets["/accessLogSettings/format"] = (current.get("format"), document["access_log"])
    for path, (old, new) in targets.items():
        if old != new:
            yield {"op": "replace", "path": path, "value": _text(new)}


def _settings_patch(stage: Mapping[str, Any], document: Document) -> Iterator[dict[str, str]]:
    current = stage.get("methodSettings", {})
    for settings in document["settings"]:
        method_path = f"{settings['ResourcePath']}/{settings['HttpMethod']}"
        key = method_path.removeprefix("/")
        # AWS returns the path in either form
        previous = current.get(key) or current.get(key.replace("~1", "/").removeprefix("/")) or {}
        for name, (path, setting) in SETTINGS.items():
            if name in settings and previous.get(setting) != settings[name]:
                yield {
                    "op": "replace",
                    "path": f"{method_path}/{path}",
                    "value": _text(settings[name]),
                }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
