"""The fuzz target for libFuzzer: `python -m load.fuzz.target FOLDER [libFuzzer's options]`.

`python -m load.fuzz` starts this module, together with the database and the issuer's keys. It needs
its own environment because all its imports are instrumented. The first case of each fault is
minimized and stored in the subfolder `found`; then the run continues.
"""

import hashlib
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["app", "chalice", "chalicelib", "marshmallow"]):
    import app
    from chalicelib.database import boto, data_api, mysql, slim  # noqa: F401

from load.fuzz.cases import Case, read, seeds, serialize
from load.fuzz.invariants import find_violations
from load.fuzz.mutation import Mutator
from load.fuzz.possible import is_possible
from load.fuzz.shrinking import shrink
from load.fuzz.world import World

TELL_EVERY = 500
SLOW_SECONDS = 1.0  # of CPU time: an instrumented request takes a hundredth of this


class FuzzTarget:
    """Runs each case from libFuzzer, and writes the results to files."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._folder = world, folder
        self._seen: Counter[str] = Counter()
        self._faults: set[str] = set()
        self._slowest = (0.0, "")
        self._executions = 0
        self._write_stats()

    def __call__(self, data: bytes) -> None:
        self._executions += 1
        if case := read(data):
            for fault in self._faults_of(case):
                if fault not in self._faults:
                    self._faults.add(fault)
                    self._keep(case, fault)
        if self._executions % TELL_EVERY == 0:
            self._write_stats()

    def _faults_of(self, case: Case) -> list[str]:
        start = time.process_time()
        outcome = self._world.run(case)
        took = time.process_time() - start
        self._seen[_kind(case, outcome.response, outcome.error)] += 1
        if took > self._slowest[0]:
            self._slowest = (took, serialize(case).decode()[:2_000])
        return [
            *find_violations(case, outcome),
            *(["takes too long"] if took > SLOW_SECONDS else []),
        ]

    def _keep(self, case: Case, fault: str) -> None:
        small = shrink(case, lambda other: fault in self._faults_of(other))
        name = hashlib.sha256(fault.encode()).hexdigest()[:12]
        (self._folder / "found" / f"{name}.json").write_bytes(serialize(small))
        print(f"FOUND {name}.json: {fault}", file=sys.stderr, flush=True)

    def _write_stats(self) -> None:
        stats = {"executions": self._executions, "seen": self._seen, "slowest": self._slowest}
        (self._folder / "stats.json").write_text(json.dumps(stats))


def _kind(case: Case, response: Any, error: Exception | None) -> str:
    if case.function != "app":
        return case.function
    if not is_possible(case):
        return "impossible"
    return type(error).__name__ if error else str(response and response["statusCode"])


def main() -> None:
    folder = Path(sys.argv[1])
    mutator = Mutator([*seeds()], sorted(app.app.routes))
    run_fuzzer = FuzzTarget(World(os.environ["FUZZ_TOKEN"]), folder)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        changed = serialize(mutator(read(data), Random(seed)))
        return changed if len(changed) <= max_size else data

    atheris.Setup([sys.argv[0], *sys.argv[2:]], run_fuzzer, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
