"""A load on a design."""

from dataclasses import dataclass, field

from load.simulation.assumptions import Parameters
from load.simulation.designs import Design

SIMULATED_RATE = 600.0
"""Requests a second that a run has at most: more are scaled down, with all that bounds them."""


@dataclass(frozen=True)
class Outage:
    """From when to when the writer takes no statement, in seconds: it fails over."""

    start: float
    end: float


@dataclass(frozen=True)
class Scenario:
    """A load on a design: requests a second, from `before` (warmed up for it) to `rate`.

    It is measured for `seconds` after a warm-up at `before`. `greedy` requests a second are sent
    besides by one API key, and not counted. `scale` None is chosen by SIMULATED_RATE. Scenarios
    of one `stream` have the same chance, so that they differ by what differs.
    """

    name: str
    design: Design
    rate: float
    parameters: Parameters = field(default_factory=Parameters.assumed)
    before: float | None = None
    seconds: float = 10.0
    outage: Outage | None = None
    greedy: float = 0.0
    scale: float | None = None
    stream: str | None = None
    day: float | None = None
    """Seconds in which the rate goes once up and down, as in a day, between a third and all."""

    @property
    def factor(self) -> float:
        """By how much less is simulated, of a cell of the design."""
        most = max(self.rate, self.before or 0) + self.greedy
        return self.scale or max(1.0, most / self.design.cells / SIMULATED_RATE)
