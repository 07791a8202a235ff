"""Where the service's limit is, and what happens beyond it: steps of load, each higher."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psutil

from load.traffic.arrivals import Phase
from load.traffic.marks import Marks
from load.traffic.outcomes import Outcome
from load.traffic.report import Row
from load.traffic.running import Traffic
from load.traffic.target import Target
from load.traffic.trend import quantile

STEP_SECONDS = 8.0
HIGHER = 1.3
BEYOND = (2.0, 10.0)
HEAD = ("load", "due a second", "answered a second", "p50", "p95", "slowest", "429, 503", "faults")


class Step(NamedTuple):
    """A step of load, what came of it, and the share of a core that each program had."""

    name: str
    rate: float
    outcomes: Sequence[Outcome]
    cores: Mapping[str, float]

    @property
    def answered(self) -> float:
        """Answers a second that were right, until the last of them was there."""
        right = [outcome.due + outcome.latency for outcome in self.outcomes if not outcome.fault]
        return len(right) / max(STEP_SECONDS, *right, 0.0)

    def holds(self, marks: Marks) -> bool:
        """Whether 95 % were answered in the time that 95 % of lists may take, and 99 % rightly."""
        times = [outcome.latency * 1000 for outcome in self.outcomes]
        faults = sum(bool(outcome.fault) for outcome in self.outcomes)
        if not times:
            return False
        is_quick = quantile(times, 0.95) <= marks.milliseconds("list", "p95")
        return is_quick and faults <= 0.01 * len(times)

    def row(self, programs: Sequence[str]) -> Row:
        times = [outcome.latency for outcome in self.outcomes]
        refused = sum(outcome.is_refusal for outcome in self.outcomes)
        return (
            self.name,
            f"{self.rate:.0f}",
            f"{self.answered:.0f}",
            *(f"{quantile(times, share):.2f} s" for share in (0.5, 0.95, 1)),
            str(refused),
            str(sum(bool(outcome.fault) for outcome in self.outcomes) - refused),
            *(f"{self.cores[name]:.2f}" for name in programs),
        )


async def find(sending: Traffic, target: Target, rate: float, marks: Marks) -> list[Step]:
    """Go up from a rate until a step does not hold; then twice and ten times the last that did.

    After each overload, half of the limit tells how soon all is well again.
    """
    steps = [await _step(sending, target, "up", rate)]
    while steps[-1].holds(marks) and not sending.is_stopped:
        steps.append(await _step(sending, target, "up", steps[-1].rate * HIGHER))
    held = max((step.rate for step in steps if step.holds(marks)), default=rate)
    for times in BEYOND:
        steps.append(await _step(sending, target, f"{times:g} times", held * times))
        steps.append(await _step(sending, target, "then half", held / 2))
    return [step for step in steps if step.outcomes]


def table(steps: Sequence[Step]) -> list[Row]:
    """Return a row of each step, with the cores that each program kept busy."""
    programs = list(steps[0].cores)
    return [(*HEAD, *(f"{name}, cores" for name in programs)), *(s.row(programs) for s in steps)]


async def _step(sending: Traffic, target: Target, name: str, rate: float) -> Step:
    outcomes: list[Outcome] = []
    programs = {**target.programs, "sender": psutil.Process()}
    start, before = time.monotonic(), _worked(programs)
    await sending.send([Phase(name, STEP_SECONDS, rate, rate)], outcomes.append)
    seconds, after = time.monotonic() - start, _worked(programs)
    cores = {program: (after[program] - before[program]) / seconds for program in programs}
    return Step(name, rate, outcomes, cores)


def _worked(programs: Mapping[str, psutil.Process]) -> dict[str, float]:
    return {name: sum(program.cpu_times()[:2]) for name, program in programs.items()}
