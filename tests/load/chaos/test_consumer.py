"""The consumer of the events: it keeps what it accepts, also if its response gets lost."""

import json
from http import HTTPStatus
from random import Random

import requests

from load.chaos.consumer import Consumer, consuming


class Fixed(Random):
    """Returns the same number always."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self._number = number

    def random(self) -> float:
        return self._number


def outcome(number: float, *, is_down: bool = False) -> tuple[HTTPStatus | None, int]:
    """Return the response to an event, and the number of events that were kept."""
    consumer = Consumer(Fixed(number))
    if is_down:
        consumer.fail(60)
    return consumer.accept(b"{}"), len(consumer.events)


def test_consumer_keeps_exactly_what_it_does_not_reject() -> None:
    assert outcome(0.01) == (HTTPStatus.SERVICE_UNAVAILABLE, 0)
    assert outcome(0.06) == (None, 1)
    assert outcome(0.5) == (HTTPStatus.NO_CONTENT, 1)
    assert outcome(0.5, is_down=True) == (HTTPStatus.SERVICE_UNAVAILABLE, 0)


def test_running_consumer_accepts_events_in_order() -> None:
    with consuming(Fixed(0.5)) as consumer:
        for number in range(3):
            response = requests.post(consumer.url, json.dumps({"id": number}), timeout=10)
            assert response.status_code == HTTPStatus.NO_CONTENT
    assert [event["id"] for event in consumer.events] == [0, 1, 2]
