"""Steady load for an hour, and whether anything grows meanwhile: `python -m load.traffic.soak`."""

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psutil
from tqdm import tqdm

from load.traffic import samples
from load.traffic.arrivals import Phase, arrivals
from load.traffic.customers import Customers
from load.traffic.lifecycle import make
from load.traffic.mix import Mix
from load.traffic.samples import Sample
from load.traffic.sending import Outcome, Sender, sender
from load.traffic.target import Target, TargetError, own
from local.processes import LocalError

EVERY = 5.0
"""Seconds from one sample to the next."""


class Soak:
    """A run: sends, and writes a line of what is seen and held every few seconds."""

    def __init__(self, arguments: argparse.Namespace, target: Target, file: IO[str]) -> None:
        self._arguments = arguments
        self._target = target
        self._file = file
        self._stop = asyncio.Event()
        self._window: list[Outcome] = []

    async def run(self) -> None:
        """Send until the time is up, or Ctrl-C or SIGTERM comes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        async with sender(self._target.base_url, self._target.token) as sending:
            sampling = asyncio.create_task(self._sample())
            try:
                await self._send(sending)
            finally:
                sampling.cancel()

    async def _send(self, sending: Sender) -> None:
        arguments = self._arguments
        chance = random.Random(arguments.seed)
        customers = Customers(f"soak-{int(time.time()):x}", chance)
        await make(sending, customers, arguments.customers)
        phase = Phase("steady", arguments.minutes * 60, arguments.rate, arguments.rate)
        schedule = arrivals([phase], random.Random(arguments.seed))
        await sending.run(schedule, Mix(customers, chance).draw, self._window.append, self._stop)

    async def _sample(self) -> None:
        start = time.monotonic()
        seconds = self._arguments.minutes * 60
        with tqdm(total=round(seconds), unit=" s", disable=None) as bar:
            while True:
                await asyncio.sleep(EVERY)
                at = time.monotonic() - start
                bar.update(round(at) - bar.n)
                if self._window:
                    self._write(at)

    def _write(self, at: float) -> None:
        window, self._window[:] = list(self._window), []
        sample = Sample(
            at=round(at, 1),
            requests=len(window),
            faults=Counter(f"{each.operation}: {each.fault}" for each in window if each.fault),
            values={
                **samples.held(self._target.programs),
                **samples.seen(window),
                "machine: load": round(os.getloadavg()[0], 2),
            },
        )
        self._file.write(json.dumps(sample) + "\n")
        self._file.flush()


def main() -> int:
    """Soak, and say whether all stayed flat; return the exit code."""
    arguments = _parser().parse_args()
    try:
        if not arguments.judge:
            _soak(arguments)
    except (TargetError, LocalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _soak(arguments: argparse.Namespace) -> None:
    arguments.output.mkdir(parents=True, exist_ok=True)
    with own() as target, (arguments.output / "samples.jsonl").open("w") as file:
        file.write(json.dumps(_head(arguments)) + "\n")
        asyncio.run(Soak(arguments, target, file).run())


def _head(arguments: argparse.Namespace) -> Mapping[str, object]:
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "minutes": arguments.minutes,
        "rate": arguments.rate,
        "seed": arguments.seed,
        "customers": arguments.customers,
        "machine": f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB",
        "python": platform.python_version(),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m load.traffic.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long (%(default)s)")
    parser.add_argument("--rate", type=float, default=20, help="requests a second (%(default)s)")
    parser.add_argument("--customers", type=int, default=200, help="made before (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of chance (%(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path("artifacts/soak"), help="directory (%(default)s)"
    )
    parser.add_argument(
        "--judge", type=Path, metavar="SAMPLES", help="judge what a run has written so far"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
