"""Each engine is found or installed, and what cannot be used is explained in one line."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import engines
from local.engines import ENGINES, debian, engine, mysql
from local.engines.engine import Server, make_once
from local.processes import PROJECT, LocalError
from tests.local import repository
from tests.local.repository import PACKAGE, Repository
from tests.local.support import disk

MARIADB, MYSQL = ENGINES["mariadb"], ENGINES["mysql"]
BANNERS = {
    "MariaDB": "mysqld  Ver 10.11.19-MariaDB for debian-linux-gnu on x86_64 (Debian 12)",
    "5.7": "mysqld  Ver 5.7.44 for Linux on x86_64 (MySQL Community Server (GPL))",
    "8.0": "/usr/sbin/mysqld  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)",
    "9.7": "/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))",
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that installs a made-up program in a new folder, behind earlier ones.

    Nothing else is installed on the machine.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    directories: list[str] = []
    monkeypatch.setattr(engine, "DIRECTORIES", directories)

    def install(name: str, banner: str) -> Path:
        program = tmp_path / str(len(directories)) / name
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho '{banner}'\n")
        program.chmod(0o755)
        directories.append(str(program.parent))
        return program

    return install


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Yield the private repository that is the machine's mirror."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(engine, "DIRECTORIES", [])
    with repository.serving(tmp_path, monkeypatch) as served:
        monkeypatch.setattr(debian, "distribution", lambda: served.distribution)
        yield served


def test_mariadb_is_the_default() -> None:
    assert engines.selected({}) is engines.selected({"ENGINE": ""}) is MARIADB
    assert engines.selected({"ENGINE": "mysql"}) is MYSQL


@pytest.mark.parametrize("name", ["MySQL", "postgres", "mysql "])
def test_unknown_engine_is_rejected(name: str) -> None:
    with pytest.raises(LocalError) as failure:
        engines.selected({"ENGINE": name})

    assert str(failure.value) == f"ENGINE must be mariadb or mysql, and is {name!r}"


@pytest.mark.parametrize(("banner", "said"), [("8.0", "MySQL 8.0"), ("9.7", "MySQL 9.7")])
def test_mysql_is_found_behind_mariadb_and_older_releases(
    install: Callable[..., Path], banner: str, said: str
) -> None:
    """MariaDB's packages have a `mysqld`, too."""
    install("mysqld", BANNERS["MariaDB"])
    install("mysqld", BANNERS["5.7"])
    assert MYSQL.find() is None

    program = install("mysqld", BANNERS[banner])

    found = MYSQL.find()
    assert found
    assert (str(found), found.command) == (said, (str(program),))


def test_mariadb_is_found_by_its_old_name(install: Callable[..., Path]) -> None:
    install("mysqld", BANNERS["9.7"])
    assert MARIADB.find() is None

    install("mysqld", BANNERS["MariaDB"])

    assert str(MARIADB.find()) == "MariaDB 10.11"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its user")
def test_unreadable_directory_of_path_is_skipped(install: Callable[..., Path]) -> None:
    install("mysqld", BANNERS["9.7"]).parent.chmod(0o700)
    os.seteuid(65534)
    try:
        assert list(engine.programs("mysqld", "mysql")) == []
    finally:
        os.seteuid(0)


def test_program_without_a_version_is_named(install: Callable[..., Path]) -> None:
    program = install("mysqld", "libaio.so.1: cannot open shared object file")

    with pytest.raises(LocalError, match=f"{program} --version prints no version, but 'libaio"):
        MYSQL.find()


@pytest.mark.skipif(not shutil.which("apt-get"), reason="there is no apt-get here")
def test_mariadb_never_replaces_mysql(
    install: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apt removes MySQL's package when it installs MariaDB's."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    install("mysqld", BANNERS["8.0"])

    with pytest.raises(LocalError, match="would replace this machine's MySQL: use MySQL with"):
        MARIADB.install(tmp_path)


@pytest.mark.parametrize("is_confined", [True, False])
def test_apparmor_is_named_when_its_profile_may_be_the_cause(
    install: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_confined: bool,
) -> None:
    program = install("mysqld", BANNERS["8.0"])
    program.write_text("#!/bin/sh\necho '[ERROR] [MY-010187] [Server] Permission denied'\nexit 1\n")
    profile = tmp_path / "usr.sbin.mysqld"
    monkeypatch.setattr(mysql, "CONFINEMENT", profile)
    if is_confined:
        profile.touch()

    with pytest.raises(LocalError) as failure:
        MYSQL.initialize(
            Server("MySQL", (8, 0, 36), (str(program),)), {}, tmp_path / "data", tmp_path / "log"
        )

    assert "Permission denied" in str(failure.value)
    assert (f"`sudo apparmor_parser --remove {profile}`" in str(failure.value)) is is_confined


@pytest.mark.parametrize(
    ("written_by", "opens"),
    [
        ("MySQL 8.0", True),
        ("MySQL 9.7", True),
        ("MySQL 9.10", False),
        ("MySQL 10.0", False),
        ("MariaDB 9.7", False),
    ],
)
def test_mysql_opens_data_of_older_releases(*, written_by: str, opens: bool) -> None:
    assert MYSQL.opens(Server("MySQL", (9, 7, 4), ()), written_by) is opens


def test_mysql_is_fetched_and_runs_with_its_own_loader(
    machine: Repository, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert MYSQL.find() is None

    server = MYSQL.get(tmp_path / "logs")

    root = mysql.copy()
    assert str(server) == "MySQL 9.9"
    assert server.command == (
        str(root / "usr/lib/made-up-linux-gnu/ld-linux-made-up.so.1"),
        "--library-path",
        str(root / "usr/lib/made-up-linux-gnu"),
        str(root / "usr/sbin/mysqld"),
    )
    assert server.options["basedir"] == str(root / "usr")
    assert [path.name for path in root.iterdir()] == ["usr"]
    assert [path.name for path in root.parent.iterdir()] == ["server"]
    assert capfd.readouterr() == ("", "  MySQL      downloading 75 MB\n  MySQL      unpacking\n")
    shutil.rmtree(machine.folder)
    assert MYSQL.get(tmp_path / "logs") == server  # and not fetched again


def test_unsigned_repository_is_rejected(machine: Repository, tmp_path: Path) -> None:
    machine.release.write_text(
        machine.release.read_text().replace("Codename", "Label: x\nCodename")
    )

    with pytest.raises(LocalError) as failure:
        MYSQL.get(tmp_path / "logs")

    message = str(failure.value)
    assert message.startswith("MySQL could not be fetched: ")
    assert "sign" in message
    assert message.endswith(f"(the whole log: {tmp_path}/logs/install.log)")
    assert "\n" not in message
    assert list(mysql.home().iterdir()) == []


def test_changed_archive_is_rejected(machine: Repository, tmp_path: Path) -> None:
    content = bytearray(machine.archives[-1].read_bytes())
    content[-1] ^= 1
    machine.archives[-1].write_bytes(content)

    with pytest.raises(LocalError, match=r"^MySQL could not be fetched: .*Hash Sum mismatch"):
        MYSQL.get(tmp_path / "logs")

    assert list(mysql.home().iterdir()) == []


def test_failed_download_leaves_nothing_and_the_next_succeeds(
    machine: Repository, tmp_path: Path
) -> None:
    lost = machine.archives[0].rename(tmp_path / "lost.deb")
    with pytest.raises(LocalError, match=r"^MySQL could not be fetched: .*404"):
        MYSQL.get(tmp_path / "logs")
    assert list(mysql.home().iterdir()) == []

    lost.rename(machine.folder / "made-up-libc_1_all.deb")

    assert str(MYSQL.get(tmp_path / "logs")) == "MySQL 9.9"


def test_leftovers_of_a_killed_download_are_removed(machine: Repository, tmp_path: Path) -> None:  # noqa: ARG001
    leftover = mysql.home() / "server.unfinished" / "usr"
    leftover.mkdir(parents=True)
    (leftover / "half").touch()

    assert str(MYSQL.get(tmp_path / "logs")) == "MySQL 9.9"

    assert [path.name for path in (mysql.home() / "server").rglob("half")] == []
    assert not leftover.exists()


def test_suite_without_the_package_is_explained(machine: Repository, tmp_path: Path) -> None:
    source = machine.distribution

    with pytest.raises(LocalError, match="MySQL could not be fetched: apt finds no package pgsql"):
        debian.fetch("MySQL", "pgsql", source, tmp_path / "pgsql", tmp_path / "log")


def test_machine_without_a_mirror_is_explained(machine: Repository, tmp_path: Path) -> None:
    (machine.folder.parent / "sources.list").write_text("")

    with pytest.raises(LocalError, match="apt has no source for made-up-stable: add"):
        MYSQL.get(tmp_path / "logs")


def test_broken_configuration_of_apt_is_quoted(machine: Repository, tmp_path: Path) -> None:
    (machine.folder.parent / "sources.list").write_text("deb nonsense\n")

    with pytest.raises(LocalError, match=r"^apt-get update --print-uris failed: E: Malformed .*$"):
        MYSQL.get(tmp_path / "logs")


def test_too_small_disk_is_explained_before_the_download(
    machine: Repository, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk", "size=20m") as mount:
        target = mount / "server"

        with pytest.raises(LocalError) as failure:
            debian.fetch("MySQL", PACKAGE, machine.distribution, target, tmp_path / "log")

        assert str(failure.value) == (
            f"MySQL needs 600 MB of disk space in {mount}: free some and start again"
        )
        assert list(mount.iterdir()) == []


def test_directory_is_made_once_by_several_processes(tmp_path: Path) -> None:
    target, log = tmp_path / "made", tmp_path / "log"
    make = (
        "import sys, time; from pathlib import Path; from local.engines.engine import make_once\n"
        "def make(directory):\n"
        "    with open(sys.argv[2], 'a') as log: log.write('made ')\n"
        "    time.sleep(0.3)\n"
        "make_once(Path(sys.argv[1]), make)"
    )
    command = [sys.executable, "-c", make, str(target), str(log)]

    processes = [subprocess.Popen(command, cwd=PROJECT) for _ in range(4)]

    assert [process.wait() for process in processes] == [0] * 4
    assert log.read_text() == "made "


def test_directory_whose_making_fails_is_not_made(tmp_path: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / "half").touch()
        raise LocalError("the disk is full")

    with pytest.raises(LocalError, match="full"):
        make_once(tmp_path / "made", fail)

    assert list(tmp_path.iterdir()) == []
