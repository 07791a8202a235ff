"""Simulate the service in AWS from 10 to 100,000 requests per second: `make simulate`.

Writes out/simulation/results.json, the tables of docs/scaling.md and its plots. The same seed gives
the same figures. With --quick it prints a coarse table in seconds, and writes only to --output.
"""

import argparse
import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tqdm import tqdm

from load.simulation import MEASURED, PAGE, PLOTS, RESULTS, calibration, page, plots
from load.simulation.answers import Answer, answers
from load.simulation.figures import rounded
from load.simulation.plan import QUICK, Effort, planned
from load.simulation.runs import Run, run

PROCESSES = 2


def simulate(seed: str, effort: Effort) -> Answer:
    """Run all scenarios with a progress bar, and return the results."""
    scenarios = {scenario.name: (scenario, seeds) for scenario, seeds in planned(effort)}
    runs: dict[str, dict[int, Run]] = {name: {} for name in scenarios}
    held = calibration.compared(MEASURED, seed, effort)
    # Only this process handles Ctrl-C, and stops the others
    with ProcessPoolExecutor(
        PROCESSES, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        work: dict[Future[Run], tuple[str, int]] = {}
        for name, (scenario, seeds) in scenarios.items():
            for number in range(seeds):
                work[pool.submit(run, scenario, f"{seed} {number}")] = name, number
        try:
            for future in tqdm(as_completed(work), total=len(work), desc="simulating"):
                name, number = work[future]
                runs[name][number] = future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    found = {
        name: (scenario, [runs[name][number] for number in range(seeds)])
        for name, (scenario, seeds) in scenarios.items()
    }
    return {"seed": seed} | vars(effort) | {"calibration": held} | answers(found)


def text(results: Answer) -> str:
    """Return the results as JSON, with four digits, and null for infinity and NaN."""
    return json.dumps(_plain(rounded(results, 4)), indent=1) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def write(results: Answer, output: Path) -> Iterator[Path]:
    """Write the results. With the default output, also update the page and its plots."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text(results))
    yield output
    if output == RESULTS:
        told = json.loads(output.read_text())
        PAGE.write_text(page.filled(PAGE.read_text(), told))
        yield PAGE
        for name, drawn in plots.drawn(told).items():
            (PLOTS / name).write_text(drawn)
            yield PLOTS / name


def main() -> int:
    """Simulate, or update the page from earlier results."""
    arguments = _arguments()
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # otherwise the worker processes continue
    try:
        if arguments.draw:
            results = _earlier()
            results["calibration"] = calibration.compared(MEASURED, results["seed"], Effort())
        else:
            results = simulate(arguments.seed, QUICK if arguments.quick else Effort())
        if arguments.quick and not arguments.output:
            print(page.decisions(results))  # too coarse to keep
        else:
            for path in write(results, arguments.output or RESULTS):
                print(os.path.relpath(path))
    except (OSError, ValueError) as error:
        print(f"simulation: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("simulation: stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


def _earlier() -> Any:
    if not RESULTS.exists():
        raise ValueError(f"{os.path.relpath(RESULTS)} is missing; run without --draw first")
    return json.loads(RESULTS.read_text())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make simulate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", default="1", help="any text (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="take seconds instead of minutes")
    where = f"file for the results ({os.path.relpath(RESULTS)})"
    parser.add_argument("--output", type=_writable, metavar="FILE", help=where)
    draw = "don't simulate: update the page and its plots from earlier results"
    parser.add_argument("--draw", action="store_true", help=draw)
    return parser.parse_args()


def _writable(name: str) -> Path:
    path = Path(name)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(
            f"{name} can't be written. Name a file in a writable folder"
        )
    return path


if __name__ == "__main__":
    sys.exit(main())
