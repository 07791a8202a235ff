"""Lock files: what they pin, and which requirements of the pinned packages they lack."""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution
from itertools import product
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from infrastructure import interpreters

ROOT = Path(__file__).resolve().parent.parent
LOCK_FILES = [
    ROOT / "requirements.txt",
    ROOT / "requirements-dev.txt",
    *sorted((ROOT / "requirements").glob("*.txt")),
]
PLATFORMS = [("linux", "Linux", "x86_64"), ("darwin", "Darwin", "arm64")]


def is_complete(lock: Path) -> bool:
    """Return whether the lock file is meant to pin all requirements of its packages.

    The header of a lock file has the command that wrote it. With `--no-deps`, it is incomplete by
    design: the Lambda runtime has the rest.
    """
    header = lock.read_text().partition("\n\n")[0].splitlines()[:2]
    return "--no-deps" not in " ".join(header)


def pins(lock: Path) -> list[Requirement]:
    """Return the pinned requirements, with their extras and markers."""
    lines = re.findall(r"^([a-z0-9][^\\\n]*)", lock.read_text(), re.MULTILINE)
    return [Requirement(line.strip()) for line in lines]


def find_gaps(
    pinned: Iterable[Requirement], distributions: Mapping[NormalizedName, Distribution]
) -> set[str]:
    """Return the requirements of pinned packages that no pin satisfies, as 'package: requirement'.

    Looks at every supported Python and platform. `distributions` are by canonical name.
    """
    pinned = list(pinned)
    return {
        f"{pin.name}: {requirement}"
        for environment in _environments()
        for pin, requirement in _unsatisfied(pinned, distributions, environment)
    }


def _unsatisfied(
    pinned: list[Requirement],
    distributions: Mapping[NormalizedName, Distribution],
    environment: dict[str, str],
) -> Iterator[tuple[Requirement, Requirement]]:
    active = {canonicalize_name(pin.name): pin for pin in pinned if _applies(pin, environment)}
    for name in active.keys() & distributions.keys():
        for requirement in _requirements(active[name], distributions[name], environment):
            pin = active.get(canonicalize_name(requirement.name))
            if pin is None or not _satisfies(pin, requirement):
                yield active[name], requirement


def _environments() -> Iterator[dict[str, str]]:
    for python, (platform, system, machine) in product(interpreters.SUPPORTED, PLATFORMS):
        yield {
            "python_version": python,
            "python_full_version": f"{python}.0",
            "sys_platform": platform,
            "platform_system": system,
            "platform_machine": machine,
            "os_name": "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }


def _applies(requirement: Requirement, environment: dict[str, str], extra: str = "") -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({**environment, "extra": extra})


def _requirements(
    pin: Requirement, distribution: Distribution, environment: dict[str, str]
) -> list[Requirement]:
    extras = ["", *pin.extras]
    requirements = map(_parse, distribution.requires or ())
    return [r for r in requirements if any(_applies(r, environment, extra) for extra in extras)]


_parse = functools.cache(Requirement)  # parsed for every environment


def _satisfies(pin: Requirement, requirement: Requirement) -> bool:
    version = next(iter(pin.specifier)).version
    is_accepted = requirement.specifier.contains(version, prereleases=True)
    return is_accepted and requirement.extras <= pin.extras
