"""Aurora Serverless v2: instances whose capacity follows the load, with a lag.

AWS documents no scaling rates, only that larger instances scale faster. So the rates are assumed.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.how-it-works.html
"""

import simpy

from load.simulation.assumptions import Parameters
from load.simulation.queues import Process, Station
from load.simulation.scenario import Scenario

SMALLEST_STEP = 0.5


def mean_work(parameters: Parameters) -> float:
    """Return the CPU seconds of a statement of `work` 1; one ACU executes `per_acu` of the mix."""
    of_mix = sum(
        share * operation.statements * operation.work for operation, share in parameters.mix.items()
    )
    relative = of_mix / parameters.statements
    return parameters.vcpu_per_acu / parameters.per_acu / relative


class Instances:
    """Several instances as one queue. The endpoint is assumed to distribute statements evenly."""

    def __init__(self, env: simpy.Environment, count: int, scenario: Scenario) -> None:
        self._env, self._count, self._scale = env, count, scenario.factor
        self._design, self._parameters = scenario.design, scenario.parameters
        self.acu = self._design.min_acu
        """ACU of each instance."""
        self._station = Station(env, self._processors)
        self._room = self._parameters.connections * count / self._scale
        env.process(self._follow())

    @property
    def _processors(self) -> float:
        """The number of instances, scaled down."""
        return self.acu * self._count * self._parameters.vcpu_per_acu / self._scale

    @property
    def is_full(self) -> bool:
        return self._station.present >= self._room

    @property
    def has_queue(self) -> bool:
        return self._station.has_queue

    def submit(self, work: float) -> simpy.Event:
        return self._station.submit(work)

    def warm(self, statements: float) -> None:
        """Set the capacity for this number of statements per second, scaled down like the load."""
        of_one = statements * self._scale / self._count / self._parameters.per_acu
        self._resize(of_one / self._parameters.scaling_target)

    def _resize(self, acu: float) -> None:
        self.acu = min(max(acu, self._design.min_acu), self._design.max_acu)
        self._station.set_capacity(self._processors)

    def _follow(self) -> Process:
        """Once per second, grow if busy for longer than the lag, and shrink if idle."""
        own, busy_for, before = self._parameters, 0, 0.0
        while True:
            yield self._env.timeout(1)
            use = (self._station.started - before) / self._processors
            before = self._station.started
            is_busy = use > own.scaling_target or self._station.has_queue
            busy_for = busy_for + 1 if is_busy else 0
            if busy_for >= own.scaling_lag:
                self._resize(
                    max(self.acu + SMALLEST_STEP, self.acu * 2 ** (1 / own.scaling_doubling))
                )
            elif use < own.scaling_target / 2:
                self._resize(self.acu * 0.5 ** (1 / own.scaling_halving))
