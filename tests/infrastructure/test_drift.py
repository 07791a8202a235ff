"""`status --drift` names each resource that someone changed by hand, and its properties."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.stub import Stubber

from infrastructure import commands, drift, releases
from infrastructure.run import Run
from infrastructure.stacks import Stack
from infrastructure.stages import STAGES
from tests.infrastructure.cloudformation import REGION

NAME = "customers-dev-database"
FILTERS = ["MODIFIED", "DELETED"]


def _changed(name: str, status: str, *paths: str) -> dict[str, Any]:
    differences = [
        {
            "PropertyPath": path,
            "ExpectedValue": "a",
            "ActualValue": "b",
            "DifferenceType": "NOT_EQUAL",
        }
        for path in paths
    ]
    return {
        "StackId": NAME,
        "LogicalResourceId": name,
        "ResourceType": "AWS::RDS::DBCluster",
        "StackResourceDriftStatus": status,
        "PropertyDifferences": differences,
        "Timestamp": datetime(2026, 11, 28, tzinfo=UTC),
    }


def _detection(status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": NAME,
        "StackDriftDetectionId": "d",
        "DetectionStatus": status,
        "Timestamp": datetime(2026, 11, 28, tzinfo=UTC),
        **({"DetectionStatusReason": reason} if reason else {}),
    }


def _find(detections: list[dict[str, Any]], pages: list[list[dict[str, Any]]]) -> list[str]:
    client = boto3.client(
        "cloudformation", region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stub:
        stub.add_response("detect_stack_drift", {"StackDriftDetectionId": "d"})
        for detection in detections:
            stub.add_response("describe_stack_drift_detection_status", detection)
        for number, page in enumerate(pages):
            token = {"NextToken": str(number)} if number + 1 < len(pages) else {}
            asked = {"StackName": NAME, "StackResourceDriftStatusFilters": FILTERS}
            asked |= {"NextToken": str(number - 1)} if number else {}
            stub.add_response(
                "describe_stack_resource_drifts", {"StackResourceDrifts": page, **token}, asked
            )
        return list(drift.find(client, NAME, pause=0))


def test_changed_resources_are_named_with_their_properties() -> None:
    pages = [
        [_changed("Cluster", "MODIFIED", "/EngineVersion", "/BackupRetentionPeriod")],
        [_changed("Reader", "DELETED")],
    ]
    lines = _find([_detection("DETECTION_IN_PROGRESS"), _detection("DETECTION_COMPLETE")], pages)
    assert lines == [
        "modified Cluster  AWS::RDS::DBCluster: /EngineVersion, /BackupRetentionPeriod",
        "deleted  Reader  AWS::RDS::DBCluster",
    ]


def test_stack_without_drift_has_no_line() -> None:
    assert _find([_detection("DETECTION_COMPLETE")], [[]]) == []


def test_incomplete_detection_is_reported() -> None:
    lines = _find([_detection("DETECTION_FAILED", "not authorized")], [[]])
    assert lines == ["incomplete: not authorized"]


@pytest.mark.parametrize(("is_asked", "calls"), [(True, len(commands.PARTS)), (False, 0)])
def test_status_looks_for_drift_only_if_asked(
    monkeypatch: pytest.MonkeyPatch,
    is_asked: bool,  # noqa: FBT001
    calls: int,
) -> None:
    looked = Mock(return_value=["modified Cluster"])
    monkeypatch.setattr(drift, "find", looked)
    monkeypatch.setattr(Stack, "status", "UPDATE_COMPLETE")
    monkeypatch.setattr(releases, "live_version", lambda *_: "1")
    monkeypatch.setattr(Run, "outputs", lambda *_: {"EndpointURL": ""})
    say = Mock()

    commands.status(Run(Mock(), STAGES["dev"], say=say, looks_for_drift=is_asked))

    assert looked.call_count == calls
    assert [each.args[0] for each in say.call_args_list].count("  modified Cluster") == calls
