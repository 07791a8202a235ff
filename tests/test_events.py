"""The documents of the events match the events that are sent, and each other."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from jsonschema import Draft202012Validator

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database
from chalicelib.events import relay
from chalicelib.events.cloudevents import OPERATIONS, Event
from openapi import ASYNCAPI, EVENT_SCHEMA, events
from tests.api import ADA, Api
from tests.test_relay import Bus, run

VALIDATOR = Draft202012Validator(
    json.loads(EVENT_SCHEMA.read_text()), format_checker=Draft202012Validator.FORMAT_CHECKER
)
DOCUMENT = json.loads(ASYNCAPI.read_text())
PAGE = Path("docs/events.md").read_text(encoding="utf-8")
each_operation = pytest.mark.parametrize("operation", OPERATIONS)


@pytest.fixture
def sent(api: Api, database: Database, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Return an event of each operation, as the relay has sent it."""
    database.execute("DELETE FROM relay_positions")
    monkeypatch.setattr(relay, "DELAY_SECONDS", 0)
    run(database, Bus())
    path = api.post("/customers", ADA).headers["Location"]
    api.patch(path, {"locale": "fr"})
    api.delete(path)
    api.post(f"{path}/restore")
    bus = Bus()
    run(database, bus)
    api.post(f"{path}/erase")
    run(database, bus)
    return bus.events


def test_sent_events_are_valid(sent: list[Event]) -> None:
    """By CloudEvents' own library, by our schema, and without personal data."""
    assert [event.operation for event in sent] == list(OPERATIONS)
    for event in sent:
        text = event.to_json()
        parsed = JSONFormat().read(CloudEvent, text)
        document = json.loads(text)
        assert (parsed.get_id(), parsed.get_type()) == (event.id, event.type)
        assert [*VALIDATOR.iter_errors(document)] == []
        for value in ADA.values():
            assert value not in text


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"id": "7"},
        {"type": "customer.changed"},
        {"subject": "x"},
        {"time": "yesterday"},
        {"data": {}},
        {"data": {"id": events.EXAMPLE[0], "version": 0, "time": events.EXAMPLE[2]}},
    ],
)
def test_schema_rejects_other_events(change: dict[str, Any]) -> None:
    document = events.example("created").document()

    assert VALIDATOR.is_valid(document)
    assert not VALIDATOR.is_valid(document | change)


@pytest.mark.parametrize("name", events.schema()["required"])
def test_schema_requires_each_attribute(name: str) -> None:
    document = events.example("created").document()
    del document[name]

    assert not VALIDATOR.is_valid(document)


@each_operation
def test_asyncapi_document_has_a_message_with_an_example(operation: str) -> None:
    message = DOCUMENT["components"]["messages"][operation]
    (example,) = message["examples"]

    assert message["name"] == example["payload"]["type"] == f"{CUSTOMERS.name}.{operation}"
    assert VALIDATOR.is_valid(example["payload"])
    reference = DOCUMENT["channels"]["customers"]["messages"][operation]["$ref"]
    assert reference == f"#/components/messages/{operation}"


def test_page_shows_a_valid_event_and_every_type() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    types = re.findall(r"^\| `(customer\.\w+)` \|", PAGE, re.MULTILINE)

    assert json.loads(block) == events.example("updated").document()
    assert types == [f"{CUSTOMERS.name}.{operation}" for operation in OPERATIONS]
