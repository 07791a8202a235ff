"""What the service may cost: `make budget` fails when it costs 5% more than benchmarks/budget.json.

Instructions of a cold start and of a further get, list and create where valgrind is there and the
Python is the one that they were counted with, as another one counts otherwise; modules and bytes
of source that a cold start loads, and the package's bytes, everywhere. `--update` writes anew what
can be measured here: that belongs to the commit which is worth it.
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
FIRST = "logging"  # which AWS's runtime client imports, too

Costs = Mapping[str, float]


def main() -> int:
    """Compare, or write the file anew; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write what it costs now")
    update = parser.parse_args().update
    budget = json.loads(FILE.read_text()) if FILE.exists() else {}
    counts = has_valgrind() and (update or budget.get("python") == PYTHON)
    try:
        costs = measured(counts=counts)
    except (MeasuringError, packaging.PackagingError) as error:
        print(f"nothing can be measured: {error}", file=sys.stderr)
        return 1
    if update:
        return write(costs)
    if not counts:
        print(f"instructions are not counted: no valgrind, or no Python {budget.get('python')}")
    return compare(budget, costs)


def measured(*, counts: bool) -> dict[str, float]:
    """Return what the service costs now."""
    with meter(sys.executable, FIRST) as taken:
        told = taken.told(OURS)
        instructions = taken.costs(OURS) if counts else {}
    return {
        **{f"{name} instructions": round(count) for name, count in instructions.items()},
        "modules loaded": told.modules,
        "bytes of source loaded": told.sources,
        "bytes of the package": package_size(),
    }


def package_size() -> int:
    """Return the size of what is uploaded for the functions of the API, zipped."""
    with TemporaryDirectory(prefix="customers-budget-") as out:
        packaging.build(stages.named("dev"), Path(out))
        return Path(out, "deployment.zip").stat().st_size


def write(costs: Costs) -> int:
    python = {"python": PYTHON} if has_valgrind() else {}
    FILE.write_text(json.dumps({**python, **costs}, indent=2) + "\n")
    print(f"{FILE.relative_to(ROOT)} is written")
    return 0


def compare(budget: Mapping[str, float], costs: Costs) -> int:
    """Print each cost beside its budget; return 1 if one has outgrown it."""
    print(f"{'':26}{'budget':>14}{'now':>14}{'ratio':>8}")
    ratios = {name: cost / budget[name] for name, cost in costs.items()}
    for name, ratio in ratios.items():
        verdict = "  too much" if ratio > ALLOWED else ""
        print(f"{name:26}{budget[name]:14,}{costs[name]:14,}{ratio:8.3f}{verdict}")
    if max(ratios.values()) <= ALLOWED:
        return 0
    print("Make it cheaper; or, if it is worth it, `make budget ARGS=--update` and say why.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
