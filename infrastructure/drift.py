"""Drift: how a stack's resources differ from its template, because someone changed them by hand.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from infrastructure.stacks import PAUSE_SECONDS

CHANGED = ["MODIFIED", "DELETED"]


def find(client: Any, stack: str, pause: float = PAUSE_SECONDS) -> Iterator[str]:
    """Yield a line for each resource that differs, after CloudFormation has compared all of them.

    Takes about a minute. Raises ClientError, also if the caller may not read a resource.
    """
    detection = client.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    while True:
        status = client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if status["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            break
        time.sleep(pause)
    yield from (_line(drift) for drift in _drifts(client, stack))
    if status["DetectionStatus"] == "DETECTION_FAILED":
        yield f"incomplete: {status.get('DetectionStatusReason', 'no reason given')}"


def _drifts(client: Any, stack: str) -> Iterator[Mapping[str, Any]]:
    more: dict[str, str] = {}
    while True:
        page = client.describe_stack_resource_drifts(
            StackName=stack, StackResourceDriftStatusFilters=CHANGED, **more
        )
        yield from page["StackResourceDrifts"]
        if "NextToken" not in page:
            return
        more = {"NextToken": page["NextToken"]}


def _line(drift: Mapping[str, Any]) -> str:
    paths = [each["PropertyPath"] for each in drift.get("PropertyDifferences", ())]
    suffix = f": {', '.join(paths)}" if paths else ""
    status, name = drift["StackResourceDriftStatus"].lower(), drift["LogicalResourceId"]
    return f"{status:8} {name}  {drift['ResourceType']}{suffix}"
