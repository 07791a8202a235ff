"""Measure how long each kind of fault left all clients without a success."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from load.chaos.history import SUCCESS, Fault, Operation

SILENCE = 0.5
"""Longest gap between successes, in seconds, that still counts as available."""


@dataclass(frozen=True)
class Outage:
    """The effect of one kind of fault: number of faults, number of calls hit, and times in seconds.

    `unavailable` is the sum of the gaps that follow a fault, until the next fault; `longest` is the
    longest gap. `recoveries` lists the times from the end of each fault to the first success.
    """

    times: int
    given: int
    unavailable: float
    longest: float
    recoveries: Sequence[float]


def successes(operations: Sequence[Operation]) -> list[float]:
    """Return the times of successful operations, in order."""
    return sorted(
        operation.ended
        for operation in operations
        if operation.attempts[-1].status in SUCCESS[operation.kind]
    )


def outages(faults: Sequence[Fault], moments: Sequence[float]) -> dict[str, Outage]:
    """Return the outages by kind of fault; `moments` are the times of successes, in order.

    A gap is attributed to the last fault that began before it, and only to this fault.
    """
    nexts = [*(fault.began for fault in faults), float("inf")][1:]
    silences: dict[str, list[float]] = defaultdict(list)
    recoveries: dict[str, list[float]] = defaultdict(list)
    for fault, until in zip(faults, nexts, strict=True):
        silences[fault.kind] += _silences(fault.began, until, moments)
        after = bisect_right(moments, fault.ended)
        if after < len(moments):
            recoveries[fault.kind].append(moments[after] - fault.ended)
    return {
        kind: Outage(
            times=sum(1 for fault in faults if fault.kind == kind),
            given=sum(fault.given for fault in faults if fault.kind == kind),
            unavailable=sum(silences[kind], 0.0),
            longest=max(silences[kind], default=0.0),
            recoveries=sorted(recoveries[kind]),
        )
        for kind in dict.fromkeys(fault.kind for fault in faults)
    }


def _silences(begin: float, end: float, moments: Sequence[float]) -> list[float]:
    """Return the long gaps between begin and end, cut off at these limits."""
    first = max(bisect_right(moments, begin) - 1, 0)
    around = moments[first : bisect_left(moments, end) + 1]
    lengths = (min(b, end) - max(a, begin) for a, b in pairwise(around))
    return [length for length in lengths if length > SILENCE]
