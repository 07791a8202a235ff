"""Monthly costs of a design at a constant load: prices from docs/costs.md, simulated usage."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

from infrastructure.costs import HOURS, MILLION, PRICES, SECONDS, Usage, month
from load.simulation.assumptions import CACHE, PROXY
from load.simulation.designs import Design
from load.simulation.runs import Run


def monthly(design: Design, rate: float, runs: Sequence[Run]) -> dict[str, float]:
    """Return dollars per month, by part, if every response of a constant rate is billed.

    The gateway does not bill throttled requests (unchecked). Aurora's capacity is the simulated
    one, the same for all instances.
    """
    lost = mean(sum(run.failed.values()) for run in runs)
    requests = rate * (1 - lost) * SECONDS
    acu, instances = mean(run.acu for run in runs), design.instances
    usage = Usage(
        requests,
        min_capacity=acu,
        max_capacity=acu,
        instances=instances,
        seconds=mean(run.billed for run in runs),
        statements=mean(run.statements for run in runs),
    )
    parts = month(usage)
    invoked = mean(run.invocations for run in runs)
    behind = month(replace(usage, requests=requests * invoked))  # requests that no cache served
    parts |= {name: behind[name] for name in ("Lambda", "Data API", "Aurora: storage and I/O")}
    if design.backend == "mysql":
        parts["Data API"] = 0.0
        parts["RDS Proxy"] = acu * instances * HOURS * PROXY.dollars
    if design.is_cached:
        parts["Gateway's cache"] = design.regions * HOURS * CACHE.dollars
    return parts


def not_modified(rate: float, share: float, answer_bytes: float = Usage.answer_bytes) -> float:
    """Return the dollars per month that 304 saves if this share of the responses has no body."""
    return rate * SECONDS * share * answer_bytes / 1e9 * PRICES["transfer"].dollars


def a_million(parts: dict[str, float], rate: float) -> float:
    """Return dollars per million requests."""
    return sum(parts.values()) / (rate * SECONDS / MILLION)
