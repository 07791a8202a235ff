"""The scheduled function of the relay: what it sends to EventBridge, and what it logs."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from chalice.test import Client

import app
from chalicelib.database import Database
from chalicelib.events import bus, relay
from chalicelib.events.cloudevents import Event
from tests.api import ADA, Api
from tests.conftest import Lines

EVENT = Client(app.app).events.generate_cw_event("aws.events", "Scheduled Event", {}, [])
Run = Callable[..., None]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Stub EventBridge. It checks requests and responses against AWS's model."""
    session = boto3.Session("a", "b", region_name="eu-west-1")
    client = session.client("events", config=bus._CONFIG)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def run(api: Api, database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return the function, which sends every version at once, after its first run."""
    del api  # for its database
    database.execute("DELETE FROM relay_positions")
    monkeypatch.setattr(relay, "DELAY_SECONDS", 0)
    monkeypatch.setenv("EVENT_BUS", "customers-prod")

    def invoke(milliseconds_left: int = 55_000) -> None:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds_left)
        app.relay_events(EVENT, context)

    return invoke


def accepted(*ids: str | None) -> dict[str, Any]:
    """Return AWS's response. None is a rejected entry."""
    failed = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
    entries = [{"EventId": event_id} if event_id else failed for event_id in ids]
    return {"FailedEntryCount": ids.count(None), "Entries": entries}


def test_stage_without_a_bus_does_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement would keep its database from pausing."""
    monkeypatch.delenv("EVENT_BUS")
    monkeypatch.setattr(app, "database", lambda: pytest.fail("it used the database"))

    run()


def test_entry_contains_the_event(stub: Stubber) -> None:
    event = Event("customer", "created", "01a2", 1, "2026-01-31T12:00:00.123Z")
    entry = {
        "EventBusName": "customers-prod",
        "Source": "customers",
        "DetailType": "customer.created",
        "Detail": event.to_json(),
        "Time": datetime(2026, 1, 31, 12, 0, 0, 123_000, UTC),
    }
    stub.add_response("put_events", accepted("1"), {"Entries": [entry]})

    assert bus.EventBridge("customers-prod").put([event]) == [True]


def test_rejected_entries_of_a_call_are_sent_again(run: Run, stub: Stubber, api: Api) -> None:
    run()
    batch = {"items": [ADA | {"email": f"{n}@example.com"} for n in range(3)]}
    api.post("/customers/batch", batch)
    stub.add_response("put_events", accepted("1", None, "3"), {"Entries": [ANY, ANY, ANY]})
    stub.add_response("put_events", accepted("2"), {"Entries": [ANY]})

    run()


def test_rejected_call_fails_the_run_and_is_repeated_by_the_next(
    run: Run, stub: Stubber, api: Api, lines: Lines
) -> None:
    run()
    api.post("/customers", ADA)
    stub.add_client_error("put_events", "AccessDeniedException", http_status_code=400)
    with pytest.raises(ClientError):
        run()
    stub.add_response("put_events", accepted("1"), {"Entries": [ANY]})

    run()

    assert [line["events"] for line in lines("relay") if line["events"]] == [1]


def test_lag_is_a_metric(run: Run, stub: Stubber, lines: Lines) -> None:
    del stub
    run()
    run()

    line = lines("relay")[-1]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Customers"
    assert directive["Metrics"] == [{"Name": "RelayLag", "Unit": "Seconds"}]
    assert directive["Dimensions"] == [["Stage"]]
    assert (line["Stage"], line["operation"]) == ("local", "relay_events")
    assert line["RelayLag"] >= 0


def test_run_stops_before_its_timeout(run: Run, stub: Stubber, api: Api, lines: Lines) -> None:
    """The next run continues; Lambda would report a run that times out as a failure."""
    del stub
    run()
    api.post("/customers", ADA)

    before = len(lines("relay"))
    run(app.RELAY_RESERVE_MS - 1)

    assert [line["events"] for line in lines("relay")[before:]] == [0]
