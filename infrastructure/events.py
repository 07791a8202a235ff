"""What CloudFormation tells of a stack: its events, the newest first, and where it is stuck."""

from collections.abc import Iterable, Mapping
from typing import Any

Event = Mapping[str, Any]

# What operators can do about a stack in a state that no change leads out of.
STUCK = {
    "ROLLBACK_COMPLETE": (
        "could not be created, and nothing is in it. Mend what its events name (`status`), delete"
        " it with `aws cloudformation delete-stack --stack-name {name}`, and run the command again"
    ),
    "UPDATE_ROLLBACK_FAILED": (
        "could be neither changed nor put back. Mend what its events name (`status`), then `aws"
        " cloudformation continue-update-rollback --stack-name {name}`, and run the command again"
    ),
}
STUCK |= {
    "ROLLBACK_FAILED": STUCK["ROLLBACK_COMPLETE"],
    "CREATE_FAILED": STUCK["ROLLBACK_COMPLETE"],
    "DELETE_FAILED": (
        "could not be deleted. `status` names what is in the way: remove that, and run `destroy`"
        " again"
    ),
}


def reason(events: Iterable[Event], stack: str) -> str:
    """Return why the last change failed, as CloudFormation said it of the first resource."""
    failed = ""
    for event in events:
        if event["ResourceStatus"].endswith("FAILED") and "cancelled" not in _why(event):
            failed = f"{event['LogicalResourceId']}: {_why(event)}"
        if _is_start(event, stack):
            break
    return failed or "its events do not say why"


def line(event: Event) -> str:
    """Return what operators see of an event."""
    at = event["Timestamp"].strftime("%H:%M:%S")
    told = f"  {at} {event['ResourceStatus']:28} {event['LogicalResourceId']}  {_why(event)}"
    return told.rstrip()


def _why(event: Event) -> str:
    return str(event.get("ResourceStatusReason", ""))


def _is_start(event: Event, stack: str) -> bool:
    is_own = stack in {event["LogicalResourceId"], event["PhysicalResourceId"]}
    return is_own and _why(event) == "User Initiated"
