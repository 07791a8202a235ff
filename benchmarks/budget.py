"""Check the service's costs: `make budget` fails if one exceeds its budget by more than allowed.

The unpacked package runs on the functions' version of Python, whichever version runs this program.
The budget always compares the modules that a cold start loads, the bytes of their files, and the
bytes of the packages. It compares the instructions of a cold start with each operation, of the
other functions, and of further requests, if valgrind is installed and the build of Python is the
one that the file names, because each build needs another number of instructions. The budget
compares the work of a database engine if its version is the one that the file names.
`benchmarks.database_work` describes this work. A missing engine is installed.

The budgets are in benchmarks/budget.json. `--update` writes the current costs. Commit them with the
reason.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import database_work
from benchmarks.meter import (
    AUTHORIZER,
    KINDS,
    OURS,
    PURGE,
    RELAY,
    ROOT,
    MeasuringError,
    Meter,
    has_valgrind,
    package_meter,
    unpack,
)
from benchmarks.operations import Failed
from infrastructure import interpreters, packaging, stages
from local.engines import ENGINES
from local.processes import LocalError

FILE = Path(__file__).with_name("budget.json")
ALLOWED = 1.05
BUILD = """
from platform import machine, python_compiler, python_version
print(python_version(), python_compiler(), machine(), sep=", ")
"""

OPERATIONS = (
    *("list", "changes", "create", "patch", "put", "batch", "delete", "restore", "erase"),
    *("erasure", "history", "export"),
    *("get by external id", "put by external id", "patch by external id"),
    *("delete by external id", "patch batch", "delete batch"),
)
"""The kinds of a cold start's request, besides the get."""
FURTHER = (*KINDS, "patch", "put", "get by external id", "batch", "patch batch")
OTHERS = {"token": AUTHORIZER, "purge": PURGE, "relay": RELAY}
"""The relay sends an event of each of 100 customers. The instructions of boto3 don't count."""

Costs = Mapping[str, float]


def main() -> int:
    """Compare with the budget, or write a new budget. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the current costs")
    update = parser.parse_args().update
    budget = json.loads(FILE.read_text()) if FILE.exists() else {}
    try:
        versions = {"python": build(interpreter()), **database_work.installed()}
        same = [own for own in versions if update or budget.get(own) == versions[own]]
        counts = has_valgrind() and "python" in same
        costs = measure(interpreter(), counts=counts) | database_work.measure(same)
    except (Failed, LocalError, MeasuringError, packaging.PackagingError) as error:
        print(f"error: the costs can't be measured: {error}", file=sys.stderr)
        return 1
    if update:
        return write(versions, costs)
    if not counts:
        print(f"no instructions, because valgrind or Python {budget.get('python')} is missing")
    for engine in [own for own in ENGINES if own not in same]:
        print(f"no work of {versions[engine]}, because the budget is for {budget.get(engine)}")
    return compare(budget, costs)


def interpreter() -> Path:
    """Return an interpreter of the functions' version. Raises MeasuringError."""
    if python := interpreters.find(stages.PYTHON):
        return python
    raise MeasuringError(f"Python {stages.PYTHON} is not installed. {interpreters.ADVICE}")


def build(python: Path) -> str:
    """Return the release, compiler and machine of a Python, which determine its instructions."""
    command = [str(python), "-c", BUILD]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def measure(python: Path, *, counts: bool) -> dict[str, float]:
    """Return the service's current costs."""
    with TemporaryDirectory(prefix="customers-budget-") as directory:
        out, package = Path(directory, "out"), Path(directory, "package")
        packaging.build(stages.named("dev"), out)
        unpack(out, package, python)
        with package_meter(python, package) as meter:
            statistics = meter.statistics(OURS)
            instructions = count_all(meter) if counts else {}
        sizes = [(out / name).stat().st_size for name in ("deployment.zip", "authorizer.zip")]
    return {
        **{f"{name} instructions": round(count) for name, count in instructions.items()},
        "modules loaded": statistics.modules,
        "bytes of modules loaded": statistics.code,
        "bytes of the package": sizes[0],
        "bytes of the authorizer's layer": sizes[1],
    }


def count_all(meter: Meter) -> dict[str, float]:
    """Return the instructions of cold starts and of further requests."""
    cold = meter.colds(OURS, OPERATIONS)
    for kind, program in OTHERS.items():
        cold |= meter.colds(program, [kind])
    return meter.costs(OURS, FURTHER) | {f"cold {kind}": count for kind, count in cold.items()}


def allowed(name: str) -> float:
    """Return the ratio that a cost may reach."""
    return database_work.ALLOWED if name.endswith(database_work.PAGES) else ALLOWED


def package_size() -> int:
    """Return the bytes of the zipped package of the API's functions."""
    with TemporaryDirectory(prefix="customers-budget-") as out:
        packaging.build(stages.named("dev"), Path(out))
        return Path(out, "deployment.zip").stat().st_size


def write(versions: Mapping[str, str], costs: Costs) -> int:
    measured = {own: versions[own] for own in versions if own != "python" or has_valgrind()}
    FILE.write_text(json.dumps({**measured, **costs}, indent=2) + "\n")
    print(f"wrote {FILE.relative_to(ROOT)}")
    return 0


def compare(budget: Mapping[str, float], costs: Costs) -> int:
    """Print each cost with its budget. Return 1 if a cost exceeds its budget by too much."""
    width = max(map(len, costs))
    print(f"{'':{width}}{'budget':>14}{'now':>14}{'ratio':>8}")
    ratios = {name: cost / budget[name] for name, cost in costs.items()}
    for name, ratio in ratios.items():
        verdict = "  too much" if ratio > allowed(name) else ""
        print(f"{name:{width}}{budget[name]:14,}{costs[name]:14,}{ratio:8.3f}{verdict}")
    if all(ratio <= allowed(name) for name, ratio in ratios.items()):
        return 0
    print(
        "Reduce the cost. If it is justified, run `make budget ARGS=--update`, and state the reason"
        " in the commit."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
