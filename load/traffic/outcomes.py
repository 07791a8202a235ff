"""What came of each request."""

from typing import NamedTuple

REFUSALS = frozenset({429, 503})


class Outcome(NamedTuple):
    """What came of a request: seconds from the start, and from when it was due to its answer.

    `status` is 0 where there was none; `fault` is empty where all was right.
    """

    due: float
    phase: str
    operation: str
    latency: float
    late: float
    """Seconds after it was due until it was sent: those of whoever measures."""
    status: int
    fault: str

    @property
    def is_refusal(self) -> bool:
        """Whether the service said that it has too much to do."""
        return self.status in REFUSALS
