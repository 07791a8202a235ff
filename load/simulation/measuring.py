"""Measure the local stack for the calibration: `python -m load.simulation.measuring`.

Starts a separate stack (MariaDB, Data API server, gateway) on free ports, and sends the request mix
of the simulation. Single requests come first, one after the other. Then follows Poisson traffic at
several rates, below and above the capacity of one gateway. A response time starts when the request
was due, so a slow response delays no other request. These measurements alternate, `--rounds` times.
Each waits until other programs are idle, and is discarded if they become busy meanwhile. The
results are written to load/simulation/measured.json.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from statistics import mean
from typing import Any, TypeVar

import psutil
from tqdm import tqdm

from load.simulation import MEASURED
from load.simulation.figures import rounded
from load.simulation.sending import alone, open_loop
from load.traffic.target import private
from local.processes import LocalError

SHARES = (0.2, 0.4, 0.6, 0.8, 0.9, 1.2)
"""Rates, as shares of the capacity of a gateway."""
SECONDS = 3.0
QUIET, WATCHED = 0.3, 0.5
"""Maximum cores that other programs use during a measurement, and in how many seconds before."""


Measured = TypeVar("Measured")


class Meter:
    """Cores used since creation by other programs: all except this process and its children."""

    def __init__(self) -> None:
        self._start, self._before = time.perf_counter(), self._read()

    @staticmethod
    def _read() -> float:
        me, every = psutil.Process(), psutil.cpu_times()
        ours = [each.cpu_times() for each in (me, *me.children(recursive=True))]
        busy = sum(every) - every.idle - every.iowait
        return float(busy - sum(each.user + each.system for each in ours))

    def others(self) -> float:
        return (self._read() - self._before) / (time.perf_counter() - self._start)


def in_quiet(
    measured: Callable[[], Coroutine[Any, Any, Measured]], deadline: float
) -> Measured | None:
    """Repeat a measurement until other programs were idle; return None at the deadline."""
    while time.monotonic() < deadline:
        before = Meter()
        time.sleep(WATCHED)
        if before.others() > QUIET:
            continue
        meanwhile = Meter()
        found = asyncio.run(measured())
        if meanwhile.others() <= QUIET:
            return found
    return None


def measure(rounds: int, patience: float) -> dict[str, Any]:
    """Return the samples of single requests, and the measurements of each rate.

    There may be fewer rounds than requested. Raises LocalError if no round succeeded.
    """
    chance, deadline = random.Random("measuring"), time.monotonic() + patience
    samples: list[tuple[float, float]] = []
    loads: dict[str, list[dict[str, float]]] = {str(share): [] for share in SHARES}
    with private() as target:
        asyncio.run(alone(target, chance))  # discarded: the first requests import modules
        for share in tqdm([None, *SHARES] * rounds, desc="measuring"):
            if share is None:
                samples += in_quiet(partial(alone, target, chance), deadline) or []
            elif samples:
                rate = share / mean(worked for _, worked in samples)
                seen = in_quiet(partial(open_loop, target, rate, SECONDS, chance), deadline)
                loads[str(share)] += [seen] if seen else []
    if not all(loads.values()):
        raise LocalError("other programs were busy. Stop them and try again")
    return {"machine": machine(), "seconds": SECONDS, "samples": samples, "loads": loads}


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> int:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(
        prog="python -m load.simulation.measuring", description="Measure the local stack."
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="number of measurements per rate (%(default)s)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=1_800,
        help="seconds to wait for other programs to become idle (%(default)s)",
    )
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.patience <= 0:
        parser.error("--rounds and --patience must be greater than 0")
    try:
        measured = measure(arguments.rounds, arguments.patience)
    except (LocalError, OSError) as error:
        sys.exit(f"measuring: {error}")
    except KeyboardInterrupt:
        sys.exit("measuring: stopped; nothing was written")
    MEASURED.write_text(json.dumps(rounded(measured)) + "\n")
    print(f"{MEASURED}: {min(map(len, measured['loads'].values()))} rounds or more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
