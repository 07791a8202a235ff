"""Fetch a package of Debian's or Ubuntu's unstable suite, and unpack it into a folder.

apt downloads the package and its dependencies and verifies their signatures, with a private
configuration: the machine's mirror and keyring, but nothing that is installed. The machine's
packages and package lists don't change, so this needs no root.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local import progress
from local.engines.engine import failure, make_once
from local.processes import Child, LocalError

ROOM = 600 << 20
"""Bytes of free space that the archives and the unpacked files take."""
DOWNLOAD = "75 MB"
LISTS = 15
"""Percentage of the download that the package lists are."""
SUITES = {"debian": "sid", "ubuntu": "devel"}
# https://manpages.debian.org/apt.conf: `#clear` is not a comment.
CONFIGURATION = """
#clear APT::Update;
#clear DPkg;
APT::Update::Error-Mode "any";
APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
Acquire::Languages "none";
Debug::NoLocking "true";
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"""


@dataclass(frozen=True)
class Distribution:
    """A distribution: the names of its releases on this machine, its unstable suite and keyring."""

    releases: frozenset[str]
    suite: str
    keyring: Path


def distribution() -> Distribution | None:
    """Return this machine's distribution if it has apt and an unstable suite."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return None
    names = [release["ID"], *release.get("ID_LIKE", "").split()]
    name = next((name for name in names if name in SUITES), None)
    if name is None or not (shutil.which("apt-get") and shutil.which("dpkg")):
        return None
    codenames = {value for key, value in release.items() if key.endswith("_CODENAME")}
    return Distribution(
        releases=frozenset(codenames | {"stable", "testing", "unstable", SUITES[name]}),
        suite=SUITES[name],
        keyring=Path(f"/usr/share/keyrings/{name}-archive-keyring.gpg"),
    )


def fetch(title: str, package: str, source: Distribution, target: Path, log: Path) -> None:
    """Unpack a package and its dependencies into the target: completely, or not at all.

    Raises LocalError.
    """

    def make(directory: Path) -> None:
        _check_room(title, target.parent)
        archives = _download(title, package, source, directory / "apt", log)
        with progress.bar(title, "unpacking") as show:
            for number, archive in enumerate(archives):
                show(100 * number / len(archives))
                _run(title, ["dpkg", "--extract", str(archive), str(directory)], log)
        shutil.rmtree(directory / "apt")

    make_once(target, make)


def _download(
    title: str, package: str, source: Distribution, folder: Path, log: Path
) -> list[Path]:
    configuration = _configure(source, folder)
    with progress.bar(title, f"downloading {DOWNLOAD}") as show:
        update = ["apt-get", "-c", configuration, "update"]
        _run(title, update, log, lambda percent: show(LISTS / 100 * percent))
        name = _find(title, package, configuration)
        install = ["apt-get", "-c", configuration, "install", "--download-only", name]
        _run(title, install, log, lambda percent: show(LISTS + (1 - LISTS / 100) * percent))
    return list((folder / "cache" / "archives").glob("*.deb"))


def _configure(source: Distribution, folder: Path) -> str:
    """Write a private configuration of apt; return its path."""
    architecture = _output("dpkg", "--print-architecture")
    options = f"arch={architecture} signed-by={source.keyring}"
    for name in ("lists", "cache/archives"):
        (folder / name / "partial").mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [{options}] {_mirror(source)} {source.suite} main\n")
    (folder / "status").touch()
    configuration = folder / "apt.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    return str(configuration)


def _mirror(source: Distribution) -> str:
    """Return the address from which this machine gets its distribution."""
    # Unlike `indextargets`, this also works before the first download of the lists.
    addresses = _output("apt-get", "update", "--print-uris")
    for mirror, release in re.findall(r"^'(.+)/dists/([^/']+)/InRelease'", addresses, re.MULTILINE):
        if release in source.releases:
            return str(mirror)
    raise LocalError(
        f"apt has no source for {' or '.join(sorted(source.releases))}: add the distribution's "
        "mirror to /etc/apt/sources.list, and retry"
    )


def _find(title: str, package: str, configuration: str) -> str:
    """Return the name of the package in the suite: some have its version behind it."""
    pattern = f"^{package}(-[0-9.]+)?$"
    found = _output("apt-cache", "-c", configuration, "search", "--names-only", pattern)
    names = sorted(line.partition(" ")[0] for line in found.splitlines())
    if not names:
        raise LocalError(f"{title} could not be fetched: apt finds no package {package}")
    return package if package in names else names[-1]


def _run(title: str, command: list[str], log: Path, show: progress.Show | None = None) -> None:
    read, write = os.pipe()
    status = ["-o", f"APT::Status-Fd={write}"] if show else []
    with (
        os.fdopen(read) as lines,
        Child(command[0], [*command, *status], log, inherit=(write,)) as child,
    ):
        os.close(write)
        for line in lines:
            # https://salsa.debian.org/apt-team/apt/-/blob/main/README.progress-reporting
            kind, _, percent, *_ = line.split(":")
            if show and kind == "dlstatus":
                show(float(percent))
        try:
            child.finish()
        except LocalError:
            raise failure(f"{title} could not be fetched", log) from None


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().partition("\n")[0]
        raise LocalError(f"{shlex.join(command)} failed: {said}") from None


def _check_room(title: str, folder: Path) -> None:
    if shutil.disk_usage(folder).free < ROOM:
        raise LocalError(
            f"{title} needs {ROOM >> 20} MB of disk space in {folder}: free some and start again"
        )
