"""Lock files pin everything that their packages require, with extras, on every supported Python.

`make installation` checks the lock files whose packages are not installed here.
"""

import tomllib
from importlib.metadata import distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infrastructure import interpreters
from tests.lockfiles import LOCK_FILES, ROOT, find_gaps, is_complete, pins

INSTALLED = {canonicalize_name(found.name): found for found in distributions()}
DEVELOPMENT = pins(ROOT / "requirements-dev.txt")


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt", "requirements/authorizer.txt"]
)
def test_lock_file_pins_every_requirement_of_its_packages(name: str) -> None:
    assert find_gaps(pins(ROOT / name), INSTALLED) == set()


def test_missing_extra_is_a_gap() -> None:
    pinned = [
        Requirement(f"{pin.name}{pin.specifier}") if pin.name == "coverage" else pin
        for pin in DEVELOPMENT
    ]
    assert _name_gaps(pinned) == ["pytest-cov: coverage[toml]"]


def test_missing_package_is_a_gap() -> None:
    pinned = [pin for pin in DEVELOPMENT if pin.name != "iniconfig"]
    assert _name_gaps(pinned) == ["pytest: iniconfig"]


def _name_gaps(pinned: list[Requirement]) -> list[str]:
    """Return the gaps without their version ranges, which change with each upgrade."""
    return [gap.partition(">")[0] for gap in find_gaps(pinned, INSTALLED)]


def _direct_requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    named = [*groups["dev"], *groups["authorizer"], *project["project"]["dependencies"]]
    return [Requirement(requirement) for requirement in named if isinstance(requirement, str)]


@pytest.mark.parametrize("requirement", _direct_requirements(), ids=str)
def test_lock_file_pins_what_the_project_requires(requirement: Requirement) -> None:
    pinned = [
        pin
        for pin in DEVELOPMENT
        if canonicalize_name(pin.name) == canonicalize_name(requirement.name)
    ]
    assert any(requirement.extras <= pin.extras for pin in pinned)


def test_only_the_tracing_lock_file_is_incomplete() -> None:
    assert [lock.name for lock in LOCK_FILES if not is_complete(lock)] == ["tracing.txt"]


def test_supported_pythons_begin_with_the_oldest_that_the_project_accepts() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={interpreters.SUPPORTED[0]}"
