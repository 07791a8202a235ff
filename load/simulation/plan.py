"""Define all scenarios by name, and the number of seeds for each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from load.simulation.assumptions import ASSUMPTIONS, Parameters
from load.simulation.designs import ASKED, CACHED, DEPLOYED, PROXY, REGIONS, STEPS, Design
from load.simulation.scenario import Outage, Scenario

RATES = (10, 1_000, 10_000, 100_000)
LOADED = 10_000
"""Rate, in requests per second, at which the assumptions are varied."""
SCALED = 1_500
"""Rates, in requests per second, that are simulated both in full and scaled down."""
SCALES = (1.0, 2.0, 5.0, 10.0, 20.0)
OUTAGE = Outage(20, 50)
OUTAGE_RATE = 1_000
DAY = 600.0


@dataclass(frozen=True)
class Effort:
    """The size of a simulation: seeds of the main scenarios, of the others, and of the slow ones.

    Seconds are the duration of a run, and of a long run.
    """

    seeds: int = 30
    fewer: int = 6
    fewest: int = 2
    seconds: float = 10.0
    long: float = 75.0
    coarser: float = 1.0
    """Additional factor by which all scenarios are scaled down."""

    @property
    def is_quick(self) -> bool:
        return self.seeds < Effort.seeds


QUICK = Effort(seeds=2, fewer=2, seconds=0.5, long=5.0, coarser=20.0)

Planned = tuple[Scenario, int]


def planned(effort: Effort) -> Iterator[Planned]:
    """Yield each scenario with its number of seeds."""
    for scenario, seeds in _planned(effort):
        yield replace(scenario, scale=scenario.factor * effort.coarser), seeds


def _planned(effort: Effort) -> Iterator[Planned]:
    yield from _ladder(effort)
    yield from _jumps(effort)
    yield from _changes(effort)
    yield from _outages(effort)
    yield from _scales(effort)
    yield from _bounds(effort)
    day = DAY if not effort.is_quick else 10.0
    yield Scenario("day", DEPLOYED, 1_000, seconds=day, day=day, scale=5), 1


def _ladder(effort: Effort) -> Iterator[Planned]:
    for step, design in STEPS.items():
        for rate in RATES:
            seeds = effort.seeds if design is DEPLOYED else effort.fewer
            seconds = effort.seconds * (6 if rate == min(RATES) else 1)
            yield Scenario(f"ladder/{step}/{rate}", design, rate, seconds=seconds), seeds


JUMPS: tuple[tuple[str, Design, int], ...] = (
    ("prod as it is", DEPLOYED, 1_000),
    ("prod, 16 ACU at least", replace(DEPLOYED, min_acu=16), 1_000),
    ("prod as it is", DEPLOYED, 10_000),
    ("quotas raised by AWS", ASKED, 10_000),
    ("mysql by RDS Proxy", PROXY, 10_000),
    ("mysql by RDS Proxy, 160 ACU at least", replace(PROXY, min_acu=160), 10_000),
    ("4 regions of 4 shards", REGIONS, 10_000),
    ("4 regions of 4 shards", REGIONS, 100_000),
)
"""A jump from a tenth of the load to the full load, as after a cache flush or at a sale."""


def _jumps(effort: Effort) -> Iterator[Planned]:
    for step, design, rate in JUMPS:
        scale = max(1.0, rate / design.cells / 250)
        scenario = Scenario(f"jump/{step}/{rate}", design, rate, before=rate / 10, scale=scale)
        yield replace(scenario, seconds=effort.long), effort.fewest


CHANGES: Mapping[str, tuple[str, str]] = {
    "greedy": ("one API key sends 6,000 a second besides", "nothing"),
    "plan": ("one API key sends 6,000 a second besides", "usage plan of 200 a second for a key"),
}


def _changes(effort: Effort) -> Iterator[Planned]:
    limited = replace(DEPLOYED, plan_rate=DEPLOYED.rate * 0.1)
    for name, design in (("greedy", DEPLOYED), ("plan", limited)):
        scenario = Scenario(f"change/{name}", design, 500, greedy=6_000, seconds=effort.seconds)
        yield replace(scenario, scale=5), effort.fewer


POLICIES: Mapping[str, Parameters] = {
    "client: once": Parameters.assumed(client_attempts=1),
    "client: 3 times, jitter": Parameters.assumed(),
    "client: 3 times, no jitter": Parameters.assumed(client_jitter=0),
    "client: 10 times, jitter": Parameters.assumed(client_attempts=10),
    "function: till 29 s; client: once": Parameters.assumed(
        client_attempts=1, function_attempts=20
    ),
    "function: till 29 s; client: 3": Parameters.assumed(function_attempts=20),
}


def _outages(effort: Effort) -> Iterator[Planned]:
    for policy, parameters in POLICIES.items():
        scenario = Scenario(
            f"outage/{policy}", DEPLOYED, OUTAGE_RATE, parameters, outage=OUTAGE, scale=5
        )
        yield replace(scenario, seconds=effort.long), effort.fewest


def _scales(effort: Effort) -> Iterator[Planned]:
    for scale in SCALES:
        seconds = effort.seconds / 2 * scale**0.5
        scenario = Scenario(f"scale/{scale:g}", DEPLOYED, SCALED, scale=scale, seconds=seconds)
        yield scenario, effort.fewer


ELSEWHERE = ("mysql_ms", "mysql_spread", "cached_share")
"""Assumptions that matter only for another design; they are varied in that design."""


def of_bound(name: str) -> Scenario:
    """Return the scenario in which an assumption is varied."""
    other = name in ELSEWHERE
    base = "bound/base of another step" if other else "bound/base"
    return Scenario(base, CACHED if other else ASKED, LOADED, stream="bound")


def _bounds(effort: Effort) -> Iterator[Planned]:
    seconds = effort.seconds * 0.6
    for name in ("", ELSEWHERE[0]):
        yield replace(of_bound(name), seconds=seconds), effort.fewest
    for name, assumption in ASSUMPTIONS.items():
        for bound in ("low", "high"):
            parameters = Parameters.assumed(**{name: getattr(assumption, bound)})
            scenario = replace(of_bound(name), name=f"bound/{name}/{bound}", parameters=parameters)
            yield replace(scenario, seconds=seconds), effort.fewest
