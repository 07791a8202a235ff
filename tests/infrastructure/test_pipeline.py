"""Deployment roles have the permissions for their stage, and none for other stages."""

import json
import re
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure import commands, deployment, policies, rotating
from infrastructure.policies import Arns
from infrastructure.stages import BACKENDS
from tests.infrastructure import rules
from tests.infrastructure.cloudformation import ACCOUNT, REGION, Template
from tests.infrastructure.pipeline import EVERY_STAGE, PATH, PATH_OF_STAGE, TEMPLATE, of_stage
from tests.infrastructure.rds import Rds

ROOT = Path(__file__).parents[2]
ON_CALL = Template(ROOT / "infrastructure" / "on-call.yaml", {})
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
OF_STAGES = {stage: of_stage(stage) for stage in EVERY_STAGE}
POLICIES = {
    name: policy
    for template in (TEMPLATE, ON_CALL)
    for name, policy in template.of_type("AWS::IAM::ManagedPolicy").items()
} | {
    f"Boundary {stage}": template.of_type("AWS::IAM::ManagedPolicy")["Boundary"]
    for stage, template in OF_STAGES.items()
}
EXECUTION = ("Foundation", "Api", "Audit", "Events")
"""The policies of the role that CloudFormation uses."""
SERVICE = {"kinesisfirehose": "firehose"}
"""The names of services in actions, where types have another name."""
BIGGEST_POLICY = 6_144  # characters without white space

SECRET = "secretsmanager:{0}:secret:customers-"
TRAIL = "s3:::customers-{}-audit-trail-1a2b"
STREAM = "firehose:eu-west-1:123456789012:deliverystream/customers-{}-audit"
# Each stage with another one.
NEIGHBORS = list(zip(EVERY_STAGE, [*list(EVERY_STAGE)[1:], "dev"], strict=True))
SERVICES = "iam::{3}:role/aws-service-role/"

each_stage = pytest.mark.parametrize("stage", EVERY_STAGE)


def test_template_violates_no_rule() -> None:
    for template in (TEMPLATE, ON_CALL, *OF_STAGES.values()):
        assert template.refusals() == []
        assert rules.all_of(template) == []


@pytest.mark.parametrize("repository", ["example", "example/*", "*/*", "example/a b", "a/b/c"])
def test_repository_pattern_allows_exactly_one(repository: str) -> None:
    assert of_stage("dev", Repository=repository).refusals() == ["Repository"]


@pytest.mark.parametrize("name", ["OwnerId", "RepositoryId"])
@pytest.mark.parametrize("number", ["", "0", "*", "example", "12 "])
def test_ids_are_numbers(name: str, number: str) -> None:
    assert of_stage("dev", **{name: number}).refusals() == [name]


@each_stage
def test_roles_are_tagged_with_their_stage(stage: str) -> None:
    """All stages share the policies, so only the tag separates them."""
    for kind in ("Deploy", "Execution"):
        role = OF_STAGES[stage].of_type("AWS::IAM::Role")[kind]
        assert role["Tags"] == [{"Key": "stage", "Value": stage}]
        assert role["RoleName"] == f"customers-pipeline-{kind.lower()}-{stage}"


@each_stage
def test_roles_have_the_accounts_policies(stage: str) -> None:
    roles = OF_STAGES[stage].of_type("AWS::IAM::Role")
    names = {kind: role["ManagedPolicyArns"] for kind, role in roles.items()}
    arns = {
        name: f"arn:aws:iam::{ACCOUNT}:policy/{POLICIES[name]['ManagedPolicyName']}"
        for name in ("Deploy", *EXECUTION)
    }

    assert names == {
        "Deploy": [arns["Deploy"]],
        "Execution": [arns[name] for name in EXECUTION],
    }


@pytest.mark.parametrize(("creates", "count"), [("true", 1), ("false", 0)])
def test_identity_provider_is_created_unless_it_exists(creates: str, count: int) -> None:
    template = Template(PATH, {"CreatesGitHubProvider": creates})
    (provider,) = TEMPLATE.of_type("AWS::IAM::OIDCProvider").values()
    role = OF_STAGES["dev"].of_type("AWS::IAM::Role")["Deploy"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]

    assert len(template.of_type("AWS::IAM::OIDCProvider")) == count
    assert statement["Principal"] == {"Federated": PROVIDER}
    assert PROVIDER.endswith(provider["Url"].removeprefix("https:/"))


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_policy_is_within_the_size_limit(name: str) -> None:
    document = json.dumps(POLICIES[name]["PolicyDocument"], separators=(",", ":"))

    assert len(document) <= BIGGEST_POLICY


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("rds-data:ExecuteStatement", "rds:{0}:cluster:customers-{1}", True),
        ("rds-data:ExecuteStatement", "rds:{0}:cluster:customers-{2}", False),
        ("rds:DescribeDBClusters", "rds:{0}:cluster:customers-{1}", True),
        ("rds:ModifyDBCluster", "rds:{0}:cluster:customers-{1}", False),
        ("lambda:GetFunctionConcurrency", "lambda:{0}:function:customers-{1}-authorize", True),
        ("lambda:GetFunctionConcurrency", "lambda:{0}:function:customers-{2}", False),
        ("lambda:GetAccountSettings", "*", True),
        ("rds:DescribeDBProxyTargets", "rds:{0}:target-group:prx-tg-1", True),
        ("rds:RegisterDBProxyTargets", "rds:{0}:target-group:prx-tg-1", False),
        ("rds-db:connect", "rds-db:{0}:dbuser:prx-1/functions", False),
        ("apigateway:GET", "apigateway:eu-west-1::/account", True),
        ("apigateway:PATCH", "apigateway:eu-west-1::/account", False),
        ("secretsmanager:GetSecretValue", SECRET + "{1}/migrations-AbC123", True),
        ("secretsmanager:GetSecretValue", SECRET + "{2}/migrations-AbC123", False),
        ("secretsmanager:GetSecretValue", SECRET + "{1}/cursor-key-AbC123", False),
        ("cloudformation:CreateChangeSet", "cloudformation:{0}:stack/customers-{1}-api/1", True),
        ("cloudformation:CreateChangeSet", "cloudformation:{0}:stack/customers-{2}-api/1", False),
        ("cloudformation:CreateChangeSet", "cloudformation:{0}:stack/customers-pipeline/1", False),
        ("cloudformation:DescribeStacks", "cloudformation:{0}:stack/customers-pipeline/1", True),
        ("cloudformation:DeleteStack", "cloudformation:{0}:stack/customers-{1}-api/1", False),
        ("lambda:UpdateAlias", "lambda:{0}:function:customers-{1}-api-APIHandler-1", True),
        ("lambda:UpdateAlias", "lambda:{0}:function:customers-{2}-api-APIHandler-1", False),
        ("lambda:UpdateFunctionCode", "lambda:{0}:function:customers-{1}-api-APIHandler-1", False),
        ("iam:PassRole", "iam::{3}:role/customers-pipeline-execution-{1}", True),
        ("iam:PassRole", "iam::{3}:role/customers-pipeline-execution-{2}", False),
        ("iam:CreateRole", "iam::{3}:role/customers-{1}-api-Role", False),
    ],
)
def test_workflow_role_permissions(action: str, resource: str, expected: bool) -> None:  # noqa: FBT001
    for stage, other in NEIGHBORS:
        arn = "arn:aws:" + resource.format(f"{REGION}:{ACCOUNT}", stage, other, ACCOUNT)
        assert _may("Deploy", stage, action, arn) == expected


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("rds:CreateDBProxy", "rds:{0}:db-proxy:prx-1", True),
        ("rds:RegisterDBProxyTargets", "rds:{0}:target-group:prx-tg-1", True),
        ("rds:CreateBlueGreenDeployment", "rds:{0}:cluster:customers-{1}", False),
        ("ec2:CreateVpcEndpoint", "ec2:{0}:vpc-endpoint/*", True),
        ("ec2:CreateNatGateway", "ec2:{0}:natgateway/*", False),
        ("ec2:CreateInternetGateway", "ec2:{0}:internet-gateway/*", False),
        ("rds-db:connect", "rds-db:{0}:dbuser:prx-1/functions", False),
        ("rds:CreateDBCluster", "rds:{0}:cluster:customers-{1}", True),
        ("rds:DeleteDBCluster", "rds:{0}:cluster:customers-{2}", False),
        ("secretsmanager:CreateSecret", SECRET + "{1}/application-AbC123", True),
        ("secretsmanager:GetSecretValue", SECRET + "{2}/cursor-key-AbC123", False),
        ("iam:CreateRole", "iam::{3}:role/customers-{1}-api-Role", True),
        ("iam:CreateRole", "iam::{3}:role/customers-{2}-api-Role", False),
        ("iam:TagRole", "iam::{3}:role/customers-pipeline-deploy-{1}", False),
        ("iam:PutRolePolicy", "iam::{3}:role/customers-pipeline-execution-{1}", False),
        ("iam:CreatePolicyVersion", "iam::{3}:policy/customers-pipeline-boundary-{1}", False),
        ("iam:DeleteRolePermissionsBoundary", "iam::{3}:role/customers-{1}-api-Role", False),
        ("iam:PassRole", "iam::{3}:role/customers-{1}-api-Role", True),
        ("lambda:UpdateFunctionCode", "lambda:{0}:function:customers-{1}-api-APIHandler-1", True),
        ("lambda:UpdateFunctionCode", "lambda:{0}:function:customers-{2}-api-APIHandler-1", False),
        ("rds:CreateDBInstance", "rds:{0}:og:default:aurora-mysql-8-0", True),
        ("budgets:ModifyBudget", "budgets::{3}:budget/customers-{1}", True),
        ("budgets:ModifyBudget", "budgets::{3}:budget/customers-{2}", False),
        ("ce:CreateAnomalyMonitor", "ce::{3}:anomalymonitor/1", True),
        ("ce:GetCostAndUsage", "ce::{3}:anomalymonitor/1", False),
        ("backup:CreateBackupVault", "backup:{0}:backup-vault:customers-{1}", True),
        ("backup:DeleteBackupVault", "backup:{0}:backup-vault:customers-{2}", False),
        ("backup:DeleteRecoveryPoint", "rds:{0}:cluster-snapshot:awsbackup:job-1", False),
        ("iam:PassRole", "iam::{3}:role/service-role/AWSBackupDefaultServiceRole", True),
        ("rds:CreateDBInstance", "rds:{0}:pg:default.aurora-mysql8.0", True),
        ("wafv2:CreateWebACL", "wafv2:{0}:regional/webacl/customers-{1}/1234", True),
        ("wafv2:PutLoggingConfiguration", "wafv2:{0}:regional/webacl/customers-{1}/1234", True),
        ("wafv2:PutLoggingConfiguration", "wafv2:{0}:regional/webacl/customers-{2}/1234", False),
        ("logs:CreateLogGroup", "logs:{0}:log-group:aws-waf-logs-customers-{1}", True),
        ("logs:CreateLogGroup", "logs:{0}:log-group:aws-waf-logs-customers-{2}", False),
        ("wafv2:UpdateWebACL", "wafv2:{0}:regional/webacl/customers-{2}/1234", False),
        ("s3:CreateBucket", TRAIL.format("{1}"), True),
        ("s3:PutLifecycleConfiguration", TRAIL.format("{1}"), True),
        ("s3:PutBucketPolicy", TRAIL.format("{2}"), False),
        ("s3:DeleteObject", TRAIL.format("{1}") + "/lines/1", False),
        ("s3:PutObject", TRAIL.format("{1}") + "/lines/1", False),
        ("s3:GetObject", TRAIL.format("{1}") + "/lines/1", False),
        ("firehose:CreateDeliveryStream", STREAM.format("{1}"), True),
        ("firehose:DeleteDeliveryStream", STREAM.format("{2}"), False),
        ("firehose:PutRecord", STREAM.format("{1}"), False),
        ("logs:PutSubscriptionFilter", "logs:{0}:log-group:/aws/lambda/customers-{1}", True),
        ("logs:PutSubscriptionFilter", "logs:{0}:log-group:/aws/lambda/customers-{2}", False),
        ("iam:PassRole", "iam::{3}:role/customers-{1}-audit-subscription", True),
        ("iam:CreateServiceLinkedRole", SERVICES + "rds.amazonaws.com/AWSServiceRoleForRDS", True),
        ("iam:CreateServiceLinkedRole", "iam::{3}:role/customers-{1}-api-Role", False),
        # CloudWatch wants these of all alarms from whoever makes a composite one
        ("cloudwatch:PutCompositeAlarm", "cloudwatch:{0}:alarm:*", True),
        ("cloudwatch:DescribeAlarms", "cloudwatch:{0}:alarm:*", True),
        ("cloudwatch:PutMetricAlarm", "cloudwatch:{0}:alarm:customers-{2}-page", False),
        ("logs:CreateLogGroup", "logs:{0}:log-group:/aws/rds/cluster/customers-{1}/audit", True),
        ("logs:DeleteLogGroup", "logs:{0}:log-group:/aws/rds/cluster/customers-{2}/audit", False),
    ],
)
def test_execution_role_permissions(action: str, resource: str, expected: bool) -> None:  # noqa: FBT001
    for stage, other in NEIGHBORS:
        arn = "arn:aws:" + resource.format(f"{REGION}:{ACCOUNT}", stage, other, ACCOUNT)
        assert any(_may(name, stage, action, arn) for name in EXECUTION) == expected


RDS = "rds:{0}:"


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("rds:RestoreDBClusterToPointInTime", RDS + "cluster:customers-{1}", True),
        ("rds:RestoreDBClusterToPointInTime", RDS + "cluster:customers-{1}-restored", True),
        ("rds:RestoreDBClusterToPointInTime", RDS + "cluster:customers-{2}-restored", False),
        ("rds:RestoreDBClusterFromSnapshot", RDS + "cluster-snapshot:customers-{1}-final", True),
        ("rds:RestoreDBClusterFromSnapshot", RDS + "cluster-snapshot:rds:customers-{1}-1", True),
        ("rds:RestoreDBClusterFromSnapshot", RDS + "cluster-snapshot:awsbackup:job-1", True),
        ("rds:RestoreDBClusterFromSnapshot", RDS + "cluster-snapshot:customers-{2}-final", False),
        ("rds:ModifyDBCluster", RDS + "cluster:customers-{1}", True),
        ("rds:ModifyDBCluster", RDS + "cluster:customers-{2}", False),
        ("rds:ModifyDBInstance", RDS + "db:customers-{1}-database-writer-1a", True),
        ("rds:ModifyDBInstance", RDS + "db:customers-{2}-database-writer-1a", False),
        ("rds:CreateDBInstance", RDS + "subgrp:customers-{1}", True),
        ("rds:RegisterDBProxyTargets", RDS + "target-group:prx-tg-1", True),
        ("rds:RegisterDBProxyTargets", RDS + "cluster:customers-{1}", True),
        ("rds:DeregisterDBProxyTargets", RDS + "cluster:customers-{1}-replaced", True),
        ("rds:RegisterDBProxyTargets", RDS + "cluster:customers-{2}", False),
        ("rds:DeleteDBProxy", RDS + "db-proxy:prx-1", False),
        ("rds:DeleteDBCluster", RDS + "cluster:customers-{1}-replaced", False),
        ("rds-data:ExecuteStatement", RDS + "cluster:customers-{1}-restored", True),
        ("rds-data:ExecuteStatement", RDS + "cluster:customers-{2}-restored", False),
        ("secretsmanager:CreateSecret", "secretsmanager:{0}:secret:rds!cluster-1", True),
        ("secretsmanager:GetSecretValue", SECRET + "{2}/migrations-AbC123", False),
        (
            "cloudformation:DescribeStacks",
            "cloudformation:{0}:stack/customers-{1}-database/1",
            True,
        ),
        ("iam:PassRole", "iam::{3}:role/customers-{1}-api-Role", False),
    ],
)
def test_on_call_permissions(action: str, resource: str, expected: bool) -> None:  # noqa: FBT001
    """The on-call engineer's role has the policies of the workflows and of a restore."""
    for stage, other in NEIGHBORS:
        arn = "arn:aws:" + resource.format(f"{REGION}:{ACCOUNT}", stage, other, ACCOUNT)
        assert any(_may(name, stage, action, arn) for name in ("Deploy", "Restore")) == expected


def test_on_call_role_may_make_every_call_of_a_restore() -> None:
    """Calls are those of the simulated RDS, which knows no others."""
    called = [
        name for name in vars(Rds) if re.match("_(create|describe|enable|modify|restore)", name)
    ]
    actions = {"rds:" + re.sub("[^a-z]", "", name) for name in called}
    allowed = {
        action.lower()
        for statement in POLICIES["Restore"]["PolicyDocument"]["Statement"]
        for action in _listed(statement["Action"])
    }

    assert len(actions) == 8
    for action in actions:
        assert any(fnmatchcase(action, pattern) for pattern in allowed), action


def test_template_is_within_the_size_limit() -> None:
    """`aws cloudformation deploy` accepts 51,200 bytes without a bucket, which it creates."""
    assert max(PATH.stat().st_size, PATH_OF_STAGE.stat().st_size) <= 51_200


def test_execution_role_can_create_every_type_of_the_foundation() -> None:
    """A role without permissions for a service can't create its resources in the templates."""
    services = {
        action.partition(":")[0]
        for name, policy in POLICIES.items()
        for statement in policy["PolicyDocument"]["Statement"]
        if name in EXECUTION
        for action in _listed(statement["Action"])
    }
    text = "".join(
        (ROOT / "infrastructure" / f"{part}.yaml").read_text() for part in commands.PROVISIONED
    )
    needed = {name.lower() for name in re.findall(r"Type: AWS::(\w+)::\w+\n", text)}
    needed = {SERVICE.get(name, name) for name in needed}

    assert needed <= services


@each_stage
def test_created_role_requires_its_stages_boundary(stage: str) -> None:
    makes = [
        statement
        for name, statement in rules.statements(TEMPLATE)
        if name in EXECUTION
        and re.search("CreateRole|PutRole|AttachRole", str(statement["Action"]))
    ]

    for statement in makes:
        boundary = _of(stage, statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"])
        assert boundary == f"arn:aws:iam::{ACCOUNT}:policy/customers-pipeline-boundary-{stage}"
        named = POLICIES[f"Boundary {stage}"]["ManagedPolicyName"]
        assert boundary.endswith(f"/{named}")
    assert makes


@each_stage
def test_boundary_excludes_other_stages(stage: str) -> None:
    document = json.dumps(POLICIES[f"Boundary {stage}"]["PolicyDocument"])

    assert set(re.findall(r"customers-(\w+)", document)) == {stage}
    assert not re.search('"(iam|sts|cloudformation):', document)


@each_stage
def test_boundary_allows_what_the_audit_trail_needs(stage: str) -> None:
    """The roles of audit.yaml, and nothing else in S3."""
    audit = Template(PATH.with_name("audit.yaml"), {"Stage": stage})
    buckets = f"arn:aws:s3:::customers-{stage}-audit-"
    found = {
        "s3": f"{buckets}trail-1a2b/lines/1",
        "firehose": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/customers-{stage}-audit",
    }
    actions = [action for _, statement in rules.statements(audit) for action in statement["Action"]]

    assert {action.partition(":")[0] for action in actions} == found.keys()
    for action in actions:
        arn = found[action.partition(":")[0]]
        assert _may(f"Boundary {stage}", stage, action, arn), action
    for statement in POLICIES[f"Boundary {stage}"]["PolicyDocument"]["Statement"]:
        if any(action.startswith("s3:") for action in _listed(statement["Action"])):
            assert statement["Resource"] == f"{buckets}*"
            assert not any("Delete" in action for action in statement["Action"])


@pytest.mark.parametrize("backend", BACKENDS)
@each_stage
def test_boundary_allows_what_functions_need(stage: str, backend: str) -> None:
    here = {"region": REGION, "account": ACCOUNT}
    chosen = replace(EVERY_STAGE[stage], backend=backend)
    arns = Arns(
        f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:customers-{stage}",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:customers-{stage}/application-AbCdEf",
        f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd",
        user=f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:prx-0123/functions",
        **here,
    )
    hook = deployment.resources(EVERY_STAGE[stage], arns)["CheckVersionRole"]["Properties"]
    (of_hook,) = hook["Policies"]
    documents = [policies.policy(chosen, name, arns) for name in policies.DATA_API]
    master = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!cluster-1234-AbCdEf"
    documents.append(rotating.policy(EVERY_STAGE[stage], arns, master))

    for document in (*documents, of_hook["PolicyDocument"]):
        for statement in document["Statement"]:
            for action in statement["Action"]:
                resource = statement["Resource"]
                arn = resource if isinstance(resource, str) else resource["Fn::Sub"]
                arn = arn.replace("${ServerlessDeploymentApplication}", f"customers-{stage}-api-A")
                assert _may(f"Boundary {stage}", stage, action, arn), (action, arn)


@pytest.mark.parametrize("backend", ["mysql", "mysql_password"])
@each_stage
def test_boundary_allows_what_the_proxy_needs(stage: str, backend: str) -> None:
    values = {"Stage": stage, "Backend": backend, "PrivateSubnets": "subnet-1"}
    database = Template(PATH.with_name("database.yaml"), values)
    (document,) = database.of_type("AWS::IAM::Role")["ProxyRole"]["Policies"]
    here = f"{REGION}:{ACCOUNT}"
    arns = {
        "secretsmanager:GetSecretValue": f"{SECRET}{stage}/application-AbCdEf".format(here),
        "kms:Decrypt": f"kms:{here}:key/1234abcd",
        "rds-db:connect": f"rds-db:{here}:dbuser:cluster-ABC/functions",
    }

    for statement in document["PolicyDocument"]["Statement"]:
        action = statement["Action"]
        arn = f"arn:aws:{arns[action]}"
        assert _may(f"Boundary {stage}", stage, action, arn), action


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("rds-db:connect", "rds-db:{0}:dbuser:cluster-ABC/administrator"),
        ("rds-db:connect", "rds-db:{0}:dbuser:prx-0123/migrations"),
        ("rds-data:BeginTransaction", "rds:{0}:cluster:customers-{1}"),
        ("ec2:AttachNetworkInterface", "ec2:{0}:network-interface/eni-1"),
    ],
)
@each_stage
def test_boundary_denies_what_no_function_needs(stage: str, action: str, resource: str) -> None:
    arn = "arn:aws:" + resource.format(f"{REGION}:{ACCOUNT}", stage)
    assert not _may(f"Boundary {stage}", stage, action, arn)


@each_stage
def test_boundary_allows_what_the_flow_log_needs(stage: str) -> None:
    network = Template(PATH.with_name("network.yaml"), {"Stage": stage})
    (document,) = network.of_type("AWS::IAM::Role")["FlowLogRole"]["Policies"]
    log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/customers/{stage}/network:log-stream:1"

    statements = document["PolicyDocument"]["Statement"]
    actions = [action for statement in statements for action in _listed(statement["Action"])]
    assert "logs:PutLogEvents" in actions
    for action in actions:
        assert _may(f"Boundary {stage}", stage, action, log), action


def test_templates_with_roles_accept_the_boundary() -> None:
    for part in ("network", "database", "audit"):
        template = (ROOT / "infrastructure" / f"{part}.yaml").read_text()
        assert template.count("Type: AWS::IAM::Role") == template.count(
            "PermissionsBoundary: !If [HasBoundary,"
        )


def test_bucket_is_private_encrypted_and_versioned() -> None:
    (bucket,) = TEMPLATE.of_type("AWS::S3::Bucket").values()
    (policy,) = TEMPLATE.of_type("AWS::S3::BucketPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert bucket["BucketEncryption"]


def test_workflow_uses_existing_outputs() -> None:
    said = " ".join(
        output["Description"] for output in OF_STAGES["dev"].document["Outputs"].values()
    )
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()

    for name in ("DEPLOY_ROLE_ARN", "CLOUDFORMATION_ROLE_ARN", "BOUNDARY_ARN"):
        assert f"variable {name} of GitHub's" in said
        assert f"vars.{name}" in workflow
    assert yaml.safe_load(workflow)["jobs"]["deploy"]["environment"] == "${{ inputs.stage }}"


@pytest.mark.parametrize(
    ("action", "resource", "said"),
    [
        ("s3:*", None, "Deploy allows s3:*"),
        ("*", None, "Deploy allows * on"),
        ("iam:PassRole", "*", "Deploy allows iam:PassRole on *"),
    ],
)
def test_rules_detect_faults(action: str, resource: str | None, said: str) -> None:
    def break_it(document: dict[str, Any]) -> None:
        statement = {"Effect": "Allow", "Action": action, "Resource": resource or "arn:aws:s3:::a"}
        policy = document["Resources"]["Deploy"]["Properties"]["PolicyDocument"]
        policy["Statement"].append(statement)

    assert any(fault.startswith(said) for fault in rules.all_of(Template(PATH, {}, break_it)))


def _may(policy: str, stage: str, action: str, arn: str) -> bool:
    """Return whether a policy allows the action to a role of the stage, ignoring conditions."""
    return any(
        any(fnmatchcase(action, item) for item in _listed(statement["Action"]))
        and any(fnmatchcase(arn, _of(stage, item)) for item in _listed(statement["Resource"]))
        for statement in POLICIES[policy]["PolicyDocument"]["Statement"]
    )


def _of(stage: str, text: str) -> str:
    return text.replace("${aws:PrincipalTag/stage}", stage)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
