"""The database can't be reached from outside, and has no way to the internet."""

from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure import rules
from tests.infrastructure.cloudformation import Template

PATH = Path(__file__).parents[2] / "infrastructure" / "network.yaml"
VALUES = {"Stage": "prod"}
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
TEMPLATE = Template(PATH, VALUES)
PROXIED = Template(PATH, VALUES | {"Backend": "mysql", "PermissionsBoundary": BOUNDARY})
WITH_SECRET = Template(PATH, VALUES | {"Backend": "mysql_password"})

each = pytest.mark.parametrize(
    "template", [TEMPLATE, PROXIED, WITH_SECRET], ids=["Data API", "proxy", "proxy and secret"]
)
MYSQL, HTTPS = 3306, 443
WITH_PROXY = {
    ("Function", "Database", MYSQL),
    ("Database", "Database", MYSQL),
    ("Function", "Endpoint", HTTPS),
}


@each
def test_template_violates_no_rule(template: Template) -> None:
    assert rules.all_of(template) == []


@each
def test_network_has_no_internet_access(template: Template) -> None:
    kinds = {resource["Type"] for resource in template.resources.values()}

    assert not {kind for kind in kinds if "Gateway" in kind or "Route" in kind or "EIP" in kind}
    for subnet in template.of_type("AWS::EC2::Subnet").values():
        assert subnet["MapPublicIpOnLaunch"] is False


def test_subnets_are_in_two_zones_and_do_not_overlap() -> None:
    subnets = list(TEMPLATE.of_type("AWS::EC2::Subnet").values())
    (vpc,) = TEMPLATE.of_type("AWS::EC2::VPC").values()
    first, second = (IPv4Network(subnet["CidrBlock"]) for subnet in subnets)

    assert {subnet["AvailabilityZone"] for subnet in subnets} == {"eu-west-1a", "eu-west-1b"}
    assert not first.overlaps(second)
    assert first.subnet_of(IPv4Network(vpc["CidrBlock"]))
    assert second.subnet_of(IPv4Network(vpc["CidrBlock"]))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (TEMPLATE, {("Function", "Database", MYSQL)}),
        (PROXIED, WITH_PROXY),
        (WITH_SECRET, WITH_PROXY),
    ],
    ids=["Data API", "proxy", "proxy and secret"],
)
def test_security_groups_allow_only_the_needed_ways(
    template: Template, expected: set[tuple[str, str, int]]
) -> None:
    assert _ways_in(template) == _ways_out(template) == expected


def test_endpoints_are_only_those_that_functions_in_the_network_need() -> None:
    """The Data API is outside the VPC, and functions sign the tokens for RDS Proxy themselves."""
    assert not TEMPLATE.of_type("AWS::EC2::VPCEndpoint")
    assert PROXIED.of_type("AWS::EC2::VPCEndpoint").keys() == {"EventsEndpoint"}
    both = {"EventsEndpoint", "SecretsEndpoint"}
    assert WITH_SECRET.of_type("AWS::EC2::VPCEndpoint").keys() == both


@pytest.mark.parametrize(
    ("name", "service", "action", "resource"),
    [
        (
            "SecretsEndpoint",
            "secretsmanager",
            "secretsmanager:GetSecretValue",
            ":123456789012:secret:customers-prod/application-*",
        ),
        ("EventsEndpoint", "events", "events:PutEvents", ":event-bus/customers-prod"),
    ],
)
def test_endpoint_allows_only_its_purpose(
    name: str, service: str, action: str, resource: str
) -> None:
    endpoint = WITH_SECRET.of_type("AWS::EC2::VPCEndpoint")[name]
    (statement,) = endpoint["PolicyDocument"]["Statement"]

    assert endpoint["ServiceName"] == f"com.amazonaws.eu-west-1.{service}"
    assert endpoint["PrivateDnsEnabled"]
    assert len(endpoint["SubnetIds"]) == 2
    assert statement["Action"] == action
    assert statement["Resource"].endswith(resource)
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}


@each
def test_flow_log_records_all_traffic(template: Template) -> None:
    (log,) = template.of_type("AWS::EC2::FlowLog").values()
    (group,) = template.of_type("AWS::Logs::LogGroup").values()

    assert log["TrafficType"] == "ALL"
    assert log["LogGroupName"] == group["LogGroupName"] == "/customers/prod/network"
    assert group["RetentionInDays"] == 90


def test_role_has_the_permissions_boundary() -> None:
    (role,) = PROXIED.of_type("AWS::IAM::Role").values()
    assert role["PermissionsBoundary"] == BOUNDARY
    (role,) = TEMPLATE.of_type("AWS::IAM::Role").values()
    assert "PermissionsBoundary" not in role


def test_outputs_match_the_databases_parameters() -> None:
    assert TEMPLATE.document["Outputs"].keys() == {
        "VpcId",
        "PrivateSubnets",
        "FunctionSecurityGroup",
        "DatabaseSecurityGroup",
    }


EVERYBODY = {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306}


def _let_everybody_in(resources: dict[str, Any]) -> None:
    resources["DatabaseSecurityGroup"]["Properties"]["SecurityGroupIngress"] = [EVERYBODY]


def _let_everything_out(resources: dict[str, Any]) -> None:
    del resources["FunctionSecurityGroup"]["Properties"]["SecurityGroupEgress"]


def _let_everybody_in_later(resources: dict[str, Any]) -> None:
    way = {"CidrIpv6": "::/0", "IpProtocol": "-1"}
    resources["Hole"] = {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": way}


def _allow_all(resources: dict[str, Any]) -> None:
    (policy,) = resources["FlowLogRole"]["Properties"]["Policies"]
    policy["PolicyDocument"]["Statement"][0]["Action"] = ["logs:*"]


def _allow_anywhere(resources: dict[str, Any]) -> None:
    (policy,) = resources["FlowLogRole"]["Properties"]["Policies"]
    policy["PolicyDocument"]["Statement"][0]["Resource"] = "*"


def _forget_the_log(resources: dict[str, Any]) -> None:
    del resources["FlowLogs"]["DeletionPolicy"]


def _need_each_other(resources: dict[str, Any]) -> None:
    to_database = {"DestinationSecurityGroupId": {"Ref": "DatabaseSecurityGroup"}}
    resources["FunctionSecurityGroup"]["Properties"]["SecurityGroupEgress"] = [to_database]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_let_everybody_in, "DatabaseSecurityGroup is open to 0.0.0.0/0"),
        (_let_everything_out, "FunctionSecurityGroup is open to 0.0.0.0/0"),
        (_let_everybody_in_later, "Hole is open to ::/0"),
        (_allow_all, "FlowLogRole allows logs:* on "),
        (_allow_anywhere, "FlowLogRole allows logs:PutLogEvents on *"),
        (_forget_the_log, "FlowLogs has no DeletionPolicy"),
        (_need_each_other, "FunctionSecurityGroup needs DatabaseSecurityGroup"),
    ],
)
def test_rules_detect_faults(change: Callable[[dict[str, Any]], None], said: str) -> None:
    broken = Template(PATH, VALUES, lambda document: change(document["Resources"]))

    assert any(fault.startswith(said) for fault in rules.all_of(broken))


def _ways_in(template: Template) -> set[tuple[str, str, int]]:
    groups = template.of_type("AWS::EC2::SecurityGroup").items()
    ways = [
        (rule["SourceSecurityGroupId"], name, rule)
        for name, group in groups
        for rule in group.get("SecurityGroupIngress", [])
    ] + [
        (rule["SourceSecurityGroupId"], rule["GroupId"], rule)
        for rule in template.of_type("AWS::EC2::SecurityGroupIngress").values()
    ]
    return {_way(*way) for way in ways}


def _ways_out(template: Template) -> set[tuple[str, str, int]]:
    rules = template.of_type("AWS::EC2::SecurityGroupEgress").values()
    return {_way(rule["GroupId"], rule["DestinationSecurityGroupId"], rule) for rule in rules}


def _way(source: str, target: str, rule: dict[str, Any]) -> tuple[str, str, int]:
    assert rule["IpProtocol"] == "tcp"
    assert rule["FromPort"] == rule["ToPort"]
    source, target = (
        name.rpartition(":")[2].removesuffix("SecurityGroup") for name in (source, target)
    )
    return source, target, rule["ToPort"]
