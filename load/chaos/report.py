"""What a run found, as tables to paste and as JSON to quote."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from load.chaos.availability import Outage, outages, successes
from load.chaos.checker import Verdict
from load.chaos.history import Fault, Operation
from load.chaos.nemesis import API_KILLED, BOTH_KILLED, DATABASE_KILLED, KINDS
from local.mariadb import find_server

SHOWN = 5
"""Breaches of each kind that are told in words."""


@dataclass(frozen=True)
class Run:
    """A run with what it found; `seconds` are those of traffic."""

    seed: int
    seconds: float
    idempotency: bool
    operations: Sequence[Operation]
    faults: Sequence[Fault]
    verdict: Verdict

    @property
    def kills(self) -> dict[str, int]:
        """How often each program was killed."""
        times = {kind: sum(1 for each in self.faults if each.kind == kind) for kind in KINDS}
        return {
            "database": times[DATABASE_KILLED] + times[BOTH_KILLED],
            "API": times[API_KILLED] + times[BOTH_KILLED],
        }

    @property
    def missing(self) -> list[str]:
        """The kinds of faults that no call has met."""
        given = {each.kind for each in self.faults if each.given}
        return [kind for kind in KINDS if kind not in given]

    @property
    def outages(self) -> dict[str, Outage]:
        return outages(self.faults, successes(self.operations))


def figures(run: Run) -> dict[str, Any]:
    """Return the figures of a run, as JSON has them; times are in seconds."""
    return {
        "result": run.verdict.result,
        "seed": run.seed,
        "seconds": round(run.seconds, 1),
        "idempotency": run.idempotency,
        "machine": machine(),
        "operations": len(run.operations),
        "requests": sum(len(each.attempts) for each in run.operations),
        "counts": {**run.verdict.counts},
        "breaches": {name: len(found) for name, found in run.verdict.breaches.items()},
        "final_read": run.verdict.is_whole,
        "kills": run.kills,
        "faults": {kind: _outage(each) for kind, each in run.outages.items()},
        "faults_not_given": run.missing,
    }


def _outage(outage: Outage) -> dict[str, float | None]:
    known = outage.recoveries
    return {
        "times": outage.times,
        "given": outage.given,
        "unavailable_seconds": round(outage.unavailable, 2),
        "longest_seconds": round(outage.longest, 2),
        "first_success_median_seconds": round(median(known), 2) if known else None,
        "first_success_most_seconds": round(max(known), 2) if known else None,
    }


def text(run: Run) -> str:
    """Return the report in Markdown."""
    told = figures(run)
    kills = told["kills"]
    return "\n\n".join(
        [
            _table(
                ["writes, and what was found", ""], {**told["counts"], **told["breaches"]}.items()
            ),
            _outages_table(told["faults"]),
            (
                f"{sum(kills.values())} kills: {kills['database']} of the database, "
                f"{kills['API']} of the API. {told['operations']:,} operations, "
                f"{told['requests']:,} requests in {run.seconds:.0f} s; seed {run.seed}; "
                f"{told['machine']}."
            ),
            *_breaches(run.verdict),
            f"Faults that no call met: {', '.join(run.missing) or 'none'}.",
            _conclusion(run.verdict),
        ]
    )


def _outages_table(faults: Mapping[str, Mapping[str, Any]]) -> str:
    head = ["fault", "times", "calls", "unavailable", "longest", "first success after", "latest"]
    rows = [(kind, *(_told(value) for value in each.values())) for kind, each in faults.items()]
    return _table(head, rows)


def _told(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.2f} s" if isinstance(value, float) else f"{value:,}"


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _breaches(verdict: Verdict) -> list[str]:
    return [
        f"{name}, {len(found)} in all:\n" + "\n".join(f"- {each}" for each in found[:SHOWN])
        for name, found in verdict.breaches.items()
        if found
    ]


def _conclusion(verdict: Verdict) -> str:
    return {
        "pass": "pass: every promise was kept.",
        "fail": "fail: a promise was broken.",
        "unknown": "unknown: nothing wrong was seen, but the end could not be read.",
    }[verdict.result]


def machine() -> str:
    """Tell what the run was on."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {find_server()}"
