"""Send realistic load, and report whether the service meets the thresholds.

Usage: `python -m load.traffic`.
"""

import argparse
import asyncio
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from load.traffic import report
from load.traffic.arguments import Parser, handle_signals, not_negative, positive
from load.traffic.arrivals import Phase
from load.traffic.limit import find, table
from load.traffic.outcomes import Outcome
from load.traffic.running import traffic
from load.traffic.target import Target, TargetError, configured, private
from load.traffic.thresholds import RECOVERY, SPIKE, STEADY, Thresholds
from local.processes import LocalError

INTERRUPTED = 130


def main() -> int:
    """Run, report, judge; return the exit code."""
    parser = _parser()
    arguments = parser.parse_args()
    handle_signals()
    try:
        there = configured(os.environ)
    except TargetError as error:
        parser.error(str(error))
    running: AbstractContextManager[Target] = nullcontext(there) if there else private()
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
        with running as target:
            outcomes, was_cut = asyncio.run(_run(arguments, target))
    except (TargetError, LocalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was measured", file=sys.stderr)
        return INTERRUPTED
    is_met = arguments.find_limit or _report(arguments, outcomes)
    return INTERRUPTED if was_cut else int(not is_met)


async def _run(arguments: argparse.Namespace, target: Target) -> tuple[list[Outcome], bool]:
    phases = _phases(arguments)
    _announce(arguments, target, phases)
    async with traffic(target, arguments.customers, arguments.seed) as sending:
        if arguments.find_limit:
            steps = await find(sending, target, arguments.rate, _thresholds(arguments))
            print(report.markdown(table(steps)))
            return [], sending.is_stopped
        outcomes: list[Outcome] = []
        await sending.send(phases, outcomes.append)
        return sorted(outcomes), sending.is_stopped


def _phases(arguments: argparse.Namespace) -> list[Phase]:
    rate, peak = arguments.rate, arguments.rate * arguments.spike
    phases = [
        Phase("ramp", arguments.ramp, rate / 10, rate),
        Phase(STEADY, arguments.steady, rate, rate),
    ]
    if arguments.spike > 1:
        phases += [
            Phase(SPIKE, 1, rate, peak),
            Phase(SPIKE, arguments.spike_seconds, peak, peak),
            Phase(RECOVERY, arguments.after, rate, rate),
        ]
    return [phase for phase in phases if phase.seconds]


def _announce(arguments: argparse.Namespace, target: Target, phases: Sequence[Phase]) -> None:
    if arguments.find_limit:
        print(
            f"Target: {target.base_url}. The load grows until the service misses a threshold.",
            file=sys.stderr,
        )
        return
    seconds = sum(phase.seconds for phase in phases)
    requests = sum(phase.seconds * (phase.first + phase.last) / 2 for phase in phases)
    peak = max(phase.last for phase in phases)
    end = (
        "disappear with the stack"
        if target.is_private
        else "are erased at the end, if the token has the scope"
    )
    print(
        f"Target: {target.base_url}. Creates {arguments.customers} fictitious customers, then sends"
        f" about {requests:,.0f} requests in {seconds:g} s, at most {peak:g} per second."
        f" A tenth of them creates customers, which {end}.",
        file=sys.stderr,
    )


def _report(arguments: argparse.Namespace, outcomes: Sequence[Outcome]) -> bool:
    """Print the tables and write the page. Return whether all thresholds are met."""
    if not outcomes:
        print("no requests were sent", file=sys.stderr)
        return False
    judged = _thresholds(arguments).judge(outcomes)
    tables = [
        report.phases(outcomes),
        report.operations(outcomes),
        report.faults(outcomes),
        report.thresholds(judged),
    ]
    print("\n\n".join(report.markdown(table) for table in tables if len(table) > 1))
    file, command = arguments.output / "report.html", shlex.join(sys.argv[1:])
    file.write_text(report.page(f"python -m load.traffic {command}", outcomes, tables))
    file.with_name("plots.svg").write_text(report.plots(outcomes))
    print(f"\nplots: {file}", file=sys.stderr)
    return all(threshold.is_met for threshold in judged)


def _thresholds(arguments: argparse.Namespace) -> Thresholds:
    return Thresholds(arguments.limit, arguments.unexpected, arguments.quick, arguments.recovery)


def _parser() -> Parser:
    parser = Parser(
        "python -m load.traffic",
        __doc__,
        "Environment: BASE_URL and TOKEN select a running service. If omitted, the test starts a"
        " private one. Exit code: 0 if all thresholds were met, 1 if one was missed, 2 for a usage"
        " error.",
        Path("artifacts/load"),
    )
    parser.option("--ramp", not_negative, 10, "seconds until this rate is reached")
    parser.option("--steady", not_negative, 30, "seconds at the rate")
    parser.option("--spike", not_negative, 10, "times the rate; 0: none")
    parser.option("--spike-seconds", not_negative, 5, "duration of the spike")
    parser.option("--after", not_negative, 20, "seconds after the spike")
    median = "maximum median of a read, in ms; other limits derive from it"
    parser.option("--limit", positive, 100, median)
    parser.option("--unexpected", not_negative, 0, "maximum percentage of unexpected responses")
    parser.option("--quick", positive, 1, "maximum seconds to a 429 or 503")
    parser.option("--recovery", not_negative, 15, "maximum seconds after a spike")
    find_limit = "increase the load in steps until a step fails"
    parser.add_argument("--find-limit", action="store_true", help=find_limit)
    return parser


if __name__ == "__main__":
    sys.exit(main())
