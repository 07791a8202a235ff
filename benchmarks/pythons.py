"""Cost of a cold start on each Python of this machine: `python -m benchmarks.pythons`.

Builds the package, compiles it with each version that is found, and prints a table of instructions
that valgrind counted. Like `make budget`, it starts the unpacked package over the stub: the import,
which SnapStart would save, and the first request, a get. docs/performance.md has the results.
"""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.meter import OURS, MeasuringError, package_meter, unpack
from infrastructure import interpreters, packaging, stages

FIRST = "logging"  # which AWS's runtime client imports, too
HEAD = "| Python | import | first get | cold start | ratio | cold start without bytecode |"


def main() -> int:
    """Print the table; return the exit code."""
    print(f"million instructions, {platform.system()} on {platform.machine()}\n")
    print(f"{HEAD}\n|---|---|---|---|---|---|")
    base = 0.0
    try:
        for release, costs in measured():
            base = base or costs["cold"]
            figures = (f"{costs[name]:.1f}" for name in ("import", "get", "cold"))
            print(f"| {release} | {' | '.join(figures)} | {costs['cold'] / base:.2f} |", end="")
            print(f" {costs['sources']:.1f} |", flush=True)
    except (MeasuringError, packaging.PackagingError, OSError) as error:
        print(f"error: nothing can be measured: {error}", file=sys.stderr)
        return 1
    return 0


def measured() -> Iterator[tuple[str, Mapping[str, float]]]:
    """Yield the release and the costs of each Python that is found, the oldest first."""
    with TemporaryDirectory(prefix="customers-pythons-") as place:
        packaging.build(stages.named("dev"), Path(place, "made"))
        for version in interpreters.SUPPORTED:
            if python := interpreters.find(version):
                yield release(python), costs(python, Path(place, "made"), Path(place, version))


def release(python: Path) -> str:
    command = [str(python), "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def costs(python: Path, made: Path, package: Path) -> dict[str, float]:
    """Return the costs of the package that is unpacked there, in millions of instructions."""
    unpack(made, package, python)
    for bytecode in set(package.rglob("__pycache__")) - set(
        package.rglob("benchmarks/**/__pycache__")
    ):
        shutil.rmtree(bytecode)
    with package_meter(python, FIRST, package) as meter:
        sources = meter.cold(OURS)
        packaging.compile_all(package, "/var/task", python)
        cold = meter.cold(OURS)
    with package_meter(python, OURS.module, package) as meter:
        get = meter.cold(OURS)
    found = {"import": cold - get, "get": get, "cold": cold, "sources": sources}
    return {name: count / 1e6 for name, count in found.items()}


if __name__ == "__main__":
    sys.exit(main())
