"""The outcome of each request."""

from collections.abc import Sequence
from typing import NamedTuple

REFUSALS = frozenset({429, 503})


class Outcome(NamedTuple):
    """The outcome of a request. Times are in seconds; latency counts from when the request was due.

    `status` is 0 if there was no response. `fault` is empty if the response was correct.
    """

    due: float
    phase: str
    operation: str
    latency: float
    late: float
    """Seconds from when the request was due until it was sent: delays of the load generator."""
    status: int
    fault: str

    @property
    def response_time(self) -> float:
        """Seconds from when the request was sent until its response: without the sender's delay."""
        return self.latency - self.late

    @property
    def is_overload(self) -> bool:
        """Return whether the service responded that it is overloaded."""
        return self.status in REFUSALS


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
