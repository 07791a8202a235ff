"""A checkout keeps its data in the user's state folder, and shares it with no other checkout."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from local import state
from local.processes import LocalError
from tests.local.support import checkout

MAKE = "import os\nfrom local import state\nstate.make(state.from_environ(os.environ))"


def make(project: Path, **environment: str) -> str:
    """Make a checkout's state directory; return what was said on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", MAKE],
        cwd=project,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def place(project: Path) -> Path:
    """Return a checkout's state directory, and create it if it does not exist."""
    assert make(project) == ""
    return (project / ".local").resolve(strict=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LOCAL_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "customers-api"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return checkout(tmp_path / "project")


def test_state_is_in_the_users_state_folder(project: Path, home: Path) -> None:
    assert place(project).parent == home
    assert place(project).name.startswith("project-")


def test_only_the_user_can_read_the_state(project: Path, home: Path) -> None:
    for directory in (place(project), home):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        directory.chmod(0o755)  # as earlier versions did

    for directory in (place(project), home):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_new_checkout_in_the_same_folder_finds_the_state(project: Path) -> None:
    before = place(project)
    shutil.rmtree(project)

    assert place(checkout(project)) == before


def test_deleted_state_is_created_again(project: Path) -> None:
    before = place(project)
    shutil.rmtree(before)

    assert place(project) == before


def test_copied_checkout_gets_its_own_state(project: Path, tmp_path: Path) -> None:
    original = place(project)
    copy = shutil.copytree(project, tmp_path / "copy", symlinks=True)

    assert place(copy) != original
    assert place(project) == original


def test_moved_checkout_keeps_its_state(project: Path, tmp_path: Path, home: Path) -> None:
    (place(project) / "mariadb").mkdir()
    moved = project.rename(tmp_path / "moved")

    there = place(moved)

    assert there.name.startswith("moved-")
    assert [path.name for path in home.iterdir()] == [there.name]
    assert (there / "mariadb").is_dir()
    assert place(checkout(project)) != there


def test_moved_checkout_uses_the_existing_state_of_its_new_folder(
    project: Path, tmp_path: Path
) -> None:
    there = place(checkout(tmp_path / "moved"))
    (there / "mariadb").mkdir()
    shutil.rmtree(tmp_path / "moved")
    old = place(project)

    assert place(project.rename(tmp_path / "moved")) == there
    assert (there / "mariadb").is_dir()
    assert old.is_dir()


def test_state_of_a_running_moved_checkout_is_not_moved(project: Path, tmp_path: Path) -> None:
    there = place(project)
    moved = project.rename(tmp_path / "moved")

    with state.locked(there):
        assert f"{there} is in use by another `make run`, process {os.getpid()}" in make(moved)

    assert there.is_dir()


def test_link_to_another_checkouts_unknown_state_is_replaced(project: Path, home: Path) -> None:
    other = home / "other-12345678"
    other.mkdir(parents=True)
    (project / ".local").symlink_to(other)

    assert place(project).name.startswith("project-")
    assert other.is_dir()


def test_dangling_link_is_replaced(project: Path, home: Path, tmp_path: Path) -> None:
    (project / ".local").symlink_to(tmp_path / "nowhere")

    assert place(project).parent == home


def test_users_link_is_kept(project: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (project / ".local").symlink_to(disk)

    assert place(project) == disk
    copy = shutil.copytree(project, tmp_path / "copy", symlinks=True)
    assert place(copy) != disk
    shutil.rmtree(copy)
    assert place(project.rename(tmp_path / "moved")) == disk


def test_users_directory_is_kept(project: Path) -> None:
    (project / ".local").mkdir()

    assert place(project) == project / ".local"
    assert list((project / ".local").iterdir()) == []


def test_long_name_of_a_checkout_is_truncated(tmp_path: Path, home: Path) -> None:
    project = checkout(tmp_path / ("ß" * 127))

    assert place(project).parent == home
    assert place(project).name.startswith("ß" * 50 + "-")


def test_relative_state_folder_is_invalid(project: Path, tmp_path: Path) -> None:
    assert make(project, XDG_STATE_HOME="relative", HOME=str(tmp_path)) == ""

    assert (project / ".local").resolve().parent == tmp_path / ".local/state/customers-api"


def test_configured_state_has_no_owner(project: Path, tmp_path: Path) -> None:
    assert make(project, LOCAL_STATE=str(tmp_path / "named")) == ""

    assert list((tmp_path / "named").iterdir()) == []
    assert not os.path.lexists(project / ".local")


def test_second_lock_is_rejected(tmp_path: Path) -> None:
    with (
        state.locked(tmp_path),
        pytest.raises(LocalError, match=f"process {os.getpid()}: stop it first"),
        state.unused(tmp_path),
    ):
        pass
