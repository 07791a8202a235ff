"""Rules for templates beyond those of cfn-lint and checkov.

Each rule returns the faults it finds, as text.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from infrastructure.policies import INTERFACES
from tests.infrastructure.cloudformation import VARIABLE, Template

EVERYWHERE = {"0.0.0.0/0", "::/0"}
# Actions of services without names or tags, so their policies need "*" as the resource.
UNNAMED = {
    "cloudformation:GetTemplateSummary",
    "cloudwatch:DescribeAlarms",
    "secretsmanager:GetRandomPassword",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
STATEFUL = {
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}


def all_of(template: Template) -> list[str]:
    """Return the faults that all rules find."""
    rules = (open_to_everybody, may_do_everything, undecided, circles)
    return [fault for rule in rules for fault in rule(template)]


def open_to_everybody(template: Template) -> list[str]:
    """Security groups that allow all incoming or all outgoing traffic."""
    return [
        f"{name} is open to {rule.get('CidrIp') or rule.get('CidrIpv6')}"
        for name, rule in _security_rules(template)
        if EVERYWHERE & {rule.get("CidrIp"), rule.get("CidrIpv6")}
    ]


def _security_rules(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, group in template.of_type("AWS::EC2::SecurityGroup").items():
        # AWS adds a rule that allows all outgoing traffic to a group without one
        out = group.get("SecurityGroupEgress", [{"CidrIp": "0.0.0.0/0"}])
        for rule in [*group.get("SecurityGroupIngress", []), *out]:
            yield name, rule
    for direction in ("Ingress", "Egress"):
        yield from template.of_type(f"AWS::EC2::SecurityGroup{direction}").items()


def may_do_everything(template: Template) -> list[str]:
    """Statements of roles and policies that allow a whole service, or any resource."""
    return [
        f"{name} allows {action} on {statement['Resource']}"
        for name, statement in statements(template)
        for action in _listed(statement["Action"])
        if action == "*" or action.endswith(":*") or _is_anywhere(action, statement)
    ]


def _is_anywhere(action: str, statement: Mapping[str, Any]) -> bool:
    if "*" not in _listed(statement["Resource"]) or "Condition" in statement:
        return False
    reads = ("Describe", "Get", "List")
    verb = action.partition(":")[2]
    # Lambda creates network interfaces without names
    return action not in UNNAMED and not verb.startswith(reads) and action not in INTERFACES


def statements(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the allowed statements of roles, with the name of the resource."""
    for name, policy in template.of_type("AWS::IAM::ManagedPolicy").items():
        yield from _allowed(name, policy["PolicyDocument"])
    for name, role in template.of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            yield from _allowed(name, policy["PolicyDocument"])


def _allowed(name: str, document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow":
            yield name, statement


def undecided(template: Template) -> list[str]:
    """Stateful resources without an explicit deletion policy."""
    return [
        f"{name} has no {policy}"
        for name, resource in template.resources.items()
        for policy in ("DeletionPolicy", "UpdateReplacePolicy")
        if resource["Type"] in STATEFUL and policy not in resource
    ]


def circles(template: Template) -> list[str]:
    """Resources that depend on each other in a cycle."""
    needed = {name: _named(resource) for name, resource in template.document["Resources"].items()}
    needed = {name: names & needed.keys() for name, names in needed.items()}
    while done := {name for name, names in needed.items() if not names}:
        needed = {name: names - done for name, names in needed.items() if name not in done}
    return [f"{name} needs {', '.join(sorted(names))}" for name, names in needed.items()]


def _named(value: Any) -> set[str]:
    """Return the names that a part of a template refers to."""
    if isinstance(value, list):
        return {name for item in value for name in _named(item)}
    if not isinstance(value, dict):
        return set()
    found = {item for key in ("Ref", "DependsOn") for item in _listed(value.get(key, []))}
    found |= set(_listed(value.get("Fn::GetAtt", []))[:1])
    if "Fn::Sub" in value:
        text = json.dumps(value["Fn::Sub"])
        found |= {name.partition(".")[0] for name in VARIABLE.findall(text)}
    return found | {name for item in value.values() for name in _named(item)}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
