"""Report the results of a run, as Markdown tables and as JSON."""

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from load.chaos.availability import Outage, outages, successes
from load.chaos.checker import Verdict
from load.chaos.faults import (
    API_KILLED,
    BOTH_KILLED,
    DATABASE_KILLED,
    RELAY_KILLED,
    WORKER_KILLED,
    possible,
)
from load.chaos.history import Fault, Operation
from load.chaos.nemesis import KINDS
from load.chaos.service import SERVE
from local import engines

SHOWN = 5
"""Maximum number of violations of each kind that the report describes."""


@dataclass(frozen=True)
class Run:
    """A run with its results. `seconds` and `operations` are those of the clients only.

    `broken` are the faults that the API had on purpose.
    """

    seed: int
    seconds: float
    backends: Sequence[str]
    broken: Sequence[str]
    operations: Sequence[Operation]
    faults: Sequence[Fault]
    verdict: Verdict

    @property
    def kills(self) -> dict[str, int]:
        """The number of kills of each program."""
        times = Counter(fault.kind for fault in self.faults)
        workers = {"workers": times[WORKER_KILLED]} if SERVE in self.backends else {}
        return {
            "database": times[DATABASE_KILLED] + times[BOTH_KILLED],
            "API": times[API_KILLED] + times[BOTH_KILLED],
            "relays": times[RELAY_KILLED],
            **workers,
        }

    @property
    def missing(self) -> list[str]:
        """The possible kinds of faults that no call has met."""
        given = {fault.kind for fault in self.faults if fault.given}
        return [kind for kind in possible(self.backends) if kind not in given]

    @property
    def outages(self) -> dict[str, Outage]:
        faults = [fault for fault in self.faults if fault.kind in KINDS]  # those of the API
        return outages(faults, successes(self.operations))


def figures(run: Run) -> dict[str, Any]:
    """Return the figures of a run, ready for JSON; times are in seconds."""
    return {
        "result": run.verdict.result,
        "seed": run.seed,
        "seconds": round(run.seconds, 1),
        "backends": [*run.backends],
        "broken": [*run.broken],
        "machine": machine(),
        "operations": len(run.operations),
        "requests": sum(len(operation.attempts) for operation in run.operations),
        "counts": {**run.verdict.counts},
        "breaches": {name: len(breaches) for name, breaches in run.verdict.breaches.items()},
        "final_read": run.verdict.is_whole,
        "kills": run.kills,
        "faults": {kind: _outage(outage) for kind, outage in run.outages.items()},
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
    data = figures(run)
    kills = data["kills"]
    return "\n\n".join(
        [
            _table(
                ["writes, and what was found", ""], {**data["counts"], **data["breaches"]}.items()
            ),
            _outages_table(data["faults"]),
            (
                f"{sum(kills.values())} kills: "
                f"{', '.join(f'{number} of the {name}' for name, number in kills.items())}. "
                f"{data['operations']:,} operations, "
                f"{data['requests']:,} requests in {run.seconds:.0f} s; seed {run.seed}; "
                f"backends {', '.join(run.backends)}; {data['machine']}."
            ),
            *_breaches(run.verdict),
            f"Faults that no call met: {', '.join(run.missing) or 'none'}.",
            _conclusion(run.verdict),
        ]
    )


def _outages_table(faults: Mapping[str, Mapping[str, Any]]) -> str:
    head = ["fault", "times", "calls", "unavailable", "longest", "first success after", "latest"]
    rows = [
        (kind, *(_format_seconds(value) for value in outage.values()))
        for kind, outage in faults.items()
    ]
    return _table(head, rows)


def _format_seconds(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.2f} s" if isinstance(value, float) else f"{value:,}"


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _breaches(verdict: Verdict) -> list[str]:
    return [
        f"{name}, {len(breaches)} in total:\n"
        + "\n".join(f"- {breach}" for breach in breaches[:SHOWN])
        for name, breaches in verdict.breaches.items()
        if breaches
    ]


def _conclusion(verdict: Verdict) -> str:
    return {
        "pass": "pass: no guarantee was violated.",
        "fail": "fail: a guarantee was violated.",
        "unknown": "unknown: no violation was found, but the final data could not be read.",
    }[verdict.result]


def machine() -> str:
    """Return a description of the machine: cores, Python and database."""
    database = engines.selected().find()
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {database}"
