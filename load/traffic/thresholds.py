"""Thresholds that a service must meet to pass, and their evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from load.traffic.outcomes import Outcome, quantile

STEADY, SPIKE, RECOVERY = "steady", "spike", "recovery"
READS = frozenset({"get", "get, known", "wrong input"})
# share, multiple of the limit, minimum number of requests
QUANTILES = {"p50": (0.5, 1, 5), "p95": (0.95, 3, 40), "p99": (0.99, 6, 200)}
GOOD = 0.9
"""Share of a second's requests that must be good for the service to count as recovered."""


class Threshold(NamedTuple):
    """A measurement and its threshold."""

    name: str
    allowed: str
    measured: str
    is_met: bool


@dataclass(frozen=True)
class Thresholds:
    """The thresholds.

    `limit` is the maximum median of a read in milliseconds; others derive from it.

    Lists and writes may take twice as long. p95 may be three times the median, p99 six times.
    """

    limit: float = 100.0
    unexpected: float = 0.0
    """Maximum percentage of unexpected responses under steady load."""
    quick: float = 1.0
    """Maximum seconds until the service responds with 429 or 503."""
    recovery: float = 15.0
    """Maximum seconds from the end of a spike until the service behaves as under steady load."""

    def judge(self, outcomes: Sequence[Outcome]) -> list[Threshold]:
        """Return the result of each threshold that applies to these outcomes."""
        by_phase = {phase: _of(outcomes, phase) for phase in (STEADY, SPIKE, RECOVERY)}
        thresholds: list[Threshold] = []
        if steady := by_phase[STEADY]:
            thresholds += [self._unexpected(steady), *self._latencies(steady)]
        if spike := by_phase[SPIKE]:
            thresholds += self._overload(spike)
        if spike and (recovering := by_phase[RECOVERY]):
            thresholds.append(self._recovery(recovering))
        return thresholds

    def milliseconds(self, operation: str, name: str) -> float:
        """Return the maximum latency for an operation and a quantile."""
        return self.limit * QUANTILES[name][1] * (1 if operation in READS else 2)

    def _unexpected(self, outcomes: Sequence[Outcome]) -> Threshold:
        share = 100 * sum(bool(outcome.fault) for outcome in outcomes) / len(outcomes)
        allowed, measured = f"{self.unexpected:g} %", f"{share:.2g} %"
        return Threshold(
            "steady: unexpected responses", allowed, measured, share <= self.unexpected
        )

    def _latencies(self, outcomes: Sequence[Outcome]) -> Iterator[Threshold]:
        for operation in sorted({outcome.operation for outcome in outcomes}):
            times = [
                outcome.latency * 1000 for outcome in outcomes if outcome.operation == operation
            ]
            for name, (share, _, enough) in QUANTILES.items():
                if len(times) >= enough:
                    allowed, took = self.milliseconds(operation, name), quantile(times, share)
                    texts = f"{allowed:.0f} ms", f"{took:.0f} ms"
                    yield Threshold(f"steady: {operation}, {name}", *texts, took <= allowed)

    def _overload(self, outcomes: Sequence[Outcome]) -> Iterator[Threshold]:
        faults = [outcome for outcome in outcomes if outcome.fault and not outcome.is_overload]
        yield Threshold("spike: anything except 429 and 503", "0", str(len(faults)), not faults)
        overloads = [outcome.response_time for outcome in outcomes if outcome.is_overload]
        slowest = max(overloads, default=0.0)
        texts = f"{self.quick:g} s", f"{slowest:.2g} s, of {len(overloads)}"
        yield Threshold("spike: slowest 429 or 503", *texts, slowest <= self.quick)

    def _recovery(self, outcomes: Sequence[Outcome]) -> Threshold:
        start = min(outcome.due for outcome in outcomes)
        good: dict[int, list[bool]] = {}
        for outcome in outcomes:
            good.setdefault(int(outcome.due - start), []).append(self._is_good(outcome))
        bad = [second for second, verdicts in good.items() if sum(verdicts) < GOOD * len(verdicts)]
        took = max(bad, default=-1) + 1
        texts = f"{self.recovery:g} s", f"{took} s"
        return Threshold("recovery after the spike", *texts, took <= self.recovery)

    def _is_good(self, outcome: Outcome) -> bool:
        allowed = self.milliseconds(outcome.operation, "p99")
        return not outcome.fault and outcome.latency * 1000 <= allowed


def _of(outcomes: Sequence[Outcome], phase: str) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.phase == phase]
