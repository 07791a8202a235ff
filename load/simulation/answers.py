"""Compute the contents of docs/scaling/results.json from simulated runs."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from load.simulation.assumptions import ASSUMPTIONS
from load.simulation.demand import needs
from load.simulation.designs import STEPS
from load.simulation.figures import rounded
from load.simulation.plan import OUTAGE, POLICIES, RATES, SCALES, of_bound
from load.simulation.runs import Run, together
from load.simulation.scenario import Scenario
from load.simulation.service import KINDS
from load.simulation.spending import monthly, not_modified

MAX_FAILED_SHARE = 0.001
MAX_P99_SECONDS = 1.0
"""Pass criteria: maximum share of requests that fail finally, and maximum p99 in seconds."""

Runs = Mapping[str, tuple[Scenario, Sequence[Run]]]
Answer = dict[str, Any]


def answers(runs_by_name: Runs) -> Answer:
    """Return all results that the page shows."""
    return {
        "assumptions": {name: vars(element) for name, element in ASSUMPTIONS.items()},
        "ladder": {step: _of_rates(runs_by_name, f"ladder/{step}") for step in STEPS},
        "jumps": _jumps(runs_by_name),
        "changes": {name: _seen(runs_by_name[f"change/{name}"][1]) for name in ("greedy", "plan")},
        "not_modified": {str(rate): not_modified(rate, 0.5) for rate in RATES},
        "outages": {policy: _outage(*runs_by_name[f"outage/{policy}"]) for policy in POLICIES},
        "scales": {f"{item:g}": _seen(runs_by_name[f"scale/{item:g}"][1]) for item in SCALES},
        "bounds": _bounds(runs_by_name),
        "day": _series(runs_by_name["day"][1], runs_by_name["day"][0].factor),
    }


def _seen(runs: Sequence[Run]) -> Answer:
    """Return seconds and shares, each as a mean with half of its 95% interval."""
    kinds = {str(kind): mean(run.failed[kind] for run in runs) for kind in KINDS}
    return {
        "seeds": len(runs),
        "requests": sum(run.requests for run in runs),
        "p50": together(runs, lambda run: run.p50),
        "p99": together(runs, lambda run: run.p99),
        "failed": together(runs, lambda run: sum(run.failed.values())),
        "kinds": kinds,
        "attempts": mean(run.attempts for run in runs),
        "acu": mean(run.acu for run in runs),
        "environments": mean(run.busy for run in runs),
        "cold": mean(run.cold for run in runs),
    }


def _of_rates(runs_by_name: Runs, name: str) -> Answer:
    return {str(rate): _priced(*runs_by_name[f"{name}/{rate}"]) for rate in RATES}


def _priced(scenario: Scenario, runs: Sequence[Run]) -> Answer:
    seen = _seen(runs)
    parts = monthly(scenario.design, scenario.rate, runs)
    asked = needs(scenario.design, scenario.rate, scenario.parameters)
    holds = seen["failed"].mean < MAX_FAILED_SHARE and seen["p99"].mean < MAX_P99_SECONDS
    return seen | {
        "holds": holds,
        "needs": asked,
        "scale": scenario.factor * scenario.design.cells,
        "dollars": sum(parts.values()),
        "parts": parts,
    }


def _jumps(runs_by_name: Runs) -> Answer:
    names = [name for name in runs_by_name if name.startswith("jump/")]
    return {name.removeprefix("jump/"): _jump(*runs_by_name[name]) for name in names}


def _jump(scenario: Scenario, runs: Sequence[Run]) -> Answer:
    seen = _seen(runs)
    refused = [s.refused / max(1, s.refused + s.answered) for s in runs[0].seconds]
    bad = [number for number, share in enumerate(refused) if share > 10 * MAX_FAILED_SHARE]
    seen["until"] = bad[-1] + 1 if bad else 0
    return seen | {"series": _series(runs[:1], scenario.factor * scenario.design.cells)}


def _series(runs: Sequence[Run], scale: float) -> Answer:
    seconds = runs[0].seconds
    counts = ("attempts", "answered", "refused", "busy")
    series = {name: [round(getattr(s, name) * scale) for s in seconds] for name in counts}
    return series | {"acu": [rounded(second.acu, 3) for second in seconds]}


def _outage(scenario: Scenario, runs: Sequence[Run]) -> Answer:
    """Return the lost requests, the peak of attempts, and the time of recovery."""
    series = _series(runs[:1], scenario.factor)
    after = range(int(OUTAGE.end) - 4, len(series["attempts"]))  # the series omits the warm-up
    bad = [at for at in after if series["refused"][at] > 0.01 * max(1, series["attempts"][at])]
    return _seen(runs) | {
        "peak_attempts": max(series["attempts"]),
        "peak_busy": max(series["busy"]),
        "recovered": (bad[-1] + 1 - after[0]) if bad else 0,
        "series": series,
    }


def _bounds(runs_by_name: Runs) -> Answer:
    """Return the results for each assumption at its bounds, in the scenario that varies it."""
    table = {"base": _bound(runs_by_name, "bound/base")}
    for name in ASSUMPTIONS:
        ends = {end: _bound(runs_by_name, f"bound/{name}/{end}") for end in ("low", "high")}
        table[name] = {"assumed": _bound(runs_by_name, of_bound(name).name)} | ends
    return table


def _bound(runs_by_name: Runs, name: str) -> Answer:
    scenario, runs = runs_by_name[name]
    seen = _seen(runs)
    told = {key: seen[key] for key in ("environments", "acu")}
    told |= {key: seen[key].mean for key in ("p99", "failed")}
    return told | {"dollars": sum(monthly(scenario.design, scenario.rate, runs).values())}
