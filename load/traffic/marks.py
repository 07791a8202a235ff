"""What a service must hold to pass, and whether it did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from load.traffic.outcomes import Outcome
from load.traffic.trend import quantile

STEADY, SPIKE, RECOVERY = "steady", "spike", "recovery"
READS = frozenset({"get", "get, known", "wrong input"})
# of the limit, and how many requests it takes to tell
QUANTILES = {"p50": (0.5, 1, 5), "p95": (0.95, 3, 40), "p99": (0.99, 6, 200)}
GOOD = 0.9
"""Share of a second's requests that is as under steady load, once the service has recovered."""


class Mark(NamedTuple):
    """What was measured beside what is allowed."""

    name: str
    allowed: str
    measured: str
    is_held: bool


@dataclass(frozen=True)
class Marks:
    """The limits: `limit` is the median of a read in milliseconds, and all others follow from it.

    A list or a write may take twice as long; 95 % may take three times as long as the median may,
    99 % six times.
    """

    limit: float = 100.0
    unexpected: float = 0.0
    """Percent of the answers under steady load that may be other than they should be."""
    quick: float = 1.0
    """Seconds within which the service says that it has too much to do."""
    recovery: float = 15.0
    """Seconds after the spike from which all is again as under steady load."""

    def judge(self, outcomes: Sequence[Outcome]) -> list[Mark]:
        """Return each mark that the outcomes tell something about."""
        by_phase = {phase: _of(outcomes, phase) for phase in (STEADY, SPIKE, RECOVERY)}
        marks: list[Mark] = []
        if steady := by_phase[STEADY]:
            marks += [self._unexpected(steady), *self._latencies(steady)]
        if spike := by_phase[SPIKE]:
            marks += self._overload(spike)
        if spike and (after := by_phase[RECOVERY]):
            marks.append(self._recovery(after))
        return marks

    def milliseconds(self, operation: str, name: str) -> float:
        """Return how long so large a share of an operation may take."""
        return self.limit * QUANTILES[name][1] * (1 if operation in READS else 2)

    def _unexpected(self, outcomes: Sequence[Outcome]) -> Mark:
        share = 100 * sum(bool(outcome.fault) for outcome in outcomes) / len(outcomes)
        allowed, measured = f"{self.unexpected:g} %", f"{share:.2g} %"
        return Mark("steady: unexpected answers", allowed, measured, share <= self.unexpected)

    def _latencies(self, outcomes: Sequence[Outcome]) -> Iterator[Mark]:
        for operation in sorted({outcome.operation for outcome in outcomes}):
            times = [
                outcome.latency * 1000 for outcome in outcomes if outcome.operation == operation
            ]
            for name, (share, _, enough) in QUANTILES.items():
                if len(times) >= enough:
                    allowed, took = self.milliseconds(operation, name), quantile(times, share)
                    words = f"{allowed:.0f} ms", f"{took:.0f} ms"
                    yield Mark(f"steady: {operation}, {name}", *words, took <= allowed)

    def _overload(self, outcomes: Sequence[Outcome]) -> Iterator[Mark]:
        faults = [outcome for outcome in outcomes if outcome.fault and not outcome.is_refusal]
        yield Mark("spike: anything but 429 and 503", "0", str(len(faults)), not faults)
        refused = [outcome.latency - outcome.late for outcome in outcomes if outcome.is_refusal]
        slowest = max(refused, default=0.0)
        words = f"{self.quick:g} s", f"{slowest:.2g} s, of {len(refused)}"
        yield Mark("spike: slowest refusal", *words, slowest <= self.quick)

    def _recovery(self, outcomes: Sequence[Outcome]) -> Mark:
        start = min(outcome.due for outcome in outcomes)
        good: dict[int, list[bool]] = {}
        for outcome in outcomes:
            good.setdefault(int(outcome.due - start), []).append(self._is_good(outcome))
        bad = [second for second, verdicts in good.items() if sum(verdicts) < GOOD * len(verdicts)]
        took = max(bad, default=-1) + 1
        words = f"{self.recovery:g} s", f"{took} s"
        return Mark("recovery after the spike", *words, took <= self.recovery)

    def _is_good(self, outcome: Outcome) -> bool:
        allowed = self.milliseconds(outcome.operation, "p99")
        return not outcome.fault and outcome.latency * 1000 <= allowed


def _of(outcomes: Sequence[Outcome], phase: str) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.phase == phase]
