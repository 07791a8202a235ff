"""What the service may cost: `make budget` fails when it costs 5% more than benchmarks/budget.json.

The unpacked package runs on the functions' version of Python, whichever version runs this program.
Everywhere, the budget compares the modules and the bytes of source that a cold start loads, and the
package's bytes. It compares the instructions of a cold start and of a further get, list and create
if valgrind is installed and the build of Python is the one that the file names, because each build
has other counts. `--update` writes what can be measured here; commit that with the reason.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.meter import OURS, ROOT, MeasuringError, has_valgrind, package_meter, unpack
from infrastructure import interpreters, packaging, stages

FILE = Path(__file__).with_name("budget.json")
ALLOWED = 1.05
BUILD = """
from platform import machine, python_compiler, python_version
print(python_version(), python_compiler(), machine(), sep=", ")
"""
FIRST = "logging"  # which AWS's runtime client imports, too

Costs = Mapping[str, float]


def main() -> int:
    """Compare, or write the file anew; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write what it costs now")
    update = parser.parse_args().update
    budget = json.loads(FILE.read_text()) if FILE.exists() else {}
    try:
        python = interpreter()
        counts = has_valgrind() and (update or budget.get("python") == build(python))
        costs = measured(python, counts=counts)
    except (MeasuringError, packaging.PackagingError) as error:
        print(f"nothing can be measured: {error}", file=sys.stderr)
        return 1
    if update:
        return write(build(python), costs)
    if not counts:
        print(f"instructions are not counted: no valgrind, or no Python {budget.get('python')}")
    return compare(budget, costs)


def interpreter() -> Path:
    """Return a Python as the functions have it. Raises MeasuringError."""
    if python := interpreters.find(stages.PYTHON):
        return python
    raise MeasuringError(f"there is no Python {stages.PYTHON} here. {interpreters.ADVICE}")


def build(python: Path) -> str:
    """Return the release, compiler and machine of a Python, which its counts depend on."""
    command = [str(python), "-c", BUILD]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def measured(python: Path, *, counts: bool) -> dict[str, float]:
    """Return what the service costs now."""
    with TemporaryDirectory(prefix="customers-budget-") as place:
        made, package = Path(place, "made"), Path(place, "package")
        packaging.build(stages.named("dev"), made)
        unpack(made, package, python)
        with package_meter(python, FIRST, package) as taken:
            told = taken.told(OURS)
            instructions = taken.costs(OURS) if counts else {}
        size = (made / "deployment.zip").stat().st_size
    return {
        **{f"{name} instructions": round(count) for name, count in instructions.items()},
        "modules loaded": told.modules,
        "bytes of source loaded": told.sources,
        "bytes of the package": size,
    }


def package_size() -> int:
    """Return the size of what is uploaded for the functions of the API, zipped."""
    with TemporaryDirectory(prefix="customers-budget-") as out:
        packaging.build(stages.named("dev"), Path(out))
        return Path(out, "deployment.zip").stat().st_size


def write(python: str, costs: Costs) -> int:
    counted = {"python": python} if has_valgrind() else {}
    FILE.write_text(json.dumps({**counted, **costs}, indent=2) + "\n")
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
