"""The mutation score of each package, which may not fall, and the mutants that no test can kill."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from tests.mutation.mutants import ROOT, Mutant

PACKAGES = ("customers", "database", "http", "tokens")
SCORES = Path(__file__).with_name("scores.json")
JUSTIFIED = Path(__file__).with_name("justified.toml")


@dataclass(frozen=True)
class Score:
    """Numbers of mutants: all, those that a test noticed, and those that no test can notice."""

    mutants: int
    killed: int
    justified: int = 0

    @property
    def percent(self) -> float:
        """The share of killed mutants among those that a test can notice."""
        return round(100 * self.killed / max(1, self.mutants - self.justified), 1)

    def __str__(self) -> str:
        return f"{self.percent:5.1f}%  {self.killed} of {self.mutants - self.justified}"

    @classmethod
    def of(cls, mutants: Iterable[Mutant], killed: Iterable[Mutant]) -> dict[str, Self]:
        """Return the scores of the packages that the mutants are in."""
        known = justifications()
        mutants = list(mutants)
        totals = Counter(map(package, mutants))
        hits = Counter(map(package, killed))
        spared = Counter(package(each) for each in mutants if key(each) in known)
        return {name: cls(totals[name], hits[name], spared[name]) for name in sorted(totals)}


def sources() -> list[Path]:
    """Return the files of the packages."""
    return [
        file for name in PACKAGES for file in sorted((ROOT / "chalicelib" / name).rglob("*.py"))
    ]


def package(mutant: Mutant) -> str:
    return mutant.path.split("/")[1]


def key(mutant: Mutant) -> tuple[str, str]:
    """Return what identifies a mutant: its file and its name."""
    return mutant.path, mutant.name


def justifications() -> dict[tuple[str, str], str]:
    """Return the reason why no test can kill a mutant, by the mutant's file and name."""
    files = tomllib.loads(JUSTIFIED.read_text())
    return {(path, name): why for path, names in files.items() for name, why in names.items()}


def recorded() -> tuple[int, dict[str, Score]]:
    """Return the percentage of the mutants that were tried, and the scores that may not fall."""
    stored = json.loads(SCORES.read_text())
    return stored["sample"], {name: Score(**each) for name, each in stored["packages"].items()}


def record(scores: Mapping[str, Score], sample: int) -> None:
    """Write the scores, unless the recorded ones are those of a larger sample."""
    if sample >= recorded()[0]:
        packages = {name: asdict(each) for name, each in scores.items()}
        stored = {"sample": sample, "packages": packages}
        SCORES.write_text(json.dumps(stored, indent=1) + "\n")


def fallen(scores: Mapping[str, Score], sample: int) -> list[str]:
    """Return a line for each score that is lower than the recorded one of the same sample."""
    known_sample, known = recorded()
    if sample != known_sample:
        return []
    return [
        f"{name}: {score.percent}% of the mutants are killed, before: {known[name].percent}%"
        for name, score in scores.items()
        if name in known and score.percent < known[name].percent
    ]
