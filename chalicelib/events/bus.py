"""The event bus of a stage: Amazon EventBridge.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config

from chalicelib.events.cloudevents import SOURCE, Event

CALL_SECONDS = 5
"""The longest wait for a connection, and for each part of a response, of an attempt."""
_CONFIG = Config(
    connect_timeout=CALL_SECONDS,
    read_timeout=CALL_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 3},
)


class EventBridge:
    """A bus of EventBridge by its name. Lambda's runtime has boto3; the package has not."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._client = boto3.client("events", config=_CONFIG)

    def put(self, events: Sequence[Event]) -> list[bool]:
        """Return whether the bus accepted each event. Raises BotoCoreError, ClientError."""
        results = self._client.put_events(Entries=[self._entry(event) for event in events])
        return ["EventId" in result for result in results["Entries"]]

    def _entry(self, event: Event) -> Any:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Detail": event.to_json(),
            "Time": datetime.fromisoformat(event.time),
        }
