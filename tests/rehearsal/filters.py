"""What of our templates the emulator does not take: left out before it sees them, and told.

Each resource type and property that is left out is named here with the reason; what the emulator
refuses besides fails the rehearsal.
"""

import json
import string
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import yaml

from tests.infrastructure.cloudformation import Loader

JSONObject = dict[str, Any]

REFUSED: Mapping[str, str] = {
    "AWS::CloudWatch::CompositeAlarm": "not emulated",
    "AWS::EC2::FlowLog": "not emulated",
    "AWS::EC2::SecurityGroupEgress": "not emulated",
    "AWS::EC2::SecurityGroupIngress": "not emulated",
    "AWS::Logs::QueryDefinition": "not emulated",
    "AWS::RDS::DBProxy": "not emulated",
    "AWS::RDS::DBProxyTargetGroup": "not emulated",
    "AWS::WAFv2::WebACLAssociation": "not emulated",
    "AWS::XRay::Group": "not emulated",
    "AWS::XRay::SamplingRule": "not emulated",
}
# By type and property
PROPERTIES: Mapping[tuple[str, str], str] = {
    ("AWS::Serverless::Function", "DeploymentPreference"): (
        "CodeDeploy is not emulated: the alias moves at once, without canary, alarms or hook"
    ),
}

# Resources that have the property, by type and property.
REFUSED_WITH: Mapping[tuple[str, str], str] = {
    ("AWS::CloudWatch::Alarm", "Metrics"): "not emulated with metric math",
}
# By the name of an output: what stands for it.
STAND_INS: Mapping[str, tuple[Any, str]] = {
    "MasterSecretArn": (
        {"Fn::GetAtt": ["MigrationsSecret", "Id"]},
        "RDS makes no secret for the master user; that of the migrations stands for it",
    ),
}

# What is taken and not done, and what that hides.
NOT_DONE: Mapping[str, str] = {
    "request validators and models": (
        "a patch's media type is not understood, so no body is refused: tests/contract holds"
        " the models to the schemas"
    ),
    "access logs, cache, WAF, tracing": "taken and without effect: nothing is written or refused",
    "IAM": (
        "a function may call what its role may not; so each role is asked by"
        " SimulatePrincipalPolicy, where a misspelt action is not noticed"
    ),
    "the Data API": "ours, over MariaDB; one user runs all statements, signatures are not checked",
    "CloudFormation": "stops a failed change, but knows few of AWS's checks of properties",
}
SECRET = "AWS::SecretsManager::Secret"


class Filter:
    """Leaves out of templates what the emulator does not take, and remembers what it was."""

    def __init__(self) -> None:
        self._met: dict[tuple[str, str], set[str]] = defaultdict(set)

    @property
    def left_out(self) -> dict[str, str]:
        """What was left out or replaced, with the names of whose it was, and the reason."""
        return {
            f"{what} ({', '.join(sorted(names))})": reason
            for (what, reason), names in sorted(self._met.items())
        }

    def attach(self, session: boto3.Session) -> None:
        """Have every template pass through, on its way to CloudFormation or to the bucket."""
        events = session.events
        events.register("provide-client-params.cloudformation", self._in_request)
        events.register("provide-client-params.s3.PutObject", self._in_upload)

    def fit(self, template: JSONObject) -> JSONObject:
        """Return the template without what is refused, and without what depends on that."""
        kinds = {name: item["Type"] for name, item in template["Resources"].items()}
        template = _with_ids(template, {name for name in kinds if kinds[name] == SECRET})
        resources = template["Resources"]
        gone = {
            name: reason for name, element in resources.items() if (reason := _refusal(element))
        }
        for name, reason in gone.items():
            del resources[name]
            self._met[kinds[name], reason].add(name)
        for name, resource in resources.items():
            self._fit_properties(name, resource)
            needs = _listed(resource.pop("DependsOn", []))
            resource["DependsOn"] = [need for need in needs if need not in gone]
        self._fit_outputs(template.get("Outputs", {}), set(gone))
        return template

    def _fit_properties(self, resource_name: str, resource: JSONObject) -> None:
        properties = resource.get("Properties", {})
        for (kind, name), reason in PROPERTIES.items():
            if resource["Type"] == kind and properties.pop(name, None):
                self._met[f"{kind} {name}", reason].add(resource_name)
        if resource["Type"] == SECRET:
            properties["GenerateSecretString"]["ExcludeCharacters"] = string.punctuation
            reason = "not known; ExcludeCharacters does it instead"
            self._met[f"{SECRET} ExcludePunctuation", reason].add(resource_name)

    def _fit_outputs(self, outputs: JSONObject, gone: set[str]) -> None:
        for name, (value, reason) in STAND_INS.items():
            if name in outputs:
                outputs[name]["Value"] = value
                self._met["outputs", reason].add(name)
        for name in [output for output, value in outputs.items() if gone & set(_mentioned(value))]:
            del outputs[name]
            self._met["outputs", "of what is left out"].add(name)

    # Both are told of the call's own arguments, to change them.

    def _in_request(self, params: JSONObject, **_: object) -> None:
        if body := params.get("TemplateBody"):
            params["TemplateBody"] = self._text(body)

    def _in_upload(self, params: JSONObject, **_: object) -> None:
        if params["Key"].endswith(".json"):
            params["Body"] = self._text(params["Body"].decode()).encode()

    def _text(self, body: str) -> str:
        return json.dumps(self.fit(yaml.load(body, Loader)), separators=(",", ":"))  # noqa: S506


def _with_ids(value: Any, secrets: set[str]) -> Any:
    """Return the value with the ARN of a secret instead of a Ref to it, which gives its name."""
    if isinstance(value, list):
        return [_with_ids(item, secrets) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("Ref") in secrets:
        return {"Fn::GetAtt": [value["Ref"], "Id"]}
    return {name: _with_ids(element, secrets) for name, element in value.items()}


def _refusal(resource: JSONObject) -> str | None:
    """Return why the emulator does not take a resource; None if it does."""
    kind = resource["Type"]
    having = (REFUSED_WITH.get((kind, name)) for name in resource.get("Properties", {}))
    return REFUSED.get(kind) or next(filter(None, having), None)


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _mentioned(value: Any) -> Iterator[str]:
    """Return the texts of a value, each of which may be a resource's name."""
    if isinstance(value, dict):
        yield from _mentioned(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _mentioned(item)
    else:
        yield str(value).partition(".")[0]
