"""The relay of a laptop delivers signed events, and repeats what the consumer rejects."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from chalicelib.database import Database, DatabaseUnavailable
from chalicelib.events import relay
from chalicelib.events.cloudevents import Event
from chalicelib.events.relay import EventsRejected, Progress
from local.console import events
from local.console.events import Deliveries
from local.processes import LocalError
from local.stack import EVENTS_SECRET, Settings
from tests.consumer import Consumer, consuming
from tests.test_relay import Writer, begin, seconds

CREATED = Event("customer", "created", "01a2043a-b5d2-7386-b484-33764a732a70", 1, "2026-01-31")


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    with consuming() as server:
        yield server


def test_delivery_is_signed_as_standard_webhooks_specifies(consumer: Consumer) -> None:
    assert Deliveries(consumer.url, EVENTS_SECRET).put([CREATED]) == [True]

    ((headers, body),) = consumer.requests
    assert Webhook(EVENTS_SECRET).verify(body, headers) == CREATED.document()
    assert headers["webhook-id"] == CREATED.id
    assert headers["content-type"] == "application/cloudevents+json"


@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
def test_rejected_event_is_not_accepted_and_shown(consumer: Consumer, status: int) -> None:
    consumer.statuses = [status]
    deliveries = Deliveries(consumer.url, EVENTS_SECRET)

    assert deliveries.put([CREATED]) == [False]
    assert deliveries.latest == [(CREATED, 1, str(status))]
    assert deliveries.put([CREATED]) == [True]
    assert deliveries.latest == [(CREATED, 2, "204")]
    assert len(consumer.requests) == 2


def test_unreachable_consumer_is_a_rejection() -> None:
    deliveries = Deliveries("http://127.0.0.1:1/hook", EVENTS_SECRET)

    assert deliveries.put([CREATED]) == [False]
    assert deliveries.latest == [(CREATED, 1, "ConnectionError")]


def test_event_without_a_consumer_is_only_shown() -> None:
    deliveries = Deliveries(None, EVENTS_SECRET)

    assert deliveries.put([CREATED]) == [True]
    (row,) = (delivery.row() for delivery in deliveries.latest)
    assert row == {
        "id": CREATED.id,
        "time": "2026-01-31",
        "type": "customer.created",
        "resource_id": CREATED.resource_id,
        "version": 1,
        "outcome": "no consumer",
        "attempts": 1,
    }


def test_only_the_latest_events_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 2)
    deliveries = Deliveries(None, EVENTS_SECRET)

    deliveries.put([CREATED._replace(version=version) for version in (1, 2, 3)])

    assert [delivery.event.version for delivery in deliveries.latest] == [3, 2]


class EndedError(Exception):
    """Ends the loop of `follow`."""


def test_pauses_grow_while_the_consumer_rejects(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Any] = [*[EventsRejected] * 5, DatabaseUnavailable("down"), None, EventsRejected]
    pauses: list[float] = []

    def run(*_: object) -> Iterator[Progress]:
        if outcome := outcomes.pop(0):
            raise outcome
        yield Progress(0, 60)

    def sleep(pause: float) -> None:
        pauses.append(pause)
        if not outcomes:
            raise EndedError

    monkeypatch.setattr(relay, "run", run)
    with pytest.raises(EndedError):
        events.follow(None, Deliveries(None, EVENTS_SECRET), sleep)  # type: ignore[arg-type]

    assert pauses == [10, 20, 40, 60, 60, 5, 5, 10]


def test_changes_reach_the_consumer(consumer: Consumer, database: Database) -> None:
    """Through the real relay; the consumer rejects every second request at first."""
    writer = Writer(database)
    for n, number in enumerate((1, 2, 1, 1)):
        writer.write(number, n - 8)
    begin(database, seconds(-60))
    consumer.statuses = [500, 204, 500, 204]

    def sleep(_: float) -> None:
        raise EndedError

    with pytest.raises(EndedError):
        events.follow(database, Deliveries(consumer.url, EVENTS_SECRET), sleep)

    delivered = [json.loads(body)["id"] for _, body in consumer.requests]
    assert len(delivered) == 6
    assert sorted(set(delivered)) == writer.ids


@pytest.mark.parametrize("url", ["127.0.0.1:9000", "ftp://a/b", "http://", "http://[", "hook"])
def test_malformed_url_is_an_error(url: str) -> None:
    with pytest.raises(LocalError, match="EVENTS_URL must be a URL"):
        Settings.from_environ({"EVENTS_URL": url})


@pytest.mark.parametrize("secret", ["whsec_", "whsec_YQ==", "whsec_!", "a" * 44, EVENTS_SECRET[6:]])
def test_malformed_secret_is_an_error_without_the_secret(secret: str) -> None:
    with pytest.raises(LocalError, match="EVENTS_SECRET must be") as error:
        Settings.from_environ({"EVENTS_SECRET": secret})
    assert secret not in str(error.value) or secret == "whsec_"


def test_secret_is_in_no_repr() -> None:
    assert EVENTS_SECRET not in repr(Settings.from_environ({}))
