"""Run cases once: `python -m load.fuzz.replay FILE...`, which `make fuzz` starts for `--replay`."""

import json
import os
import sys
import traceback
from pathlib import Path

from load.fuzz.cases import read
from load.fuzz.invariants import find_violations
from load.fuzz.possible import is_possible
from load.fuzz.world import World


def replay(world: World, file: Path) -> list[str]:
    """Print the outcome of the case in the file, and return the violated invariants."""
    case = read(file.read_bytes())
    if case is None:
        return ["not a case"]
    outcome = world.run(case)
    if outcome.error:
        traceback.print_exception(outcome.error)
    print(outcome.logged, json.dumps(outcome.response, indent=1), sep="")
    print("API Gateway can send it:", "yes" if is_possible(case) else "no")
    return [*find_violations(case, outcome)]


def main() -> int:
    world = World(os.environ["FUZZ_TOKEN"])
    faults = {name: replay(world, Path(name)) for name in sys.argv[1:]}
    for name, found in faults.items():
        print(f"{name}: {'; '.join(found) or 'no violation'}")
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
