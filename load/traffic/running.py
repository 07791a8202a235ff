"""Run a load test: create customers, send requests, and clean up, also after Ctrl-C."""

import asyncio
import random
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tqdm import tqdm

from load.traffic.arrivals import Arrival, Phase, arrivals
from load.traffic.customers import Customers
from load.traffic.lifecycle import erase, make
from load.traffic.mix import Mix
from load.traffic.outcomes import Outcome
from load.traffic.sending import Sender, sender
from load.traffic.target import Target


class Traffic:
    """Sends phases of load until `stop` is set."""

    def __init__(self, sending: Sender, mix: Mix, seed: int, stop: asyncio.Event) -> None:
        self._sending = sending
        self._mix = mix
        self._seed = seed
        self._stop = stop

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_set()

    async def send(self, phases: Sequence[Phase], record: Callable[[Outcome], None]) -> None:
        """Send all phases with a progress bar, and record the outcome of each request."""
        schedule = arrivals(phases, random.Random(self._seed))
        with tqdm(
            total=round(sum(phase.seconds for phase in phases)), unit=" s", disable=None
        ) as bar:
            watched = Watched(bar, record)
            shown = map(watched.advance, schedule)
            await self._sending.run(shown, self._mix.draw, watched.record, self._stop)


class Watched:
    """Advances a progress bar with the arrivals, and counts the outcomes."""

    def __init__(self, bar: "tqdm[Any]", record: Callable[[Outcome], None]) -> None:
        self._bar = bar
        self._record = record
        self._faults = 0
        self._answers = 0

    def record(self, outcome: Outcome) -> None:
        self._answers += 1
        self._faults += bool(outcome.fault)
        self._record(outcome)

    def advance(self, arrival: Arrival) -> Arrival:
        if int(arrival.due) > self._bar.n:
            text = f"{arrival.phase}: {self._answers} responses, {self._faults} faults"
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(int(arrival.due) - self._bar.n)
        return arrival


@asynccontextmanager
async def traffic(target: Target, customers: int, seed: int) -> AsyncIterator[Traffic]:
    """Create customers, and erase the run's customers at the end, unless the stack is private."""
    stop = _stopped_by_signals()
    made = Customers(f"load-{secrets.token_hex(4)}", random.Random(seed))
    async with sender(target.base_url, target.token) as sending:
        try:
            await make(sending, made, customers)
            yield Traffic(sending, Mix(made, random.Random(seed)), seed, stop)
        finally:
            if not target.is_private:
                stop.clear()  # the next Ctrl-C interrupts this, too
                await _erase(sending, made.mark, stop)


async def _erase(sending: Sender, mark: str, stop: asyncio.Event) -> None:
    if not await erase(sending, mark, stop):
        print(
            f"Customers are left, {mark}-1@example.com and so on: find them with q={mark}, erase"
            " them with a token of scope customers:erase",
            file=sys.stderr,
        )


def _stopped_by_signals() -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop
