"""Measure a cold start on each Python of this machine: `python -m benchmarks.pythons`.

Builds the package, compiles it with each installed version, and prints a table of instructions that
valgrind counted. As in `make budget`, the unpacked package uses the stub. The table has the import,
which SnapStart would save, and the first request, a get. Results: docs/performance.md.
"""

import argparse
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.budget import build
from benchmarks.meter import OURS, MeasuringError, package_meter, unpack
from infrastructure import interpreters, packaging, stages

HEAD = "| Python | import | first get | cold start | ratio | cold start without bytecode |"


def main() -> int:
    """Print the table. Return the exit code."""
    argparse.ArgumentParser(prog="python -m benchmarks.pythons", description=__doc__).parse_args()
    print(f"million instructions, {platform.system()} on {platform.machine()}\n")
    print(f"{HEAD}\n|---|---|---|---|---|---|")
    base = 0.0
    try:
        for release, costs in measure_all():
            base = base or costs["cold"]
            figures = (f"{costs[name]:.1f}" for name in ("import", "get", "cold"))
            print(f"| {release} | {' | '.join(figures)} | {costs['cold'] / base:.2f} |", end="")
            print(f" {costs['sources']:.1f} |", flush=True)
    except (MeasuringError, packaging.PackagingError, OSError) as error:
        print(f"error: the cold starts can't be measured: {error}", file=sys.stderr)
        return 1
    return 0


def measure_all() -> Iterator[tuple[str, Mapping[str, float]]]:
    """Yield the release and the costs of each installed Python, the oldest first."""
    with TemporaryDirectory(prefix="customers-pythons-") as directory:
        out = Path(directory, "out")
        packaging.build_with(None, stages.named("dev"), out)
        for version in interpreters.SUPPORTED:
            if python := interpreters.find(version):
                release = build(python).split(",")[0]
                yield release, measure(python, out, Path(directory, version))


def measure(python: Path, out: Path, package: Path) -> dict[str, float]:
    """Unpack the package, and return its costs in millions of instructions."""
    unpack(out, package, python)
    with package_meter(python, package) as meter:
        sources = meter.cold(OURS)
        packaging.compile_all(package, "/var/task", python)
        cold = meter.cold(OURS)
    with package_meter(python, package, OURS.module) as meter:
        get = meter.cold(OURS)
    counts = {"import": cold - get, "get": get, "cold": cold, "sources": sources}
    return {name: count / 1e6 for name, count in counts.items()}


if __name__ == "__main__":
    sys.exit(main())
