"""Combine runs into results: the content of out/simulation/results.json."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from statistics import mean
from typing import Any

from load.simulation.assumptions import ASSUMPTIONS
from load.simulation.demand import needs
from load.simulation.designs import STEPS
from load.simulation.figures import Interval, interval, rounded
from load.simulation.plan import CHANGES, OUTAGES, POLICIES, RATES, of_bound
from load.simulation.runs import WARM_UP, Run
from load.simulation.scenario import Scenario
from load.simulation.service import KINDS
from load.simulation.spending import monthly

MOST_FAILED = 0.001
LONGEST = 1.0
"""Targets: a smaller share of requests fails, and p99 is shorter, in seconds."""

Runs = Mapping[str, tuple[Scenario, Sequence[Run]]]
Answer = dict[str, Any]


def answers(found: Runs) -> Answer:
    """Return the results of all scenarios."""
    return {
        "assumptions": {name: vars(each) for name, each in ASSUMPTIONS.items()},
        "ladder": {
            step: {str(rate): _priced(*found[f"ladder/{step}/{rate}"]) for rate in RATES}
            for step in STEPS
        },
        "jumps": {
            name.removeprefix("jump/"): _jump(*found[name])
            for name in found
            if name.startswith("jump/")
        },
        "changes": {name: _seen(found[f"change/{name}"][1]) for name in CHANGES},
        "outages": {
            event: {policy: _outage(*found[f"outage/{event}/{policy}"]) for policy in POLICIES}
            for event in OUTAGES
        },
        "bounds": _bounds(found),
    }


def _seen(runs: Sequence[Run]) -> Answer:
    """Return latencies and shares, each as a mean and half of its 95% interval."""

    def over_runs(value: Callable[[Run], float]) -> Interval:
        return interval([value(each) for each in runs])

    return {
        "seeds": len(runs),
        "requests": sum(each.requests for each in runs),
        "p50": over_runs(lambda each: each.p50),
        "p99": over_runs(lambda each: each.p99),
        "failed": over_runs(lambda each: sum(each.failed.values())),
        "kinds": {str(kind): mean(each.failed[kind] for each in runs) for kind in KINDS},
        "attempts": mean(each.attempts for each in runs),
        "acu": mean(each.acu for each in runs),
        "environments": mean(each.busy for each in runs),
        "cold": mean(each.cold for each in runs),
    }


def _priced(scenario: Scenario, runs: Sequence[Run]) -> Answer:
    seen = _seen(runs)
    parts = monthly(scenario.design, scenario.rate, runs)
    asked = needs(scenario.design, scenario.rate, scenario.parameters)
    holds = seen["failed"].mean < MOST_FAILED and seen["p99"].mean < LONGEST
    return seen | {
        "holds": holds,
        "needs": asked,
        "scale": scenario.factor * scenario.design.cells,
        "dollars": sum(parts.values()),
        "parts": parts,
    }


def _jump(scenario: Scenario, runs: Sequence[Run]) -> Answer:
    seen = _seen(runs)
    refused = [s.refused / max(1, s.refused + s.answered) for s in runs[0].seconds]
    bad = [number for number, share in enumerate(refused) if share > 10 * MOST_FAILED]
    seen["until"] = bad[-1] + 1 if bad else 0
    return seen | {"series": _series(runs[0], scenario.factor * scenario.design.cells)}


def _series(run: Run, scale: float) -> Answer:
    counts = ("attempts", "answered", "refused", "busy")
    series = {name: [round(getattr(s, name) * scale) for s in run.seconds] for name in counts}
    return series | {"acu": [rounded(each.acu, 3) for each in run.seconds]}


def _outage(scenario: Scenario, runs: Sequence[Run]) -> Answer:
    """Return failures, peaks, and the seconds until fewer than 1% of attempts fail again."""
    series = _series(runs[0], scenario.factor)
    end = ceil(scenario.outage.end - WARM_UP) if scenario.outage else 0
    after = range(end, len(series["attempts"]))
    bad = [at for at in after if series["refused"][at] > 0.01 * max(1, series["attempts"][at])]
    return _seen(runs) | {
        "peak_attempts": max(series["attempts"]),
        "peak_busy": max(series["busy"]),
        "recovered": (bad[-1] + 1 - end) if bad else 0,
        "series": series,
    }


def _bounds(found: Runs) -> Answer:
    """Return the results with each assumption at its bounds, and with all as assumed."""
    table = {"base": _bound(found, "bound/base")}
    for name in ASSUMPTIONS:
        ends = {end: _bound(found, f"bound/{name}/{end}") for end in ("low", "high")}
        table[name] = {"assumed": _bound(found, of_bound(name).name)} | ends
    return table


def _bound(found: Runs, name: str) -> Answer:
    scenario, runs = found[name]
    seen = _seen(runs)
    told = {key: seen[key] for key in ("environments", "acu")}
    told |= {key: seen[key].mean for key in ("p99", "failed")}
    return told | {"dollars": sum(monthly(scenario.design, scenario.rate, runs).values())}
