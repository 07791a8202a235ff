"""Run the tests on every supported Python of this machine: `make test-all`.

Each version has its own environment, such as .venv/3.13. `--only 3.11` selects a version; other
arguments go to pytest. At the end, a line for each version says: passed, failed, or not found on
this machine. The exit code is 1 if a version failed, or if none was found.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infrastructure import interpreters

ROOT = Path(__file__).parent.parent
LOCK = "requirements-dev.txt"
PASSED, FAILED, ABSENT = "passed", "failed", "not found on this machine"


def main() -> int:
    """Run the tests on each version; return the exit code."""
    parser = argparse.ArgumentParser(description="Run the tests on every supported Python.")
    parser.add_argument("--only", choices=interpreters.SUPPORTED, help="one version of Python")
    arguments, options = parser.parse_known_args()
    versions = [arguments.only] if arguments.only else interpreters.SUPPORTED
    outcomes = {version: outcome(version, options) for version in versions}
    print()
    for version, said in outcomes.items():
        print(f"Python {version}: {said}")
    if ABSENT in outcomes.values():
        print(interpreters.ADVICE)
    return 0 if set(outcomes.values()) in ({PASSED}, {PASSED, ABSENT}) else 1


def outcome(version: str, options: Sequence[str]) -> str:
    """Run the tests on a version, if this machine has it."""
    python = interpreters.find(version)
    if not python:
        return ABSENT
    print(f"\nPython {version}: {python}", flush=True)
    environment = f".venv/{version}"
    commands = (
        [str(python), "local/bootstrap.py", LOCK, environment],
        [f"{environment}/bin/python", "-m", "pytest", *options],
    )
    is_passed = all(subprocess.call(command, cwd=ROOT) == 0 for command in commands)
    return PASSED if is_passed else FAILED


if __name__ == "__main__":
    sys.exit(main())
