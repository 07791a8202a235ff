"""Measure the cost of logs, metrics and traces in the function: `python -m benchmarks.telemetry`.

Each measurement runs fresh processes that pass requests to the app, with a private Data API server
and a database with one customer. The app runs in three variants, which alternate: without
telemetry; with telemetry, but requests are not sampled; and with sampled requests, whose segments
go to a port that nothing reads. Log lines go to /dev/null.

The unit is instructions, which valgrind counts and which hardly vary. Without valgrind, or with
`--cpu`, the unit is CPU seconds, and each ratio is the median of the rounds' ratios.
"""

import argparse
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tqdm import tqdm

from benchmarks import backends
from benchmarks.events import SAMPLED
from benchmarks.meter import OURS, Costs, MeasuringError, Meter, Program, has_valgrind
from local.processes import LocalError

KINDS = ("health", "get", "list", "create")
BASE = "without"
VARIANTS = {BASE: Program("benchmarks.without_telemetry"), "unsampled": OURS, "sampled": OURS}


@contextmanager
def running() -> Iterator[dict[str, Meter]]:
    """Run the servers that the app needs, and yield a meter for each variant."""
    with (
        TemporaryDirectory(prefix="benchmark-") as directory,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon,
        backends.running(Path(directory), customers=1) as (data_api, _),
    ):
        daemon.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        variables = {**data_api, "AWS_XRAY_DAEMON_ADDRESS": address}
        yield {
            name: Meter([sys.executable], {**variables, SAMPLED: str(int(name == "sampled"))})
            for name in VARIANTS
        }


def measure(rounds: int, *, by_valgrind: bool) -> None:
    """Print the ratios for each kind of request."""
    unit = "instructions" if by_valgrind else "seconds"
    print(f"| {unit}, ratio to no telemetry | cold | warm |\n|---|---|---|")
    with running() as meters:
        for kind in KINDS:
            costs = [
                {
                    name: meters[name].costs(program, [kind], by_valgrind=by_valgrind)
                    for name, program in VARIANTS.items()
                }
                for _ in tqdm(range(rounds), desc=kind, leave=False)
            ]
            for name in list(VARIANTS)[1:]:
                cold, warm = (ratio(costs, name, column) for column in ("cold", kind))
                print(f"| {kind}, {name} | {cold:.3f} | {warm:.3f} |", flush=True)


def ratio(rounds: list[dict[str, Costs]], name: str, column: str) -> float:
    return median(costs[name][column] / costs[BASE][column] for costs in rounds)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.add_argument("--rounds", type=int, help="default: 1 with valgrind, 15 without")
    parser.add_argument("--cpu", action="store_true", help="measure CPU seconds")
    arguments = parser.parse_args()
    by_valgrind = has_valgrind() and not arguments.cpu
    rounds = arguments.rounds or (1 if by_valgrind else 15)
    try:
        measure(rounds, by_valgrind=by_valgrind)
    except (LocalError, MeasuringError) as error:
        sys.exit(f"benchmark: {error}")


if __name__ == "__main__":
    main()
