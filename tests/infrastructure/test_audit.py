"""The audit trail gets every audit line, and outlives the stage and its logs."""

from typing import Any
from unittest.mock import Mock, call

import boto3
import pytest
from botocore.stub import Stubber

from infrastructure import audit, commands, parameters, template
from infrastructure.run import Run
from infrastructure.stacks import Stack
from infrastructure.stages import STAGES, Stage
from tests.infrastructure import rules
from tests.infrastructure.cloudformation import ACCOUNT, REGION, Template
from tests.infrastructure.operations import PATH

DEV = STAGES["dev"]
TRAILS = {
    name: Template(PATH.with_name("audit.yaml"), parameters.audit(stage))
    for name, stage in STAGES.items()
}
TRAIL = TRAILS["dev"]
OUTPUTS = {"StreamArn": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/customers-dev-audit"}
OUTPUTS["SubscriptionRoleArn"] = f"arn:aws:iam::{ACCOUNT}:role/customers-dev-audit-subscription"

each_stage = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)


def test_template_violates_no_rule() -> None:
    for trail in TRAILS.values():
        assert trail.refusals() == []
        assert rules.all_of(trail) == []


@each_stage
def test_lines_are_kept_as_long_as_the_stage_specifies(stage: Stage) -> None:
    (bucket,) = TRAILS[stage.name].of_type("AWS::S3::Bucket").values()
    forget, markers = bucket["LifecycleConfiguration"]["Rules"]

    assert forget["ExpirationInDays"] == str(stage.audit_days)
    assert stage.audit_days >= stage.log_retention_days
    assert {forget["Status"], markers["Status"]} == {"Enabled"}
    assert markers["ExpiredObjectDeleteMarker"]


def test_bucket_is_private_encrypted_and_only_the_lifecycle_deletes() -> None:
    (bucket,) = TRAIL.of_type("AWS::S3::Bucket").values()
    (policy,) = TRAIL.of_type("AWS::S3::BucketPolicy").values()
    by_tls, keep = policy["PolicyDocument"]["Statement"]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert by_tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (keep["Effect"], keep["Principal"]) == ("Deny", "*")
    assert keep["Action"] == ["s3:DeleteObject", "s3:DeleteObjectVersion"]


def test_trail_outlives_its_stack_and_collides_with_no_other() -> None:
    bucket = TRAIL.document["Resources"]["Trail"]

    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["UpdateReplacePolicy"] == "Retain"
    assert "BucketName" not in bucket["Properties"]


def test_destroy_keeps_the_trail(monkeypatch: pytest.MonkeyPatch) -> None:
    deleted, say = [], Mock()
    monkeypatch.setattr(Stack, "exists", True)
    monkeypatch.setattr(Stack, "delete", lambda stack: deleted.append(stack.name))
    session = Mock()
    session.client.return_value.describe_db_clusters.return_value = {"DBClusters": []}
    commands.destroy(Run(session, DEV, is_agreed=True, say=say))

    kept = {DEV.stack(part) for part in commands.PARTS} - set(deleted)
    assert kept == {"customers-dev-audit"}
    assert say.mock_calls[-1] == call("The audit trail remains, in the stack customers-dev-audit.")


def test_template_subscribes_the_logs_of_all_functions_that_write_audit_lines() -> None:
    logs = {name: function.log for name, function in template.FUNCTIONS.items()}
    made = audit.resources(logs)

    assert {each["Properties"]["LogGroupName"]["Ref"] for each in made.values()} == {
        "ApiHandlerLogGroup",
        "PurgeCustomersLogGroup",
    }
    for each in made.values():
        properties = TRAIL.resolve(each["Properties"] | {"LogGroupName": "log"})
        assert properties["DestinationArn"] == OUTPUTS["StreamArn"]
        assert properties["RoleArn"] == OUTPUTS["SubscriptionRoleArn"]
    (stream,) = TRAIL.of_type("AWS::KinesisFirehose::DeliveryStream").values()
    role = TRAIL.of_type("AWS::IAM::Role")["SubscriptionRole"]
    assert OUTPUTS["StreamArn"].endswith(f":deliverystream/{stream['DeliveryStreamName']}")
    assert OUTPUTS["SubscriptionRoleArn"].endswith(f":role/{role['RoleName']}")


def _filter(function: str) -> dict[str, Any]:
    return {
        "logGroupName": f"/aws/lambda/{DEV.lambda_name(function)}",
        "filterName": "audit",
        "filterPattern": audit.PATTERN,
        "destinationArn": OUTPUTS["StreamArn"],
        "roleArn": OUTPUTS["SubscriptionRoleArn"],
    }


def test_apply_subscribes_what_is_not_subscribed_yet() -> None:
    client, say = boto3.client("logs", region_name=REGION), Mock()
    with Stubber(client) as stub:
        for function, found in (
            ("api_handler", [_filter("api_handler")]),
            ("purge_customers", [_filter("purge_customers") | {"destinationArn": "arn:old"}]),
        ):
            wanted = {
                "logGroupName": _filter(function)["logGroupName"],
                "filterNamePrefix": "audit",
            }
            stub.add_response(
                "describe_subscription_filters", {"subscriptionFilters": found}, wanted
            )
        stub.add_response("put_subscription_filter", {}, _filter("purge_customers"))
        audit.subscribe(client, DEV, OUTPUTS, say)
        stub.assert_no_pending_responses()

    say.assert_called_once_with("audit lines of customers-dev-purge_customers go to the trail")
