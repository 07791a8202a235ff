"""Measure the local stack to calibrate the simulation: `python -m load.simulation.measuring`.

Starts a private stack (MariaDB, Data API server, gateway) on free ports, and sends the request mix
of the simulation: first one request at a time, to measure each alone; then Poisson arrivals at
several rates, below and above the capacity of one gateway. Latencies count from when a request was
due, so a slow response delays no other request. The program repeats these measurements `--rounds`
times. It measures only while other programs leave the CPU idle, and discards disturbed
measurements. It writes the others to docs/scaling/measured.json.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from tqdm import tqdm

from load.simulation import MEASURED
from load.simulation.figures import rounded
from load.simulation.sending import Target, alone, open_loop
from local.issuer import Issuer
from local.processes import Child, LocalError, answers, free_port
from local.stack import Settings, Stack

SHARES = (0.2, 0.4, 0.6, 0.8, 0.9, 1.2)
"""Rates, as shares of the throughput of a gateway that is never idle."""
SECONDS = 3.0
QUIET, WATCHED = 0.3, 0.5
"""Maximum number of cores that other programs may use, and the length of the check in seconds."""


class Meter:
    """Measures the CPU use of all processes except this one and its children, in cores."""

    def __init__(self) -> None:
        self._start, self._before = time.perf_counter(), self._read()

    @staticmethod
    def _read() -> float:
        me, every = psutil.Process(), psutil.cpu_times()
        ours = [process.cpu_times() for process in (me, *me.children(recursive=True))]
        busy = sum(every) - every.idle - every.iowait
        return float(busy - sum(our.user + our.system for our in ours))

    def others(self) -> float:
        return (self._read() - self._before) / (time.perf_counter() - self._start)


def in_quiet(measurement: Callable[[], Any], deadline: float) -> Any:
    """Repeat the measurement until no other program disturbed it.

    Returns None after the deadline.
    """
    while time.monotonic() < deadline:
        before = Meter()
        time.sleep(WATCHED)
        if before.others() > QUIET:
            continue
        meanwhile = Meter()
        found = measurement()
        if meanwhile.others() <= QUIET:
            return found
    return None


@contextmanager
def running(directory: Path) -> Iterator[Target]:
    """Run a stack with 200 customers, without traces.

    Its console only publishes the issuer's keys.
    """
    names = ("PORT", "DATA_API_PORT", "DATABASE_PORT", "CONSOLE_PORT", "XRAY_PORT")
    ports = {name: str(free_port()) for name in names}
    settings = Settings.from_environ({**ports, "LOCAL_STATE": str(directory)})
    stack = Stack(settings)
    environment = {name: v for name, v in os.environ.items() if not name.startswith("DATABASE_")}
    command = [sys.executable, "-m", "local.gateway", "--port", ports["PORT"]]
    try:
        stack.start(api=False)
        log = directory / "logs" / "gateway.log"
        with Child("gateway", command, log, environment | settings.api_environment) as child:
            child.wait_until(lambda: answers(settings.port), seconds=20)
            yield Target(settings.port, child, Issuer(directory, settings.console_url).token())
    finally:
        stack.close()


def measure(rounds: int, patience: float) -> dict[str, Any]:
    """Return the samples of single requests, and the results of each rate by its share.

    May return fewer rounds than requested. Raises LocalError if there is none.
    """
    rng, deadline = random.Random("measuring"), time.monotonic() + patience
    samples: list[tuple[float, float]] = []
    loads: dict[str, list[dict[str, float]]] = {str(share): [] for share in SHARES}
    with TemporaryDirectory(prefix="simulation-") as directory, running(Path(directory)) as target:
        asyncio.run(alone(target, rng))  # warms up, so that imports are not measured
        for share in tqdm([None, *SHARES] * rounds, desc="measuring"):
            if share is None:
                samples += in_quiet(lambda: asyncio.run(alone(target, rng)), deadline) or []
            elif samples:
                rate = share / mean(worked for _, worked in samples)
                seen = in_quiet(partial(_load, target, rate, rng), deadline)
                loads[str(share)] += [seen] if seen else []
    if not all(loads.values()):
        raise LocalError("other programs kept the CPU busy: stop them and try again")
    return {"machine": machine(), "seconds": SECONDS, "samples": samples, "loads": loads}


def _load(target: Target, rate: float, rng: random.Random) -> dict[str, float]:
    return asyncio.run(open_loop(target, rate, SECONDS, rng))


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> int:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(
        prog="python -m load.simulation.measuring", description="Measure the local stack."
    )
    parser.add_argument("--rounds", type=int, default=7, help="number of rounds (%(default)s)")
    parser.add_argument(
        "--patience",
        type=float,
        default=1_800,
        help="maximum seconds to wait for an idle machine (%(default)s)",
    )
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.patience <= 0:
        parser.error("--rounds and --patience must be more than 0")
    try:
        measured = measure(arguments.rounds, arguments.patience)
    except (LocalError, OSError) as error:
        sys.exit(f"measuring: {error}")
    except KeyboardInterrupt:
        sys.exit("measuring: interrupted; nothing was written")
    MEASURED.write_text(json.dumps(rounded(measured), indent=1) + "\n")
    print(f"{MEASURED}: {min(map(len, measured['loads'].values()))} rounds or more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
