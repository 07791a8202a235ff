"""A scenario: a load on a design."""

from dataclasses import dataclass, field

from load.simulation.assumptions import Parameters
from load.simulation.designs import Design

SIMULATED_RATE = 600.0
"""Maximum simulated rate per second. Higher loads are scaled down, together with all limits."""


@dataclass(frozen=True)
class Outage:
    """The time in which the writer accepts no statements because of a failover, in seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class Scenario:
    """A load on a design: requests per second, from `before` (already warmed up) to `rate`.

    The measurement lasts `seconds`, after a warm-up at `before`. One API key also sends `greedy`
    requests per second, which are not counted. `scale` None derives it from SIMULATED_RATE.
    Scenarios of one `stream` share their random numbers, so only their designs differ.
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
    """Period in seconds of a load that varies like a day, between a third and all of the rate."""

    @property
    def factor(self) -> float:
        """The factor by which the simulated part of the design is scaled down."""
        most = max(self.rate, self.before or 0) + self.greedy
        return self.scale or max(1.0, most / self.design.cells / SIMULATED_RATE)
