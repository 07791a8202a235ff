"""The pipeline may create the domain of its stage, and touch no other domain, record or object."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infrastructure.stages import ROOT
from tests.infrastructure import rules
from tests.infrastructure.cloudformation import ACCOUNT, REGION, Template
from tests.infrastructure.pipeline import of_stage
from tests.infrastructure.test_pipeline import BIGGEST_POLICY

PATH = ROOT / "infrastructure" / "domain-rights.yaml"
VALUES = {
    "Stage": "prod",
    "DomainName": "api.example.com",
    "HostedZoneId": "Z1ABC",
    "Truststore": "trust/clients.pem",
}
TEMPLATE = Template(PATH, VALUES)
POLICIES = TEMPLATE.of_type("AWS::IAM::ManagedPolicy")

GATEWAY = f"apigateway:{REGION}::/domainnames"
ACM = f"acm:{REGION}:{ACCOUNT}:certificate/1"
ZONE = "route53:::hostedzone/"


def test_template_violates_no_rule() -> None:
    assert TEMPLATE.refusals() == []
    assert rules.all_of(TEMPLATE) == []
    for policy in POLICIES.values():
        assert len(json.dumps(policy["PolicyDocument"])) <= BIGGEST_POLICY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DomainName", "*.example.com"),
        ("DomainName", ""),
        ("HostedZoneId", "*"),
        ("Truststore", "trust/*"),
        ("Truststore", "*/clients.pem"),
        ("Stage", "*"),
    ],
)
def test_parameters_widen_no_permission(name: str, value: str) -> None:
    assert Template(PATH, VALUES | {name: value}).refusals() == [name]


def test_policies_extend_roles_of_the_pipeline() -> None:
    made = of_stage("prod").of_type("AWS::IAM::Role").values()
    named = {role["RoleName"] for role in made}
    roles = {name: policy["Roles"] for name, policy in POLICIES.items()}

    assert roles == {
        "CreateDomain": ["customers-pipeline-execution-prod"],
        "CheckDomain": ["customers-pipeline-deploy-prod"],
    }
    assert {role for each in roles.values() for role in each} <= named


@pytest.mark.parametrize(
    ("policy", "action", "resource", "expected"),
    [
        ("CreateDomain", "apigateway:POST", GATEWAY, True),
        ("CreateDomain", "apigateway:PATCH", f"{GATEWAY}/api.example.com", True),
        ("CreateDomain", "apigateway:PATCH", f"{GATEWAY}/other.example.com", False),
        ("CreateDomain", "apigateway:POST", f"{GATEWAY}/api.example.com/basepathmappings", True),
        ("CreateDomain", "apigateway:POST", f"{GATEWAY}/a.api.example.com/basepathmappings", False),
        ("CreateDomain", "apigateway:DELETE", f"apigateway:{REGION}::/account", False),
        ("CreateDomain", "apigateway:AddCertificateToDomain", f"{GATEWAY}/api.example.com", True),
        ("CreateDomain", "acm:RequestCertificate", "*", True),
        ("CreateDomain", "acm:DeleteCertificate", ACM, True),
        ("CreateDomain", "acm:ExportCertificate", ACM, False),
        ("CreateDomain", "acm:ImportCertificate", ACM, False),
        ("CreateDomain", "route53:ChangeResourceRecordSets", f"{ZONE}Z1ABC", True),
        ("CreateDomain", "route53:ChangeResourceRecordSets", f"{ZONE}Z2XYZ", False),
        ("CreateDomain", "route53:DeleteHostedZone", f"{ZONE}Z1ABC", False),
        ("CreateDomain", "route53:GetChange", "route53:::change/C1", True),
        ("CreateDomain", "s3:GetObjectVersion", "s3:::trust/clients.pem", True),
        ("CreateDomain", "s3:GetObject", "s3:::trust/others.pem", False),
        ("CreateDomain", "s3:PutObject", "s3:::trust/clients.pem", False),
        ("CheckDomain", "apigateway:GET", f"{GATEWAY}/api.example.com", True),
        ("CheckDomain", "apigateway:PATCH", f"{GATEWAY}/api.example.com", False),
        ("CheckDomain", "apigateway:GET", f"{GATEWAY}/other.example.com", False),
        ("CheckDomain", "acm:DescribeCertificate", ACM, True),
        ("CheckDomain", "acm:DeleteCertificate", ACM, False),
        ("CheckDomain", "route53:GetHostedZone", f"{ZONE}Z1ABC", True),
        ("CheckDomain", "route53:ChangeResourceRecordSets", f"{ZONE}Z1ABC", False),
        ("CheckDomain", "s3:GetObjectVersion", "s3:::trust/clients.pem", True),
    ],
)
def test_permissions(policy: str, action: str, resource: str, *, expected: bool) -> None:
    arn = resource if resource == "*" else f"arn:aws:{resource}"
    assert _may(policy, action, arn) is expected


def test_records_of_other_names_are_out_of_reach() -> None:
    """One zone may have the records of many services."""
    (condition,) = [
        statement["Condition"]["ForAllValues:StringLike"]
        for statement in POLICIES["CreateDomain"]["PolicyDocument"]["Statement"]
        if statement["Sid"] == "ChangeRecords"
    ]
    (patterns,) = condition.values()

    for name in ("api.example.com", "_1a2b.api.example.com"):
        assert any(fnmatchcase(name, pattern) for pattern in patterns)
    for name in ("example.com", "www.example.com", "_1a2b.example.com"):
        assert not any(fnmatchcase(name, pattern) for pattern in patterns)


def test_certificates_of_other_names_can_not_be_requested() -> None:
    (condition,) = [
        statement["Condition"]
        for statement in POLICIES["CreateDomain"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "acm:RequestCertificate"
    ]
    assert condition == {
        "ForAllValues:StringEquals": {"acm:DomainNames": "api.example.com"},
        "Null": {"acm:DomainNames": "false"},  # ForAllValues is true for a request without names
    }


def test_domain_without_zone_and_truststore_gives_no_access_to_any() -> None:
    bare = Template(PATH, {"Stage": "prod", "DomainName": "api.example.com"})
    text = json.dumps(bare.of_type("AWS::IAM::ManagedPolicy"))

    assert bare.refusals() == []
    assert "hostedzone/none" in text
    assert '"arn:aws:s3:::none"' in text


def _may(policy: str, action: str, arn: str) -> bool:
    return any(
        any(fnmatchcase(action, item) for item in _listed(statement["Action"]))
        and any(fnmatchcase(arn, item) for item in _listed(statement["Resource"]))
        for statement in POLICIES[policy]["PolicyDocument"]["Statement"]
    )


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
