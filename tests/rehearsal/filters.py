"""Remove from our templates what the emulator doesn't support, and report what was removed.

This module lists each removed resource type and property with the reason. If the emulator rejects
anything else, the rehearsal fails.
"""

import json
import string
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import yaml

from tests.infrastructure.cloudformation import Loader, Template

JSONObject = dict[str, Any]

UNSUPPORTED: Mapping[str, str] = {
    "AWS::CloudWatch::CompositeAlarm": "not emulated",
    "AWS::EC2::FlowLog": "not emulated",
    "AWS::Events::Archive": "not emulated",
    "AWS::EC2::SecurityGroupEgress": "not emulated",
    "AWS::EC2::SecurityGroupIngress": "not emulated",
    "AWS::Logs::QueryDefinition": "not emulated",
    "AWS::RDS::DBProxy": "not emulated",
    "AWS::RDS::DBProxyTargetGroup": "not emulated",
    "AWS::SecretsManager::RotationSchedule": "not emulated: the rehearsal runs `rotate` itself",
    "AWS::WAFv2::LoggingConfiguration": "not emulated",
    "AWS::WAFv2::WebACLAssociation": "not emulated",
    "AWS::XRay::Group": "not emulated",
    "AWS::XRay::SamplingRule": "not emulated",
}
# By resource type and property.
PROPERTIES: Mapping[tuple[str, str], str] = {
    ("AWS::Serverless::Function", "DeploymentPreference"): (
        "CodeDeploy is not emulated: the alias moves at once, without canary, alarms or hook"
    ),
}

# Resources that have the property, by type and property.
UNSUPPORTED_WITH: Mapping[tuple[str, str], str] = {
    ("AWS::CloudWatch::Alarm", "Metrics"): "not emulated with metric math",
}
# Substitutes of outputs, by name.
STAND_INS: Mapping[str, tuple[Any, str]] = {
    "MasterSecretArn": (
        {"Fn::GetAtt": ["MigrationsSecret", "Id"]},
        "the emulated RDS creates no secret for the master user; the simulated RDS does",
    ),
}

# Features that the emulator accepts but doesn't implement, and what this hides.
NOT_IMPLEMENTED: Mapping[str, str] = {
    "escapes in paths": (
        "decoded before the route is found, so an external id with a slash has no route"
    ),
    "request validators and models": (
        "the media type of a patch is unknown, so no body is rejected: tests/contract checks"
        " the models against the schemas"
    ),
    "access logs, cache, WAF, tracing": "without effect: nothing is written or rejected",
    "IAM": (
        "not enforced; so SimulatePrincipalPolicy checks each role, but doesn't notice a"
        " misspelt action"
    ),
    "RDS Proxy": (
        "with IAM, tests/rds_proxy.py checks tokens and forwards; with a password, the server"
        " itself checks the secret's. No pooling, pinning or failover, and no IAM to the database"
    ),
    "networks": "functions don't join their subnets, and no traffic is filtered",
    "the Data API": "ours, in front of MariaDB or MySQL; signatures are not checked",
    "restores": (
        "a simulated RDS checks each call against AWS's model; a backup is a copy of the database"
        " server's files, so durations, storage and encryption are not AWS's"
    ),
    "CloudFormation": "stops a failed change, but makes few of AWS's checks of properties",
}
SECRET = "AWS::SecretsManager::Secret"


class Filter:
    """Removes from templates what the emulator doesn't support, and records it."""

    def __init__(self) -> None:
        self._removed: dict[tuple[str, str], set[str]] = defaultdict(set)

        self.stand_ins: dict[str, str] = {}
        """Substitutes of outputs that only this rehearsal knows, by name."""

    @property
    def left_out(self) -> dict[str, str]:
        """The removed and replaced parts with the names of their resources, and the reasons."""
        return {
            f"{subject} ({', '.join(sorted(names))})": reason
            for (subject, reason), names in sorted(self._removed.items())
        }

    def attach(self, session: boto3.Session) -> None:
        """Filter every template that the session sends to CloudFormation or to the bucket."""
        events = session.events
        events.register("provide-client-params.cloudformation", self._in_request)
        events.register("provide-client-params.s3.PutObject", self._in_upload)

    def fit(self, template: JSONObject) -> JSONObject:
        """Return the template without unsupported parts and their dependents."""
        kinds = {name: item["Type"] for name, item in template["Resources"].items()}
        template = _with_ids(template, {name for name in kinds if kinds[name] == SECRET})
        resources = template["Resources"]
        unsupported = {
            name: reason for name, element in resources.items() if (reason := _find_reason(element))
        }
        for name, reason in unsupported.items():
            del resources[name]
            self._removed[kinds[name], reason].add(name)
        for name, resource in resources.items():
            self._fit_properties(name, resource)
            needs = _listed(resource.pop("DependsOn", []))
            resource["DependsOn"] = [need for need in needs if need not in unsupported]
        self._fit_outputs(template.get("Outputs", {}), set(unsupported))
        return template

    def _fit_properties(self, resource_name: str, resource: JSONObject) -> None:
        properties = resource.get("Properties", {})
        for (kind, name), reason in PROPERTIES.items():
            if resource["Type"] == kind and properties.pop(name, None):
                self._removed[f"{kind} {name}", reason].add(resource_name)
        if resource["Type"] == SECRET:
            properties["GenerateSecretString"]["ExcludeCharacters"] = string.punctuation
            reason = "not supported; ExcludeCharacters replaces it"
            self._removed[f"{SECRET} ExcludePunctuation", reason].add(resource_name)

    def _fit_outputs(self, outputs: JSONObject, unsupported: set[str]) -> None:
        for name, (value, reason) in STAND_INS.items():
            if name in outputs:
                outputs[name]["Value"] = value
                self._removed["outputs", reason].add(name)
        for name in self.stand_ins.keys() & outputs.keys():
            outputs[name]["Value"] = self.stand_ins[name]
            self._removed["outputs", "of RDS Proxy, for which a stand-in listens"].add(name)
        for name in [
            output for output, value in outputs.items() if unsupported & set(_mentioned(value))
        ]:
            del outputs[name]
            self._removed["outputs", "of removed resources"].add(name)

    # boto3 passes the call's arguments to both handlers, which change them.

    def _in_request(self, params: JSONObject, **_: object) -> None:
        if body := params.get("TemplateBody"):
            given = [each for each in params.get("Parameters", []) if "ParameterValue" in each]
            values = {each["ParameterKey"]: each["ParameterValue"] for each in given}
            params["TemplateBody"] = self._text(body, values)

    def _in_upload(self, params: JSONObject, **_: object) -> None:
        if params["Key"].endswith(".json"):
            params["Body"] = self._text(params["Body"].decode()).encode()

    def _text(self, body: str, values: Mapping[str, Any] | None = None) -> str:
        template = yaml.load(body, Loader)  # noqa: S506 (is safe)
        if values:
            template = _decided(template, values)
        return json.dumps(self.fit(template), separators=(",", ":"))


def _decided(template: JSONObject, values: Mapping[str, Any]) -> JSONObject:
    """Return the template with the results of its conditions instead of the conditions.

    Otherwise the emulator finds no change if a parameter changes only a condition.
    """
    evaluated = Template.of(template, values)
    parts = {
        part: {
            name: _without_conditions(item, evaluated)
            for name, item in template.get(part, {}).items()
            if evaluated.holds(item.get("Condition"))
        }
        for part in ("Resources", "Outputs")
    }
    for items in parts.values():
        for item in items.values():
            item.pop("Condition", None)
    return {**template, **parts}


def _without_conditions(value: Any, evaluated: Template) -> Any:
    if isinstance(value, list):
        return [_without_conditions(item, evaluated) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        condition, this, that = value["Fn::If"]
        return _without_conditions(this if evaluated.holds(condition) else that, evaluated)
    return {name: _without_conditions(item, evaluated) for name, item in value.items()}


def _with_ids(value: Any, secrets: set[str]) -> Any:
    """Replace each Ref to a secret by its ARN; in the emulator, a Ref returns the name."""
    if isinstance(value, list):
        return [_with_ids(item, secrets) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("Ref") in secrets:
        return {"Fn::GetAtt": [value["Ref"], "Id"]}
    return {name: _with_ids(element, secrets) for name, element in value.items()}


def _find_reason(resource: JSONObject) -> str | None:
    """Return why the emulator doesn't support a resource, or None."""
    kind = resource["Type"]
    having = (UNSUPPORTED_WITH.get((kind, name)) for name in resource.get("Properties", {}))
    return UNSUPPORTED.get(kind) or next(filter(None, having), None)


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _mentioned(value: Any) -> Iterator[str]:
    """Yield the strings in a value, each of which may be a resource's name."""
    if isinstance(value, dict):
        yield from _mentioned(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _mentioned(item)
    else:
        yield str(value).partition(".")[0]
