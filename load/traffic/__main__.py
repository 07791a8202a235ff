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
from load.traffic.arguments import count, handle_signals, not_negative, positive
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m load.traffic",
        description=__doc__,
        epilog="Environment: BASE_URL and TOKEN select a running service. If omitted, the"
        " test starts a private one. Exit code: 0 if all thresholds were met, 1 if one was missed,"
        " 2 for a usage error.",
    )
    option = parser.add_argument
    option("--rate", type=positive, default=20, help="requests per second (%(default)s)")
    option(
        "--ramp",
        type=not_negative,
        default=10,
        help="seconds until this rate is reached (%(default)s)",
    )
    option("--steady", type=not_negative, default=30, help="seconds at the rate (%(default)s)")
    option(
        "--spike",
        type=not_negative,
        default=10,
        help="times the rate (%(default)s); 0: none",
    )
    option(
        "--spike-seconds", type=not_negative, default=5, help="duration of the spike (%(default)s)"
    )
    option("--after", type=not_negative, default=20, help="seconds after the spike (%(default)s)")
    option(
        "--customers",
        type=count,
        default=200,
        help="created before the run (%(default)s)",
    )
    option(
        "--find-limit", action="store_true", help="increase the load in steps until a step fails"
    )
    option("--seed", type=int, default=1, help="random seed (%(default)s)")
    option(
        "--limit",
        type=positive,
        default=100,
        help="maximum median of a read, in ms (%(default)s); other limits derive from it",
    )
    option("--unexpected", type=not_negative, default=0, help="maximum percentage (%(default)s)")
    option(
        "--quick", type=positive, default=1, help="maximum seconds to a 429 or 503 (%(default)s)"
    )
    option(
        "--recovery",
        type=not_negative,
        default=15,
        help="maximum seconds after a spike (%(default)s)",
    )
    option(
        "--output", type=Path, default=Path("artifacts/load"), help="output folder (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
