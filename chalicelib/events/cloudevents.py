"""CloudEvents of resources, without personal data: docs/events.md.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

import json
from typing import Any, NamedTuple

from chalicelib.settings import SERVICE

SPECVERSION = "1.0"
SOURCE = SERVICE
OPERATIONS = ("created", "updated", "deleted", "restored", "erased")
"""The operations that create a version. The type of an event is such as `customer.created`."""


class Event(NamedTuple):
    """What happened to a resource. `time` has the format of RFC 3339."""

    resource: str
    operation: str
    resource_id: str
    version: int
    time: str

    @property
    def id(self) -> str:
        """The same for each delivery of this event, and for no other event."""
        return f"{self.resource_id}/{self.version}"

    @property
    def type(self) -> str:
        return f"{self.resource}.{self.operation}"

    def to_json(self) -> str:
        """Return the event in the JSON format of CloudEvents, structured mode."""
        return json.dumps(self.document(), separators=(",", ":"))

    def document(self) -> dict[str, Any]:
        """Return the event as a JSON object."""
        return {
            "specversion": SPECVERSION,
            "id": self.id,
            "source": SOURCE,
            "type": self.type,
            "subject": self.resource_id,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": {"id": self.resource_id, "version": self.version, "time": self.time},
        }
