"""Simulate the service in AWS from 10 to 100,000 requests per second: `make simulate`.

Writes docs/scaling/results.json, the tables of docs/scaling.md and its plots. The same seed yields
the same figures. With --quick, prints a coarse table within seconds and writes only to --output.
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

from load.simulation import MEASURED, PAGE, RESULTS, calibration, page, plots
from load.simulation.answers import Answer, answers
from load.simulation.checks import CHECKS, CUSTOMERS
from load.simulation.figures import rounded
from load.simulation.plan import QUICK, Effort, planned
from load.simulation.runs import Run, run

PROCESSES = 2


def simulate(seed: str, effort: Effort) -> Answer:
    """Run all scenarios with a progress bar, and return all results."""
    scenarios = {scenario.name: (scenario, seeds) for scenario, seeds in planned(effort)}
    runs: dict[str, dict[int, Run]] = {name: {} for name in scenarios}
    checks: dict[str, Answer] = {}
    held = calibration.compared(MEASURED, seed, effort)
    # Only this process handles Ctrl-C; it stops the workers.
    with ProcessPoolExecutor(
        PROCESSES, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        work: dict[Future[Any], Any] = {}
        for name, (scenario, seeds) in scenarios.items():
            for number in range(seeds):
                work[pool.submit(run, scenario, f"{seed} {number}")] = runs[name], number
        for name in CHECKS:
            work[pool.submit(_check, name, seed, effort)] = checks, name
        try:
            for future in tqdm(as_completed(work), total=len(work), desc="simulating"):
                into, key = work[future]
                into[key] = future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    found = {name: (scenario, _ordered(runs[name])) for name, (scenario, _) in scenarios.items()}
    told = {"seed": seed} | vars(effort)
    theory = {name: checks[name] for name in CHECKS}
    return told | {"theory": theory, "calibration": held} | answers(found)


def _ordered(runs: dict[int, Run]) -> list[Run]:
    return [runs[number] for number in sorted(runs)]


def _check(name: str, seed: str, effort: Effort) -> Answer:
    check, customers = CHECKS[name], CUSTOMERS // 10 if effort.is_quick else CUSTOMERS
    seen = check.over(name, seed, effort.seeds, customers)
    return {"theory": check.expected, "simulated": seen, "holds": seen.holds(check.expected)}


def text(results: Answer) -> str:
    """Serialize the results: four significant digits, and null for NaN."""
    return json.dumps(_plain(rounded(results, 4)), indent=1) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _plain(element) for name, element in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def write(results: Answer, output: Path) -> Iterator[Path]:
    """Write the results. If they are those of the page, also write the page and its plots."""
    output.write_text(text(results))
    yield output
    if output == RESULTS:
        told = json.loads(output.read_text())
        PAGE.write_text(page.filled(PAGE.read_text(), told))
        yield PAGE
        for name, drawn in plots.drawn(told).items():
            (RESULTS.parent / name).write_text(drawn)
            yield RESULTS.parent / name


def main() -> int:
    """Simulate, or redraw existing results."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else the workers would keep running
    try:
        if arguments.draw:
            results = json.loads(RESULTS.read_text())
            held = calibration.compared(MEASURED, results["seed"], Effort())
            results |= {"calibration": held}
        else:
            results = simulate(arguments.seed, QUICK if arguments.quick else Effort())
        if arguments.quick and not arguments.output:
            print(page.decisions(results))  # too coarse to be stored
        else:
            for path in write(results, arguments.output or RESULTS):
                print(os.path.relpath(path))
    except (OSError, ValueError) as error:
        print(f"simulation: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("simulation: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make simulate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", default="1", help="random seed, any text (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="run for seconds instead of minutes")
    where = f"file of the results ({os.path.relpath(RESULTS)})"
    parser.add_argument("--output", type=_writable, metavar="FILE", help=where)
    anew = "only compare with the measurements, and redraw the existing results"
    parser.add_argument("--draw", action="store_true", help=anew)
    return parser.parse_args()


def _writable(name: str) -> Path:
    path = Path(name)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(
            f"can't write to {name}: it must be a file in an existing folder"
        )
    return path


if __name__ == "__main__":
    sys.exit(main())
