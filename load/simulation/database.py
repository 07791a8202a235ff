"""Aurora Serverless v2: instances whose capacity follows their load, with a lag.

AWS only documents that larger instances scale faster, so the rates are assumed.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.how-it-works.html
"""

import simpy

from load.simulation.assumptions import Parameters
from load.simulation.queues import Process, Station
from load.simulation.scenario import Scenario

SMALLEST_STEP = 0.5


def mean_work(parameters: Parameters) -> float:
    """Return the CPU seconds of a statement with `work` 1. One ACU then runs `per_acu`."""
    of_mix = sum(share * each.statements * each.work for each, share in parameters.mix.items())
    relative = of_mix / parameters.statements
    return parameters.vcpu_per_acu / parameters.per_acu / relative


class Instances(Station):
    """Several instances with one queue, because the endpoint is assumed to balance perfectly."""

    def __init__(self, env: simpy.Environment, count: int, scenario: Scenario) -> None:
        self._count, self._scale = count, scenario.factor
        self._design, self._parameters = scenario.design, scenario.parameters
        self.acu = self._design.min_acu
        """Capacity of each instance."""
        super().__init__(env, self._processors)
        self._room = self._parameters.connections * count / self._scale
        env.process(self._follow())

    @property
    def _processors(self) -> float:
        """Number of processors, scaled down."""
        return self.acu * self._count * self._parameters.vcpu_per_acu / self._scale

    @property
    def is_full(self) -> bool:
        return self.present >= self._room

    def warm(self, statements: float) -> None:
        """Start with the capacity for this load, in statements per second (scaled down)."""
        of_one = statements * self._scale / self._count / self._parameters.per_acu
        self._resize(of_one / self._parameters.scaling_target)

    def _resize(self, acu: float) -> None:
        self.acu = min(max(acu, self._design.min_acu), self._design.max_acu)
        self.set_capacity(self._processors)

    def _follow(self) -> Process:
        """Check every second: grow after the lag if busy, shrink if not."""
        own, busy_for, before = self._parameters, 0, 0.0
        while True:
            yield self._env.timeout(1)
            use = (self.started - before) / self._processors
            before = self.started
            is_busy = use > own.scaling_target or self.has_queue
            busy_for = busy_for + 1 if is_busy else 0
            if busy_for >= own.scaling_lag:
                self._resize(
                    max(self.acu + SMALLEST_STEP, self.acu * 2 ** (1 / own.scaling_doubling))
                )
            elif use < own.scaling_target / 2:
                self._resize(self.acu * 0.5 ** (1 / own.scaling_halving))
