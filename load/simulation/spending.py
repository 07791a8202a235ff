"""Monthly costs of a design at a constant load: simulated usage at the prices of docs/costs.md."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

from infrastructure.costs import HOURS, MILLION, SECONDS, Usage, month
from load.simulation.assumptions import CACHE, PROXY
from load.simulation.designs import Design
from load.simulation.runs import Run


def monthly(design: Design, rate: float, runs: Sequence[Run]) -> dict[str, float]:
    """Return dollars per month, by part of the bill.

    Only successful requests are counted, because the gateway does not bill throttled requests
    (unverified). All instances of Aurora have the simulated capacity.
    """
    lost = mean(sum(each.failed.values()) for each in runs)
    requests = rate * (1 - lost) * SECONDS
    acu, instances = mean(each.acu for each in runs), design.instances
    usage = Usage(
        requests,
        min_capacity=acu,
        max_capacity=acu,
        instances=instances,
        seconds=mean(each.billed for each in runs),
        statements=mean(each.statements for each in runs),
    )
    parts = month(usage)
    invoked = mean(each.invocations for each in runs)
    behind = month(replace(usage, requests=requests * invoked))  # without cached responses
    parts |= {name: behind[name] for name in ("Lambda", "Data API", "Aurora: storage and I/O")}
    if design.backend == "mysql":
        parts["Data API"] = 0.0
        parts["RDS Proxy"] = acu * instances * HOURS * PROXY.dollars
    if design.is_cached:
        parts["Gateway cache"] = design.regions * HOURS * CACHE.dollars
    return parts


def per_million(dollars: float, rate: float) -> float:
    """Return dollars per million requests, from dollars per month."""
    return dollars / (rate * SECONDS / MILLION)
