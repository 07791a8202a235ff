"""`make clean` removes what the commands created, and data only of this project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local import state
from tests.local.support import checkout
from tests.local.test_state import home, place, project

__all__ = ["home", "project"]


def clean(project: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run `make clean` without installed packages; return the exit code and the output."""
    done = subprocess.run(
        [sys.executable, "-BS", "-m", "local.clean", *arguments],
        cwd=project,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def fill(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).mkdir(parents=True)
        (directory / name / "file").touch()


def contents(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_environments_and_caches_are_removed(project: Path) -> None:
    fill(project, ".venv", ".mypy_cache", "out", "local/__pycache__", "tests")
    (project / ".coverage.host.1").touch()
    data = place(project)

    assert clean(project) == (0, "Removed .mypy_cache, .venv, out, .coverage.host.1.\n")

    assert contents(project) == {"local", "tests", ".local"}
    assert not (project / "local" / "__pycache__").exists()
    assert data.is_dir()
    assert clean(project) == (0, "There is nothing to remove.\n")


def test_links_are_removed_and_not_followed(project: Path, tmp_path: Path) -> None:
    fill(tmp_path, "shared/lib")
    (project / ".venv").symlink_to(tmp_path / "shared")
    (project / "out").symlink_to(tmp_path / "nowhere")

    assert clean(project) == (0, "Removed .venv, out.\n")

    assert (tmp_path / "shared" / "lib" / "file").exists()


def test_data_is_removed_with_its_link(project: Path, home: Path) -> None:
    data = place(project)
    fill(data, "mariadb", "logs")

    assert clean(project, "--data") == (0, f"Removed {data}, .local.\n")

    assert contents(home) == set()
    assert not os.path.lexists(project / ".local")
    assert clean(project, "--data") == (0, "There is nothing to remove.\n")


def test_copy_of_mysql_is_removed_with_the_data(project: Path, home: Path) -> None:
    fill(home, "mysql", "other-checkout")

    assert clean(project) == (0, "There is nothing to remove.\n")
    assert clean(project, "--data") == (0, f"Removed {home / 'mysql'}.\n")

    assert contents(home) == {"other-checkout"}


def test_data_of_an_earlier_checkout_is_removed(project: Path) -> None:
    data = place(project)
    shutil.rmtree(project)

    assert clean(checkout(project), "--data") == (0, f"Removed {data}.\n")


def test_data_of_a_copied_checkout_is_kept(project: Path, tmp_path: Path) -> None:
    data = place(project)
    copy = shutil.copytree(project, tmp_path / "copy", symlinks=True)

    assert clean(copy, "--data") == (0, "Removed .local.\n")

    assert data.is_dir()


@pytest.mark.parametrize("by_link", [True, False])
def test_only_data_is_removed_from_the_users_directory(
    project: Path, tmp_path: Path, *, by_link: bool
) -> None:
    own = tmp_path / "own"
    fill(own, "mariadb", "mariadb.unfinished", "mysql", "mysql.unfinished", "logs", "photos")
    for name in ("lock", "issuer.json", "tax.pdf"):
        (own / name).touch()
    if by_link:
        (project / ".local").symlink_to(own)

    code, said = clean(project, "--data", **({} if by_link else {"LOCAL_STATE": str(own)}))

    assert (code, said.count("\n")) == (0, 1)
    assert contents(own) == {"photos", "tax.pdf"}
    assert not os.path.lexists(project / ".local")


def test_nothing_is_removed_from_an_unused_directory(project: Path, tmp_path: Path) -> None:
    fill(tmp_path / "own", "logs")

    assert clean(project, "--data", LOCAL_STATE=str(tmp_path / "own")) == (
        0,
        "There is nothing to remove.\n",
    )
    assert contents(tmp_path / "own") == {"logs"}


@pytest.mark.parametrize("arguments", [[], ["--data"]])
def test_nothing_is_removed_while_a_run_is_alive(project: Path, arguments: list[str]) -> None:
    fill(project, ".venv")
    data = place(project)

    with state.locked(data):
        code, said = clean(project, *arguments)

    assert code == 1
    assert said == (
        f"error: {data} is in use by another `make run`, process {os.getpid()}: stop it first\n"
    )

    assert contents(project) == {"local", ".venv", ".local"}
    assert data.is_dir()
