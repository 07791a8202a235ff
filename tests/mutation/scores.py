"""The mutation score of each package, which may not fall, and the mutants that no test can kill."""

import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path

from tests.mutation.mutants import ROOT, Mutant

PACKAGES = ("customers", "database", "http", "tokens")
SCORES = Path(__file__).with_name("scores.json")
JUSTIFIED = Path(__file__).with_name("justified.toml")
Z = 1.96
"""Standard deviations on both sides of the mean that contain 95% of a normal distribution."""


@dataclass(frozen=True)
class Score:
    """Numbers of a package's mutants: all, and of a sample: all but the justified, and noticed."""

    mutants: int
    tried: int
    killed: int
    justified: int = 0

    @property
    def is_complete(self) -> bool:
        return self.tried + self.justified == self.mutants

    @property
    def percent(self) -> float:
        """The share of tried mutants that a test noticed."""
        return 100 * self.killed / max(1, self.tried)

    @property
    def at_least(self) -> float:
        """The score that the whole package exceeds with a probability of 97.5%.

        Source: https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval (Wilson)
        """
        if self.is_complete:
            return self.percent
        share, square = self.percent / 100, Z**2 / max(1, self.tried)
        spread = Z * sqrt((share * (1 - share) + square / 4) / max(1, self.tried))
        return 100 * (share + square / 2 - spread) / (1 + square)

    def __str__(self) -> str:
        sample = f"at least {self.at_least:.1f}% of {self.mutants}"
        extent = "all" if self.is_complete else sample
        return (
            f"{self.percent:.1f}%, {self.killed} of {self.tried} ({extent}); "
            f"{self.justified} justified"
        )


def sources() -> list[Path]:
    """Return the files of the packages."""
    return [
        file for name in PACKAGES for file in sorted((ROOT / "chalicelib" / name).rglob("*.py"))
    ]


def shuffle(mutants: Iterable[Mutant]) -> list[Mutant]:
    """Return the mutants in a random order that is always the same."""
    return sorted(mutants, key=lambda mutant: mutant.rank)


def sample(mutants: Iterable[Mutant], size: int) -> list[Mutant]:
    """Return so many random mutants of each package; always the same ones."""
    found = defaultdict(list)
    for mutant in shuffle(mutants):
        found[package(mutant)].append(mutant)
    return [mutant for each in found.values() for mutant in each[:size]]


def package(mutant: Mutant) -> str:
    return mutant.path.split("/")[1]


def key(mutant: Mutant) -> tuple[str, str]:
    """Return what identifies a mutant: its file and its name."""
    return mutant.path, mutant.name


def justifications() -> dict[tuple[str, str], str]:
    """Return the reason why no test can kill a mutant, by the mutant's file and name."""
    files = tomllib.loads(JUSTIFIED.read_text())
    return {(path, name): why for path, names in files.items() for name, why in names.items()}


def count(
    everything: Iterable[Mutant], tried: Iterable[Mutant], survivors: Iterable[Mutant]
) -> dict[str, Score]:
    """Return the scores of the packages of the tried mutants."""
    known = justifications()
    tried = list(tried)
    mutants, survived = Counter(map(package, everything)), Counter(map(package, survivors))
    open_ = Counter(package(each) for each in tried if key(each) not in known)
    return {
        name: Score(mutants[name], open_[name], open_[name] - survived[name], total - open_[name])
        for name, total in sorted(Counter(map(package, tried)).items())
    }


def recorded() -> dict[str, Score]:
    """Return the scores that may not fall."""
    return {name: Score(**each) for name, each in json.loads(SCORES.read_text()).items()}


def record(scores: Mapping[str, Score]) -> None:
    """Write the scores of packages that were tried completely.

    Not those of samples: tests written for its survivors make a sample unrepresentative.
    """
    complete = {name: score for name, score in scores.items() if score.is_complete}
    stored = {name: asdict(score) for name, score in sorted((recorded() | complete).items())}
    SCORES.write_text(json.dumps(stored, indent=1) + "\n")


def fallen(scores: Mapping[str, Score]) -> list[str]:
    """Return a line for each score that is lower than the recorded one, or than its lower limit."""
    known = recorded()
    return [
        f"{name}: {score.percent:.1f}% of the mutants are killed, recorded: {known[name]}"
        for name, score in scores.items()
        if name in known and score.percent < known[name].at_least
    ]
