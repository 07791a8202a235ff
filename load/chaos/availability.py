"""How long each kind of fault kept all clients without a success."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from load.chaos.history import SUCCESS, Fault, Operation

SILENCE = 0.5
"""Seconds without any success that count as unavailable; shorter ones are between requests."""


@dataclass(frozen=True)
class Outage:
    """Of a kind of fault: how often it came, to how many calls; times are in seconds.

    `unavailable` is the sum of silences until the next fault came, `longest` the longest of them;
    `recoveries` are from the end of each fault to the first success after it, in order.
    """

    times: int
    given: int
    unavailable: float
    longest: float
    recoveries: Sequence[float]


def successes(operations: Sequence[Operation]) -> list[float]:
    """Return when operations succeeded, in order."""
    return sorted(
        each.ended for each in operations if each.attempts[-1].status == SUCCESS[each.kind]
    )


def outages(faults: Sequence[Fault], moments: Sequence[float]) -> dict[str, Outage]:
    """Return the outages by kind of fault; `moments` are those of successes, in order.

    What happens from a fault's beginning to that of the next one is laid to it, and only to it.
    """
    nexts = [*(each.began for each in faults), float("inf")][1:]
    silences: dict[str, list[float]] = defaultdict(list)
    recoveries: dict[str, list[float]] = defaultdict(list)
    for fault, until in zip(faults, nexts, strict=True):
        silences[fault.kind] += _silences(fault.began, until, moments)
        after = bisect_right(moments, fault.ended)
        if after < len(moments):
            recoveries[fault.kind].append(moments[after] - fault.ended)
    return {
        kind: Outage(
            times=sum(1 for each in faults if each.kind == kind),
            given=sum(each.given for each in faults if each.kind == kind),
            unavailable=sum(silences[kind], 0.0),
            longest=max(silences[kind], default=0.0),
            recoveries=sorted(recoveries[kind]),
        )
        for kind in dict.fromkeys(each.kind for each in faults)
    }


def _silences(begin: float, end: float, moments: Sequence[float]) -> list[float]:
    """Return the long silences between begin and end, or the parts of them that are."""
    first = max(bisect_right(moments, begin) - 1, 0)
    around = moments[first : bisect_left(moments, end) + 1]
    lengths = (min(b, end) - max(a, begin) for a, b in pairwise(around))
    return [length for length in lengths if length > SILENCE]
