"""Send steady load for an hour, and report growing resources: `python -m load.traffic.soak`."""

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psutil

from load.traffic import flat, samples
from load.traffic.arguments import Parser, handle_signals, positive
from load.traffic.arrivals import Phase
from load.traffic.flat import Trend
from load.traffic.outcomes import Outcome
from load.traffic.report import markdown
from load.traffic.running import traffic
from load.traffic.samples import Sample
from load.traffic.target import Target, TargetError, private
from local.processes import LocalError

EVERY = 5.0
"""Seconds between samples."""
INTERRUPTED = 130


def main() -> int:
    """Run a soak, and report whether everything stayed flat. Return the exit code."""
    parser = _parser()
    arguments = parser.parse_args()
    if os.environ.get("BASE_URL"):
        parser.error(
            "a soak measures the processes of its own private stack: unset BASE_URL, or use"
            " `make load` for a running service"
        )
    handle_signals()
    was_cut, file = False, arguments.judge or arguments.output / "samples.jsonl"
    try:
        if not arguments.judge:
            was_cut = _soak(arguments, file)
        is_flat = _report(file, arguments.output)
    except ValueError as error:
        print(f"error: can't judge {file}: {error}", file=sys.stderr)
        return 2 if arguments.judge else INTERRUPTED
    except (TargetError, LocalError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return INTERRUPTED if was_cut else int(not is_flat)


def _soak(arguments: argparse.Namespace, path: Path) -> bool:
    """Send requests and take samples. Return whether the run was interrupted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with private() as target, path.open("w") as file:
        file.write(json.dumps(_head(arguments)) + "\n")
        return asyncio.run(_run(arguments, target, file))


async def _run(arguments: argparse.Namespace, target: Target, file: IO[str]) -> bool:
    phase = Phase("steady", arguments.minutes * 60, arguments.rate, arguments.rate)
    window: list[Outcome] = []
    async with traffic(target, arguments.customers, arguments.seed) as sending:
        sampling = asyncio.create_task(_sample(target, window, file))
        await sending.send([phase], window.append)
        sampling.cancel()
        return sending.is_stopped


async def _sample(target: Target, window: list[Outcome], file: IO[str]) -> None:
    """Write a sample every few seconds, unbuffered, so that a killed run leaves its samples."""
    start = time.monotonic()
    while True:
        await asyncio.sleep(EVERY)
        outcomes, window[:] = list(window), []
        if outcomes:
            line = _line(time.monotonic() - start, target, outcomes)
            print(json.dumps(line), file=file, flush=True)


def _line(at: float, target: Target, outcomes: Sequence[Outcome]) -> Sample:
    return Sample(
        at=round(at, 1),
        requests=len(outcomes),
        faults=Counter(
            f"{outcome.operation}: {outcome.fault}" for outcome in outcomes if outcome.fault
        ),
        values={
            **samples.resources(target.programs),
            **samples.latencies(outcomes),
            "machine: load": round(os.getloadavg()[0], 2),
        },
    )


def _report(file: Path, output: Path) -> bool:
    """Print and write the report. Return whether all trends are flat and no request failed."""
    head, lines = samples.read(file)
    trends = flat.judge(lines)
    faults = sum((Counter(line["faults"]) for line in lines), Counter[str]())
    requests = sum(line["requests"] for line in lines)
    minutes = lines[-1]["at"] / 60
    print(f"{requests:,} requests in {minutes:.1f} minutes; faults: {dict(faults) or 'none'}")
    print(markdown(_table(trends)))
    output.mkdir(parents=True, exist_ok=True)
    (output / "soak.svg").write_text(flat.plot(lines))
    figures = head | {
        "minutes": round(minutes, 1),
        "requests": requests,
        "faults": faults,
        "trends": [_rounded(trend) for trend in trends],
    }
    (output / "soak.json").write_text(json.dumps(figures, indent=1) + "\n")
    return not faults and all(trend.is_flat for trend in trends)


def _table(trends: Sequence[Trend]) -> list[Sequence[str]]:
    rows = [
        (name, *(f"{number:.1f}" for number in numbers), "flat" if is_flat else "NOT FLAT")
        for (name, *numbers), is_flat in ((trend, trend.is_flat) for trend in trends)
    ]
    return [("", "first tenth", "last tenth", "trend adds", "allowed", ""), *rows]


def _rounded(trend: Trend) -> Mapping[str, object]:
    named = trend._asdict()
    numbers = {name: round(named[name], 2) for name in ("first", "last", "added", "allowed")}
    return {"name": trend.name, **numbers, "is_flat": trend.is_flat}


def _head(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "rate": arguments.rate,
        "seed": arguments.seed,
        "customers": arguments.customers,
        "machine": f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB",
        "python": platform.python_version(),
    }


def _parser() -> Parser:
    parser = Parser(
        "python -m load.traffic.soak",
        __doc__,
        "Exit code: 0 if all trends are flat, 1 if not, 2 for a usage error.",
        Path("artifacts/soak"),
    )
    parser.option("--minutes", positive, 60, "duration in minutes")
    judge = "only judge the samples of a finished or running soak"
    parser.add_argument("--judge", type=Path, metavar="FILE", help=judge)
    return parser


if __name__ == "__main__":
    sys.exit(main())
