"""Send a realistic load, and tell whether the service held the marks: `python -m load.traffic`."""

import argparse
import asyncio
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from load.traffic import report
from load.traffic.arguments import count, not_negative, positive, signals_end
from load.traffic.arrivals import Phase
from load.traffic.limit import find, table
from load.traffic.marks import RECOVERY, SPIKE, STEADY, Marks
from load.traffic.outcomes import Outcome
from load.traffic.running import traffic
from load.traffic.target import Target, TargetError, given, own
from local.processes import LocalError

INTERRUPTED = 130


def main() -> int:
    """Run, report, judge; return the exit code."""
    parser = _parser()
    arguments = parser.parse_args()
    signals_end()
    try:
        there = given(os.environ)
    except TargetError as error:
        parser.error(str(error))
    running: AbstractContextManager[Target] = nullcontext(there) if there else own()
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
    is_held = arguments.find_limit or _tell(arguments, outcomes)
    return INTERRUPTED if was_cut else int(not is_held)


async def _run(arguments: argparse.Namespace, target: Target) -> tuple[list[Outcome], bool]:
    phases = _phases(arguments)
    _announce(arguments, target, phases)
    async with traffic(target, arguments.customers, arguments.seed) as sending:
        if arguments.find_limit:
            steps = await find(sending, target, arguments.rate, _marks(arguments))
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
        print(f"To {target.base_url}: more and more until it does not hold", file=sys.stderr)
        return
    seconds = sum(phase.seconds for phase in phases)
    requests = sum(phase.seconds * (phase.first + phase.last) / 2 for phase in phases)
    most = max(phase.last for phase in phases)
    end = "go with the stack" if target.is_own else "are erased at the end, if the token may"
    print(
        f"To {target.base_url}: {arguments.customers} made-up customers of example.com, then some"
        f" {requests:,.0f} requests in {seconds:g} s, up to {most:g} a second; a tenth of them"
        f" create customers, all of which {end}.",
        file=sys.stderr,
    )


def _tell(arguments: argparse.Namespace, outcomes: Sequence[Outcome]) -> bool:
    """Print the tables and write the page; return whether all marks are held."""
    if not outcomes:
        print("nothing was sent", file=sys.stderr)
        return False
    judged = _marks(arguments).judge(outcomes)
    tables = [
        report.phases(outcomes),
        report.operations(outcomes),
        report.faults(outcomes),
        report.marks(judged),
    ]
    print("\n\n".join(report.markdown(table) for table in tables if len(table) > 1))
    file, command = arguments.output / "report.html", shlex.join(sys.argv[1:])
    file.write_text(report.page(f"python -m load.traffic {command}", outcomes, tables))
    file.with_name("plots.svg").write_text(report.plots(outcomes))
    print(f"\nplots: {file}", file=sys.stderr)
    return all(mark.is_held for mark in judged)


def _marks(arguments: argparse.Namespace) -> Marks:
    return Marks(arguments.limit, arguments.unexpected, arguments.quick, arguments.recovery)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m load.traffic",
        description=__doc__,
        epilog="Environment: BASE_URL and TOKEN name a running service; without them a private one"
        " is started. Exit code: 0 if all marks were held, 1 if one was missed, 2 for wrong use.",
    )
    option = parser.add_argument
    option("--rate", type=positive, default=20, help="requests a second (%(default)s)")
    option("--ramp", type=not_negative, default=10, help="seconds until then (%(default)s)")
    option("--steady", type=not_negative, default=30, help="seconds at that rate (%(default)s)")
    option("--spike", type=not_negative, default=10, help="times that rate (%(default)s); 0: none")
    option("--spike-seconds", type=not_negative, default=5, help="how long (%(default)s)")
    option("--after", type=not_negative, default=20, help="seconds after it (%(default)s)")
    option("--customers", type=count, default=200, help="made before (%(default)s)")
    option("--find-limit", action="store_true", help="go up in steps until it does not hold")
    option("--seed", type=int, default=1, help="of chance (%(default)s)")
    option(
        "--limit",
        type=positive,
        default=100,
        help="ms, a read's median (%(default)s); others follow",
    )
    option("--unexpected", type=not_negative, default=0, help="percent of answers (%(default)s)")
    option("--quick", type=positive, default=1, help="seconds to a 429 or 503 (%(default)s)")
    option("--recovery", type=not_negative, default=15, help="seconds after a spike (%(default)s)")
    option("--output", type=Path, default=Path("artifacts/load"), help="directory (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
