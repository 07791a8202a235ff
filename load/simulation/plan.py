"""Scenarios of the simulation, by name, and the number of seeds of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from chalicelib.database.retries import MAX_ATTEMPTS
from infrastructure.stages import CLIENT_SHARE
from load.simulation.assumptions import ASSUMPTIONS, FIREWALL_DELAY, Parameters
from load.simulation.designs import ASKED, CACHED, DEPLOYED, PROXY, REGIONS, STEPS, Design
from load.simulation.scenario import Outage, Scenario

RATES = (10, 1_000, 10_000, 100_000)
LOADED = 10_000
"""Requests per second at which the assumptions are varied."""
OUTAGES: Mapping[str, Outage] = {"blip": Outage(20, 20.2), "failover": Outage(20, 50)}
OUTAGE_RATE = 1_000


@dataclass(frozen=True)
class Effort:
    """Size of a simulation.

    `seeds` applies to `prod` and to the calibration, `fewer` to most other scenarios,
    `fewest` to the long ones. `seconds` is the length of a run, `long` that of a long run.
    """

    seeds: int = 30
    fewer: int = 6
    fewest: int = 2
    seconds: float = 10.0
    long: float = 75.0
    coarser: float = 1.0
    """Additional factor by which every scenario is scaled down."""


QUICK = Effort(seeds=2, fewer=2, seconds=0.5, long=5.0, coarser=20.0)

Planned = tuple[Scenario, int]


def planned(effort: Effort) -> Iterator[Planned]:
    """Yield each scenario, with the number of its seeds."""
    for part in (_ladder, _jumps, _changes, _outages, _bounds):
        for scenario, seeds in part(effort):
            yield replace(scenario, scale=scenario.factor * effort.coarser), seeds


def _ladder(effort: Effort) -> Iterator[Planned]:
    for step, design in STEPS.items():
        for rate in RATES:
            seeds = effort.seeds if design is DEPLOYED else effort.fewer
            seconds = effort.seconds * (6 if rate == min(RATES) else 1)
            yield Scenario(f"ladder/{step}/{rate}", design, rate, seconds=seconds), seeds


JUMPS: tuple[tuple[str, Design, int], ...] = (
    ("prod as deployed", DEPLOYED, 1_000),
    ("prod, minimum 16 ACU", replace(DEPLOYED, min_acu=16), 1_000),
    ("prod as deployed", DEPLOYED, 10_000),
    ("raised quotas", ASKED, 10_000),
    ("mysql through RDS Proxy", PROXY, 10_000),
    ("mysql through RDS Proxy, minimum 160 ACU", replace(PROXY, min_acu=160), 10_000),
    ("4 regions, 4 shards each", REGIONS, 10_000),
    ("4 regions, 4 shards each", REGIONS, 100_000),
)
"""The load rises from a tenth to all of it at once, for example when a sale starts."""


def _jumps(effort: Effort) -> Iterator[Planned]:
    for step, design, rate in JUMPS:
        scale = max(1.0, rate / design.cells / 250)
        scenario = Scenario(f"jump/{step}/{rate}", design, rate, before=rate / 10, scale=scale)
        yield replace(scenario, seconds=effort.long), effort.fewest


CHANGES: Mapping[str, str] = {
    "greedy": "none",
    "token": f"firewall, by token, if it takes {FIREWALL_DELAY:.0f} s to block",
    "plan": "usage plan, by caller",
}
"""What limits a client that sends too much, in the long runs."""


def _changes(effort: Effort) -> Iterator[Planned]:
    most = DEPLOYED.rate * CLIENT_SHARE
    limited = replace(DEPLOYED, token_rate=most), replace(DEPLOYED, plan_rate=most)
    for name, design in zip(CHANGES, (DEPLOYED, *limited), strict=True):
        scenario = Scenario(f"change/{name}", design, 500, greedy=6_000, seconds=effort.long)
        yield replace(scenario, scale=10), effort.fewer


UNLIMITED = 100
"""More attempts at a statement than fit before the deadline."""
POLICIES: Mapping[str, Parameters] = {
    "client 1, function 1": Parameters(client_attempts=1, function_attempts=1),
    "client 3, function 1": Parameters(function_attempts=1),
    f"client 1, function {MAX_ATTEMPTS}": Parameters(client_attempts=1),
    f"client 3, function {MAX_ATTEMPTS}": Parameters(),
    f"client 10, function {MAX_ATTEMPTS}": Parameters(client_attempts=10),
    "client 3, function unlimited": Parameters(function_attempts=UNLIMITED),
}
"""Maximum attempts: of a client at a request, and of the function at each statement."""


def _outages(effort: Effort) -> Iterator[Planned]:
    for event, outage in OUTAGES.items():
        for policy, parameters in POLICIES.items():
            name = f"outage/{event}/{policy}"
            scenario = Scenario(name, DEPLOYED, OUTAGE_RATE, parameters, outage=outage, scale=5)
            yield replace(scenario, seconds=effort.long), effort.fewest


ELSEWHERE = ("mysql_ms", "mysql_spread", "cached_share")
"""Assumptions that matter only in another design, and are varied in that design."""


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
            parameters = Parameters(**{name: getattr(assumption, bound)})
            scenario = replace(of_bound(name), name=f"bound/{name}/{bound}", parameters=parameters)
            yield replace(scenario, seconds=seconds), effort.fewest
