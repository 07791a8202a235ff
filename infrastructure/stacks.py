"""A CloudFormation stack: planned changes, their execution, progress and result."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError

from infrastructure import events
from infrastructure.changes import Change, Template
from infrastructure.failures import Failure
from infrastructure.stages import suggest

PAUSE_SECONDS = 3.0
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
NOTHING_CHANGES = ("didn't contain changes", "No updates")
# The second state: only a change set exists, which no one has executed; it keeps no values.
ABSENT = {None, "REVIEW_IN_PROGRESS"}

Say = Callable[[str], None]


class Stack:
    """A stack by its name. `say` receives its progress, line by line.

    Its resources get `tags`, by which AWS can allocate costs.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        say: Say = print,
        pause: float = PAUSE_SECONDS,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._client = client
        self.name = name
        self._say = say
        self._pause = pause
        self._tags = dict(tags)

    @property
    def status(self) -> str | None:
        """CloudFormation's status; None if the stack does not exist."""
        described = self._describe()
        return str(described["StackStatus"]) if described else None

    @property
    def exists(self) -> bool:
        return self.status not in ABSENT

    def outputs(self) -> dict[str, str]:
        """Return its outputs. Raises Failure if the stack does not exist or is incomplete."""
        described = self._describe()
        if not described or described["StackStatus"] in ABSENT:
            raise Failure(f"The stack {self.name} does not exist in this account and region.")
        self._check_usable(str(described["StackStatus"]))
        return {
            output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])
        }

    def resources(self) -> list[tuple[str, str, str]]:
        """Return type, logical id and physical id of each resource."""
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [
            (
                summary["ResourceType"],
                summary["LogicalResourceId"],
                summary.get("PhysicalResourceId", ""),
            )
            for page in pages
            for summary in page["StackResourceSummaries"]
        ]

    def reason(self) -> str:
        """Return CloudFormation's reason for the last failure, of the first failed resource."""
        return events.reason(self._events(), self.name)

    def update(
        self,
        template: Template,
        values: Mapping[str, str],
        confirm: Callable[[list[Change]], bool],
    ) -> bool:
        """Create or update the stack.

        Returns False if `confirm` returns False; then nothing changes.

        Parameters without a new value keep their current one. Raises Failure, also if an update
        failed and was rolled back.
        """
        self.settle()
        parameters = self._check_parameters(template, values)
        change_set = self._plan(template, parameters)
        if change_set is None:
            self._say(f"{self.name}: nothing to change")
            return True
        try:
            agreed = self._agree(change_set, confirm)
        except BaseException:
            self._drop(change_set)
            raise
        if not agreed:
            self._drop(change_set)
            self._say(f"{self.name}: unchanged")
            return False
        reported = {event["EventId"] for event in self._events()}
        self._client.execute_change_set(StackName=self.name, ChangeSetName=change_set)
        self._follow(reported)
        self._check_done()
        return True

    def delete(self) -> None:
        """Delete the stack, except retained resources. Raises Failure."""
        described = self._describe()
        if not described:
            self._say(f"{self.name}: does not exist")
            return
        reported = {event["EventId"] for event in self._events()}
        self._client.delete_stack(StackName=self.name, **_role())
        self.name = described["StackId"]  # a deleted stack can only be found by its id
        self._follow(reported)
        if self.status not in {None, "DELETE_COMPLETE"}:
            raise Failure(f"{described['StackName']} could not be deleted: {self.reason()}")

    def settle(self) -> None:
        """Wait for a change in progress, started by another operator or an interrupted run."""
        status = self.status
        if status and status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            self._say(f"{self.name}: {status}: waiting for a change in progress")
            self._follow({event["EventId"] for event in self._events()})

    def _agree(self, change_set: str, confirm: Callable[[list[Change]], bool]) -> bool:
        changes = self._changes(change_set)
        self._say(f"{self.name}:")
        for change in changes:
            self._say(f"  {change}")
        return confirm(changes)

    def _drop(self, change_set: str) -> None:
        self._client.delete_change_set(StackName=self.name, ChangeSetName=change_set)

    def _describe(self) -> dict[str, Any] | None:
        try:
            return dict(self._client.describe_stacks(StackName=self.name)["Stacks"][0])
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise

    def _check_usable(self, status: str) -> None:
        if status in events.STUCK:
            remedy = events.STUCK[status].format(name=self.name)
            raise Failure(f"The stack {self.name} {remedy}. ({status}: {self.reason()})")

    def _check_parameters(
        self, template: Template, values: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """Return the parameters. Raises Failure if one is unknown or missing."""
        described = self._describe() or {"StackStatus": None}
        self._check_usable(str(described["StackStatus"]))
        declared = template.parameters(self._client)
        for name in values:
            if name not in declared:
                raise Failure(f"{self.name} has no parameter {name!r}. {suggest(name, declared)}")
        exists = described["StackStatus"] not in ABSENT
        existing = {
            parameter["ParameterKey"] for parameter in described.get("Parameters", []) if exists
        }
        return list(self._parameters(declared, values, existing))

    def _parameters(
        self, declared: Mapping[str, Any], values: Mapping[str, str], existing: set[str]
    ) -> Iterator[dict[str, Any]]:
        for name, parameter in declared.items():
            if name in values:
                yield {"ParameterKey": name, "ParameterValue": values[name]}
            elif name in existing:
                yield {"ParameterKey": name, "UsePreviousValue": True}
            elif "DefaultValue" not in parameter:
                raise Failure(f"{self.name} needs a value for {name}: add `--set {name}=...`.")

    def _plan(self, template: Template, parameters: list[dict[str, Any]]) -> str | None:
        change_set = str(
            self._client.create_change_set(
                StackName=self.name,
                ChangeSetName=f"run-{secrets.token_hex(6)}",
                ChangeSetType="UPDATE" if self.exists else "CREATE",
                Capabilities=CAPABILITIES,
                ImportExistingResources=True,  # some outlive their stack: Template.of_stage
                Parameters=parameters,
                Tags=[{"Key": key, "Value": value} for key, value in self._tags.items()],
                **_role(),
                **template.arguments(),
            )["Id"]
        )
        described = self._await_change_set(change_set)
        if described["Status"] != "FAILED":
            return change_set
        why = described.get("StatusReason", "")
        self._drop(change_set)
        if any(message in why for message in NOTHING_CHANGES):
            return None
        raise Failure(f"CloudFormation can't change {self.name}: {why} Fix the template.")

    def _await_change_set(self, change_set: str) -> dict[str, Any]:
        while True:
            described = self._client.describe_change_set(
                StackName=self.name, ChangeSetName=change_set
            )
            if not described["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
                return dict(described)
            time.sleep(self._pause)

    def _changes(self, change_set: str) -> list[Change]:
        pages = self._client.get_paginator("describe_change_set").paginate(
            StackName=self.name, ChangeSetName=change_set
        )
        changes = [change["ResourceChange"] for page in pages for change in page["Changes"]]
        return [
            Change(
                change["Action"],
                change["LogicalResourceId"],
                change["ResourceType"],
                change["Action"] == "Modify" and change.get("Replacement") != "False",
            )
            for change in changes
        ]

    def _follow(self, reported: set[str]) -> None:
        """Report each event until the change has ended."""
        while True:
            status = self.status
            fresh = [event for event in self._events() if event["EventId"] not in reported]
            for event in reversed(fresh):
                reported.add(event["EventId"])
                self._say(events.line(event))
            if not (status or "").endswith("_IN_PROGRESS"):
                return
            time.sleep(self._pause)

    def _events(self) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("describe_stack_events").paginate(StackName=self.name)
        for page in pages:
            yield from page["StackEvents"]

    def _check_done(self) -> None:
        status = self.status or ""
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            self._check_usable(status)
            raise Failure(f"{self.name} could not be changed, and was rolled back: {self.reason()}")


def _role() -> dict[str, str]:
    """Return CloudFormation's service role, if it does not use the caller's."""
    role = os.environ.get("CLOUDFORMATION_ROLE_ARN")
    return {"RoleARN": role} if role else {}
