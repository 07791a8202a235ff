"""The bus of a stage's events: its archive, its dead letters, and the stages that have it."""

from fnmatch import fnmatchcase
from unittest.mock import Mock

import pytest

from infrastructure import commands, parameters
from infrastructure.run import Run
from infrastructure.stacks import Stack
from infrastructure.stages import STAGES, Stage
from tests.infrastructure import rules
from tests.infrastructure.cloudformation import ACCOUNT, REGION, Template
from tests.infrastructure.operations import PATH

BUSES = {
    name: Template(PATH.with_name("bus.yaml"), parameters.bus(stage))
    for name, stage in STAGES.items()
}
PROD = BUSES["prod"]
RULES = f"arn:aws:events:{REGION}:{ACCOUNT}:rule"

each_stage = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)


def test_template_violates_no_rule() -> None:
    for bus in BUSES.values():
        assert bus.refusals() == []
        assert rules.all_of(bus) == []


@each_stage
def test_relay_and_template_name_the_same_bus(stage: Stage) -> None:
    (bus,) = BUSES[stage.name].of_type("AWS::Events::EventBus").values()
    assert bus["Name"] == stage.event_bus


@each_stage
def test_archive_keeps_all_events_of_the_bus(stage: Stage) -> None:
    bus = BUSES[stage.name]
    (archive,) = bus.of_type("AWS::Events::Archive").values()

    assert archive["SourceArn"] == bus.resolve({"Fn::GetAtt": ["Bus", "Arn"]})
    assert archive["RetentionDays"] == str(stage.log_retention_days)
    assert "EventPattern" not in archive


@pytest.mark.parametrize(
    ("rule", "is_allowed"),
    [
        ("customers-prod/crm", True),
        ("customers-prod-other/crm", False),
        ("customers-staging/crm", False),
        ("crm", False),  # of the default bus
    ],
)
def test_only_rules_of_the_bus_send_dead_letters(rule: str, *, is_allowed: bool) -> None:
    (policy,) = PROD.of_type("AWS::SQS::QueuePolicy").values()
    send, by_tls = policy["PolicyDocument"]["Statement"]
    (pattern,) = send["Condition"]["ArnLike"].values()

    assert send["Principal"] == {"Service": "events.amazonaws.com"}
    assert send["Action"] == "sqs:SendMessage"
    bus = PROD.resolve({"Ref": "Bus"})
    assert fnmatchcase(f"{RULES}/{rule}", pattern.replace(bus, "customers-prod")) == is_allowed
    assert (by_tls["Effect"], by_tls["Principal"]) == ("Deny", "*")
    assert by_tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_dead_letters_are_encrypted_and_wait_as_long_as_possible() -> None:
    (queue,) = PROD.of_type("AWS::SQS::Queue").values()
    assert queue["SqsManagedSseEnabled"]
    assert queue["MessageRetentionPeriod"] == 14 * 86_400


@pytest.mark.parametrize(("exists", "is_deleted"), [(True, True), (False, False)])
def test_destroy_deletes_a_bus_that_the_stage_uses_no_more(
    monkeypatch: pytest.MonkeyPatch, *, exists: bool, is_deleted: bool
) -> None:
    deleted: list[str] = []
    monkeypatch.setattr(Stack, "exists", exists)
    monkeypatch.setattr(Stack, "delete", lambda stack: deleted.append(stack.name))
    monkeypatch.setattr(commands, "_refuse_remaining", Mock())

    commands.destroy(Run(Mock(), STAGES["dev"], is_agreed=True))

    assert ("customers-dev-bus" in deleted) is is_deleted
    if is_deleted:  # its functions and alarms are gone before
        assert deleted.index("customers-dev-bus") > deleted.index("customers-dev-api")
