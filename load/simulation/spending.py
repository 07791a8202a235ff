"""What a design costs a month at a constant load: docs/costs.md's prices, simulated usage."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

from infrastructure.costs import HOURS, MILLION, PRICES, SECONDS, Usage, month
from load.simulation.assumptions import CACHE, PROXY
from load.simulation.designs import Design
from load.simulation.runs import Run


def monthly(design: Design, rate: float, runs: Sequence[Run]) -> dict[str, float]:
    """Return dollars a month, by part, if all answered requests of a constant rate are paid for.

    The gateway does not bill what it throttles (unchecked). Aurora's capacity is the simulated
    one, of all instances alike.
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
    behind = month(replace(usage, requests=requests * invoked))  # of what no cache answered
    parts |= {name: behind[name] for name in ("Lambda", "Data API", "Aurora: storage and I/O")}
    if design.backend == "mysql":
        parts["Data API"] = 0.0
        parts["RDS Proxy"] = acu * instances * HOURS * PROXY.dollars
    if design.is_cached:
        parts["Gateway's cache"] = design.regions * HOURS * CACHE.dollars
    return parts


def not_modified(rate: float, share: float, answer_bytes: float = Usage.answer_bytes) -> float:
    """Return the dollars a month that 304 saves where that share of answers has no body."""
    return rate * SECONDS * share * answer_bytes / 1e9 * PRICES["transfer"].dollars


def a_million(parts: dict[str, float], rate: float) -> float:
    """Return dollars for a million requests."""
    return sum(parts.values()) / (rate * SECONDS / MILLION)
