"""CloudFormation's events of a stack, newest first, and remedies for stuck states."""

from collections.abc import Iterable, Mapping
from typing import Any

Event = Mapping[str, Any]

# Remedies for states that no update can leave.
STUCK = {
    "ROLLBACK_COMPLETE": (
        "could not be created, and is empty. Fix what its events name (`status`), delete"
        " it with `aws cloudformation delete-stack --stack-name {name}`, and run the command again"
    ),
    "UPDATE_ROLLBACK_FAILED": (
        "could be neither updated nor rolled back. Fix what its events name (`status`), then `aws"
        " cloudformation continue-update-rollback --stack-name {name}`, and run the command again"
    ),
}
STUCK |= {
    "ROLLBACK_FAILED": STUCK["ROLLBACK_COMPLETE"],
    "CREATE_FAILED": STUCK["ROLLBACK_COMPLETE"],
    "DELETE_FAILED": (
        "could not be deleted. `status` names the cause: fix it, and run `destroy` again"
    ),
}


def reason(events: Iterable[Event], stack: str) -> str:
    """Return CloudFormation's reason for the last failure, of the first failed resource."""
    failed = ""
    for event in events:
        if event["ResourceStatus"].endswith("FAILED") and "cancelled" not in _why(event):
            failed = f"{event['LogicalResourceId']}: {_why(event)}"
        if _is_start(event, stack):
            break
    return failed or "its events contain no reason"


def line(event: Event) -> str:
    """Return an event as a line for operators."""
    at = event["Timestamp"].strftime("%H:%M:%S")
    text = f"  {at} {event['ResourceStatus']:28} {event['LogicalResourceId']}  {_why(event)}"
    return text.rstrip()


def _why(event: Event) -> str:
    return str(event.get("ResourceStatusReason", ""))


def _is_start(event: Event, stack: str) -> bool:
    is_own = stack in {event["LogicalResourceId"], event["PhysicalResourceId"]}
    return is_own and _why(event) == "User Initiated"
