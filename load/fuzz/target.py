"""What libFuzzer drives: `python -m load.fuzz.target FOLDER [libFuzzer's options]`.

It is started by `python -m load.fuzz`, which also starts the database and the issuer's keys, in an
environment of its own: what it imports is instrumented. A case that breaks something is kept,
shrunk, in the folder's `found`, once for each fault, and the run goes on.
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

from load.fuzz.cases import Case, read, seeds, written
from load.fuzz.invariants import broken
from load.fuzz.mutation import Mutator
from load.fuzz.possible import is_possible
from load.fuzz.shrinking import shrunk
from load.fuzz.world import World

TELL_EVERY = 500
SLOW_SECONDS = 1.0  # of processor: instrumented, and a hundred times what a request takes


class Fuzzed:
    """Runs what libFuzzer sends, and tells of it in files."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._folder = world, folder
        self._seen: Counter[str] = Counter()
        self._faults: set[str] = set()
        self._slowest = (0.0, "")
        self._executions = 0
        self._tell()

    def __call__(self, data: bytes) -> None:
        self._executions += 1
        if case := read(data):
            for fault in self._faults_of(case):
                if fault not in self._faults:
                    self._faults.add(fault)
                    self._keep(case, fault)
        if self._executions % TELL_EVERY == 0:
            self._tell()

    def _faults_of(self, case: Case) -> list[str]:
        start = time.process_time()
        outcome = self._world.run(case)
        took = time.process_time() - start
        self._seen[_kind(case, outcome.answer, outcome.error)] += 1
        if took > self._slowest[0]:
            self._slowest = (took, written(case).decode()[:2_000])
        return [*broken(case, outcome), *(["takes too long"] if took > SLOW_SECONDS else [])]

    def _keep(self, case: Case, fault: str) -> None:
        small = shrunk(case, lambda other: fault in self._faults_of(other))
        name = hashlib.sha256(fault.encode()).hexdigest()[:12]
        (self._folder / "found" / f"{name}.json").write_bytes(written(small))
        print(f"FOUND {name}.json: {fault}", file=sys.stderr, flush=True)

    def _tell(self) -> None:
        told = {"executions": self._executions, "seen": self._seen, "slowest": self._slowest}
        (self._folder / "told.json").write_text(json.dumps(told))


def _kind(case: Case, answer: Any, error: Exception | None) -> str:
    if case.function != "app":
        return case.function
    if not is_possible(case):
        return "impossible"
    return type(error).__name__ if error else str(answer and answer["statusCode"])


def main() -> None:
    folder = Path(sys.argv[1])
    mutator = Mutator([*seeds()], sorted(app.app.routes))
    fuzzed = Fuzzed(World(os.environ["FUZZ_TOKEN"]), folder)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        changed = written(mutator(read(data), Random(seed)))
        return changed if len(changed) <= most else data

    atheris.Setup([sys.argv[0], *sys.argv[2:]], fuzzed, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
