"""From runs to answers: what docs/scaling/results.json holds."""

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

MOST_FAILED = 0.001
LONGEST = 1.0
"""What holds: fewer requests fail for good than one in a thousand, and p99 is less, in seconds."""

Runs = Mapping[str, tuple[Scenario, Sequence[Run]]]
Answer = dict[str, Any]


def answers(found: Runs) -> Answer:
    """Return everything that the page tells of the scenarios."""
    return {
        "assumptions": {name: vars(element) for name, element in ASSUMPTIONS.items()},
        "ladder": {step: _of_rates(found, f"ladder/{step}") for step in STEPS},
        "jumps": _jumps(found),
        "changes": {name: _seen(found[f"change/{name}"][1]) for name in ("greedy", "plan")},
        "not_modified": {str(rate): not_modified(rate, 0.5) for rate in RATES},
        "outages": {policy: _outage(*found[f"outage/{policy}"]) for policy in POLICIES},
        "scales": {f"{item:g}": _seen(found[f"scale/{item:g}"][1]) for item in SCALES},
        "bounds": _bounds(found),
        "day": _series(found["day"][1], found["day"][0].factor),
    }


def _seen(runs: Sequence[Run]) -> Answer:
    """Return seconds and shares, each as a mean and half of its 95% interval."""
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


def _of_rates(found: Runs, name: str) -> Answer:
    return {str(rate): _priced(*found[f"{name}/{rate}"]) for rate in RATES}


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


def _jumps(found: Runs) -> Answer:
    names = [name for name in found if name.startswith("jump/")]
    return {name.removeprefix("jump/"): _jump(*found[name]) for name in names}


def _jump(scenario: Scenario, runs: Sequence[Run]) -> Answer:
    seen = _seen(runs)
    refused = [s.refused / max(1, s.refused + s.answered) for s in runs[0].seconds]
    bad = [number for number, share in enumerate(refused) if share > 10 * MOST_FAILED]
    seen["until"] = bad[-1] + 1 if bad else 0
    return seen | {"series": _series(runs[:1], scenario.factor * scenario.design.cells)}


def _series(runs: Sequence[Run], scale: float) -> Answer:
    seconds = runs[0].seconds
    counts = ("attempts", "answered", "refused", "busy")
    series = {name: [round(getattr(s, name) * scale) for s in seconds] for name in counts}
    return series | {"acu": [rounded(second.acu, 3) for second in seconds]}


def _outage(scenario: Scenario, runs: Sequence[Run]) -> Answer:
    """Return what was lost, what was sent at most, and when all was well again."""
    series = _series(runs[:1], scenario.factor)
    after = range(int(OUTAGE.end) - 4, len(series["attempts"]))  # the series leaves out the warm-up
    bad = [at for at in after if series["refused"][at] > 0.01 * max(1, series["attempts"][at])]
    return _seen(runs) | {
        "peak_attempts": max(series["attempts"]),
        "peak_busy": max(series["busy"]),
        "recovered": (bad[-1] + 1 - after[0]) if bad else 0,
        "series": series,
    }


def _bounds(found: Runs) -> Answer:
    """Return what comes of each assumption at its bounds, and of what it is varied in."""
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
