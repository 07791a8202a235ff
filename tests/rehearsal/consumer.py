"""A consumer of the stage's events: a queue, and a rule on the bus that passes events to it."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from benchmarks.events import SCHEDULED
from chalicelib.customers.fields import CUSTOMERS
from infrastructure.failures import Failure
from infrastructure.run import Run
from openapi import EVENT_SCHEMA
from tests.rehearsal.checks import expect
from tests.rehearsal.traffic import wait_for

NAME = "rehearsal"
ERASED = f"{CUSTOMERS.name}.erased"
VALIDATOR = Draft202012Validator(json.loads(EVENT_SCHEMA.read_text()))


class Consumer:
    """Receives all events from its creation on."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._types: set[str] = set()
        self._versions: dict[str, list[int]] = defaultdict(list)
        self._queues = run.session.client("sqs")
        self._queue = self._queues.create_queue(QueueName=NAME)["QueueUrl"]
        self._add_rule(run.session.client("events"), run.stage.event_bus)

    def relay(self) -> None:
        """Invoke the relay. Raises Failure if the function fails."""
        function = self._run.outputs("api")["RelayFunctionName"]
        client = self._run.session.client("lambda")
        result = client.invoke(FunctionName=f"{function}:live", Payload=json.dumps(SCHEDULED))
        if "FunctionError" in result:
            raise Failure(f"The relay failed: {result['Payload'].read().decode()}")

    def check(self) -> str:
        """Raise Failure unless valid events arrive, and each customer's in order.

        The tests erase their customers, and so the history of most versions that are not sent yet.
        """
        wait_for(self._has_erasures, "no event of an erasure arrived")
        for customer, versions in self._versions.items():
            first = list(dict.fromkeys(versions))
            expect(f"the order of the events of {customer}", first, sorted(first))
        return f"{sum(map(len, self._versions.values()))} events of {len(self._versions)} customers"

    def leave(self) -> None:
        """Remove the rule: a bus with rules can't be deleted."""
        client, bus = self._run.session.client("events"), self._run.stage.event_bus
        client.remove_targets(Rule=NAME, EventBusName=bus, Ids=[NAME])
        client.delete_rule(Name=NAME, EventBusName=bus)

    def _has_erasures(self) -> bool:
        self.relay()
        for event in self._receive():
            VALIDATOR.validate(event)
            self._types.add(event["type"])
            self._versions[event["subject"]].append(event["data"]["version"])
        return ERASED in self._types

    def _add_rule(self, client: Any, bus: str) -> None:
        attributes = self._queues.get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=["QueueArn"]
        )["Attributes"]
        pattern = json.dumps({"source": ["customers"]})
        client.put_rule(Name=NAME, EventBusName=bus, EventPattern=pattern)
        target = {"Id": NAME, "Arn": attributes["QueueArn"], "InputPath": "$.detail"}
        client.put_targets(Rule=NAME, EventBusName=bus, Targets=[target])

    def _receive(self) -> Iterator[dict[str, Any]]:
        while messages := self._queues.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                yield json.loads(message["Body"])
                handle = message["ReceiptHandle"]
                self._queues.delete_message(QueueUrl=self._queue, ReceiptHandle=handle)
