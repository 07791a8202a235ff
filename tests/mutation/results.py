"""Outcomes of mutants, in a file that is extended after each one, so that a run can be resumed."""

import json
from collections.abc import Collection, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

from tests.mutation.mutants import ROOT, Mutant

SUITE = ("tests", "tests/slim")
"""Folders of the tests that run the packages in their own process."""
KILLED, SURVIVED = "killed", "survived"


class Results:
    """Outcomes that still apply: the mutant's file is unchanged and, if it survived, all tests."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = dict(_read(file)) if file.exists() else {}

    def __getitem__(self, mutant: Mutant) -> str:
        """Return the outcome, or an empty text if it is unknown."""
        return self._known.get((mutant.path, mutant.name), "")

    def add(self, mutant: Mutant, outcome: str, why: str) -> None:
        """Add an outcome; `why` is the test that noticed the fault, if there is one."""
        self._known[mutant.path, mutant.name] = outcome
        code = digest(ROOT / mutant.path)
        line = [
            mutant.path,
            mutant.name,
            code,
            tests() if outcome == SURVIVED else "",
            outcome,
            why,
        ]
        with self._file.open("a") as results:
            results.write(json.dumps(line) + "\n")

    def forget(self, tests: Collection[str]) -> None:
        """Forget what these tests noticed, because they fail without a mutant, too."""
        lines = self._file.read_text().splitlines(keepends=True)
        self._file.write_text("".join(line for line in lines if json.loads(line)[-1] not in tests))
        self._known = dict(_read(self._file))


def _read(file: Path) -> Iterator[tuple[tuple[str, str], str]]:
    for line in file.read_text().splitlines():
        path, name, code, tested, outcome, _ = json.loads(line)
        if code == digest(ROOT / path) and tested in {"", tests()}:
            yield (path, name), outcome


@cache
def digest(file: Path) -> str:
    """Return a short hash of a file; an empty text if it does not exist."""
    return sha256(file.read_bytes()).hexdigest()[:16] if file.exists() else ""


@cache
def tests() -> str:
    """Return a short hash of the tests that a mutant may meet."""
    files = [file for place in SUITE for file in sorted(ROOT.glob(f"{place}/*.py"))]
    return sha256("".join(map(digest, files)).encode()).hexdigest()[:16]
