"""Kill the relays, and let the consumer of their events fail, until all events are sent."""

import time
from collections.abc import Mapping
from random import Random
from typing import Any

from load.chaos.consumer import Consumer
from load.chaos.faults import CONSUMER_DOWN, RELAY_KILLED
from load.chaos.history import Fault, Log, now
from load.chaos.service import Service
from load.chaos.workers import Worker

DOWN_SECONDS = (0.2, 2.0)
PATIENCE_SECONDS = 120.0
IS_SENT = "SELECT name FROM relay_positions WHERE sent_until >= FROM_UNIXTIME({moment:f})"


class Relays(Worker):
    """Injects faults on the way of the events, one after another."""

    pause = (2.0, 6.0)

    def __init__(self, service: Service, consumer: Consumer, log: Log, rng: Random) -> None:
        super().__init__("relays", log, rng)
        self._service = service
        self._consumer = consumer

    def step(self) -> None:
        began = now()
        if self._rng.random() < 0.5:
            self._service.restart_relay(self._consumer.url)
            self._log.add(Fault(RELAY_KILLED, began, now()))
        else:
            seconds = self._rng.uniform(*DOWN_SECONDS)
            self._consumer.fail(seconds)
            self._log.add(Fault(CONSUMER_DOWN, began, began + seconds))

    def catch_up(self, moment: float) -> list[Mapping[str, Any]]:
        """Return all events, when a relay has sent those until the moment.

        If no relay does so, events are missing.
        """
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and not self._is_sent(moment):
            time.sleep(0.1)
        return [*self._consumer.events]

    def _is_sent(self, moment: float) -> bool:
        return bool(self._service.database.ask(IS_SENT.format(moment=moment)))
