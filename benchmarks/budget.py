"""Check the service's costs: `make budget` fails if a cost exceeds benchmarks/budget.json by 5%.

Costs are the instructions of a cold start and of a further get, list and create; the modules and
bytes of source that a cold start loads; and the bytes of the package. Instructions are counted only
if valgrind is installed and the Python is the one in the budget, because other Pythons need other
numbers of instructions. `--update` writes the current costs; commit them with the change that
justifies them.
"""

import argparse
import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.meter import OURS, ROOT, MeasuringError, has_valgrind, meter
from infrastructure import packaging, stages

FILE = Path(__file__).with_name("budget.json")
ALLOWED = 1.05
PYTHON = f"{platform.python_version()}, {platform.python_compiler()}, {platform.machine()}"
FIRST = "logging"  # AWS's runtime client imports it, too

Costs = Mapping[str, float]


def main() -> int:
    """Compare with the budget, or write a new budget. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget", description=__doc__)
    parser.add_argument(
        "--update", action="store_true", help="write the current costs as the new budget"
    )
    update = parser.parse_args().update
    budget = json.loads(FILE.read_text()) if FILE.exists() else {}
    counts = has_valgrind() and (update or budget.get("python") == PYTHON)
    try:
        costs = measured(counts=counts)
    except (MeasuringError, packaging.PackagingError) as error:
        print(f"can't measure: {error}", file=sys.stderr)
        return 1
    if update:
        return write(costs)
    if not counts:
        print(f"instructions are not counted: valgrind or Python {budget.get('python')} is missing")
    return compare(budget, costs)


def measured(*, counts: bool) -> dict[str, float]:
    """Return the service's current costs."""
    with meter(sys.executable, FIRST) as process_meter:
        statistics = process_meter.statistics(OURS)
        instructions = process_meter.costs(OURS) if counts else {}
    return {
        **{f"{name} instructions": round(count) for name, count in instructions.items()},
        "modules loaded": statistics.modules,
        "bytes of source loaded": statistics.sources,
        "bytes of the package": package_size(),
    }


def package_size() -> int:
    """Return the size of the zipped package of the API's functions."""
    with TemporaryDirectory(prefix="customers-budget-") as out:
        packaging.build(stages.named("dev"), Path(out))
        return Path(out, "deployment.zip").stat().st_size


def write(costs: Costs) -> int:
    python = {"python": PYTHON} if has_valgrind() else {}
    FILE.write_text(json.dumps({**python, **costs}, indent=2) + "\n")
    print(f"wrote {FILE.relative_to(ROOT)}")
    return 0


def compare(budget: Mapping[str, float], costs: Costs) -> int:
    """Print each cost with its budget. Return 1 if a cost exceeds it."""
    print(f"{'':26}{'budget':>14}{'now':>14}{'ratio':>8}")
    ratios = {name: cost / budget[name] for name, cost in costs.items()}
    for name, ratio in ratios.items():
        verdict = "  too much" if ratio > ALLOWED else ""
        print(f"{name:26}{budget[name]:14,}{costs[name]:14,}{ratio:8.3f}{verdict}")
    if max(ratios.values()) <= ALLOWED:
        return 0
    print(
        "Reduce the cost. If justified, run `make budget ARGS=--update`, and commit with a reason."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
