"""A load on a design."""

from dataclasses import dataclass, field

from load.simulation.assumptions import Parameters
from load.simulation.designs import Design

SIMULATED_RATE = 600.0
"""Maximum requests per second of a run. A higher load is scaled down, with all its limits."""


@dataclass(frozen=True)
class Outage:
    """Period in which the writer rejects statements, in seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class Scenario:
    """A load on a design, in requests per second.

    After a warm-up at `before` (default: `rate`), the run is measured at `rate` for `seconds`.
    One client sends `greedy` further requests per second, which are not counted. `scale` is the
    factor by which the run is scaled down (default: according to SIMULATED_RATE). Scenarios with
    the same `stream` use the same random numbers, so that only their parameters differ.
    """

    name: str
    design: Design
    rate: float
    parameters: Parameters = field(default_factory=Parameters)
    before: float | None = None
    seconds: float = 10.0
    outage: Outage | None = None
    greedy: float = 0.0
    scale: float | None = None
    stream: str | None = None

    @property
    def factor(self) -> float:
        """Factor by which one cell of the design is scaled down."""
        most = max(self.rate, self.before or 0) + self.greedy
        return self.scale or max(1.0, most / self.design.cells / SIMULATED_RATE)
