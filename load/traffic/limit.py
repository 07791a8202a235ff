"""Find the highest rate that the service sustains, and its behavior beyond: rising load steps."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psutil

from load.traffic.arrivals import Phase
from load.traffic.outcomes import Outcome, quantile
from load.traffic.report import Row
from load.traffic.running import Traffic
from load.traffic.target import Target
from load.traffic.thresholds import Thresholds

STEP_SECONDS = 8.0
HIGHER = 1.3
BEYOND = (2.0, 10.0)
HEAD = (
    "load",
    "due per second",
    "sent per second",
    "completed per second",
    "p50",
    "p95",
    "slowest",
    "429, 503",
    "slowest 429, 503",
    "sender late",
    "faults",
)


class Step(NamedTuple):
    """A load step, its outcomes, and the share of a core that each program used."""

    name: str
    rate: float
    outcomes: Sequence[Outcome]
    cores: Mapping[str, float]

    @property
    def throughput(self) -> float:
        """Return the successful responses per second, until the last one arrived."""
        completed = [
            outcome.due + outcome.latency for outcome in self.outcomes if not outcome.fault
        ]
        return len(completed) / max(STEP_SECONDS, *completed, 0.0)

    @property
    def sent_rate(self) -> float:
        """Return the requests sent per second: fewer than are due if the sender is late."""
        sent = [outcome.due + outcome.late for outcome in self.outcomes]
        return len(sent) / max(STEP_SECONDS, *sent, 0.0)

    def meets(self, thresholds: Thresholds) -> bool:
        """Return whether p95 meets the limit for lists, and 99 % of the responses are correct."""
        times = [outcome.latency * 1000 for outcome in self.outcomes]
        faults = sum(bool(outcome.fault) for outcome in self.outcomes)
        if not times:
            return False
        is_quick = quantile(times, 0.95) <= thresholds.milliseconds("list", "p95")
        return is_quick and faults <= 0.01 * len(times)

    def row(self, programs: Sequence[str]) -> Row:
        times = [outcome.latency for outcome in self.outcomes]
        overloads = [outcome.response_time for outcome in self.outcomes if outcome.is_overload]
        return (
            self.name,
            f"{self.rate:.0f}",
            f"{self.sent_rate:.0f}",
            f"{self.throughput:.0f}",
            *(f"{quantile(times, share):.2f} s" for share in (0.5, 0.95, 1)),
            str(len(overloads)),
            f"{max(overloads):.2f} s" if overloads else "",
            f"{max(outcome.late for outcome in self.outcomes):.2f} s",
            str(sum(bool(outcome.fault) for outcome in self.outcomes) - len(overloads)),
            *(f"{self.cores[name]:.2f}" for name in programs),
        )


async def find(sending: Traffic, target: Target, rate: float, thresholds: Thresholds) -> list[Step]:
    """Raise the rate until a step fails, then apply two and ten times the last good rate.

    Half of the limit follows each overload, to show how soon the service recovers.
    """
    steps = [await _step(sending, target, "up", rate)]
    while steps[-1].meets(thresholds) and not sending.is_stopped:
        steps.append(await _step(sending, target, "up", steps[-1].rate * HIGHER))
    held = max((step.rate for step in steps if step.meets(thresholds)), default=rate)
    for times in BEYOND:
        steps.append(await _step(sending, target, f"{times:g} times", held * times))
        steps.append(await _step(sending, target, "then half", held / 2))
    return [step for step in steps if step.outcomes]


def table(steps: Sequence[Step]) -> list[Row]:
    """Return a row for each step, with the number of cores that each program used."""
    programs = list(steps[0].cores)
    return [(*HEAD, *(f"{name}, cores" for name in programs)), *(s.row(programs) for s in steps)]


async def _step(sending: Traffic, target: Target, name: str, rate: float) -> Step:
    outcomes: list[Outcome] = []
    programs = {**target.programs, "sender": psutil.Process()}
    start, before = time.monotonic(), _cpu_shares(programs)
    await sending.send([Phase(name, STEP_SECONDS, rate, rate)], outcomes.append)
    seconds, after = time.monotonic() - start, _cpu_shares(programs)
    cores = {program: (after[program] - before[program]) / seconds for program in programs}
    return Step(name, rate, outcomes, cores)


def _cpu_shares(programs: Mapping[str, psutil.Process]) -> dict[str, float]:
    return {name: sum(program.cpu_times()[:2]) for name, program in programs.items()}
