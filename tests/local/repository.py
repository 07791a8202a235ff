"""A private package repository: signed, served over HTTP, with a made-up MySQL server."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from local.engines.debian import Distribution

PACKAGE = "mysql-server-core"
SUITE = "sid"
RELEASE = "made-up-stable"
# Stands for the loader, which runs the server; prints what a server of that name would print.
LOADER = '#!/bin/sh\necho "$3  Ver 9.9.1 for Linux on x86_64 (Made up)"\n'
CONTROL = """\
Package: {name}
Version: 1
Architecture: all
Maintainer: Ada <ada@example.com>
Depends: {depends}
Description: made up
"""
TOOLS = ["apt-get", "dpkg-deb", "gpg"]


@dataclass(frozen=True)
class Repository:
    """A repository's folder and keyring, and the distribution that it stands for."""

    folder: Path
    keyring: Path

    @property
    def distribution(self) -> Distribution:
        return Distribution(frozenset({RELEASE}), SUITE, self.keyring)

    @property
    def archives(self) -> list[Path]:
        return sorted(self.folder.glob("*.deb"))

    @property
    def release(self) -> Path:
        return self.folder / "dists" / SUITE / "InRelease"


@contextmanager
def serving(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Serve a repository, and make it the source of the machine's apt. Skips without apt."""
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        pytest.skip(f"{', '.join(missing)} missing: a repository takes Debian or Ubuntu")
    repository = _build(directory)
    handler = partial(_Quiet, directory=str(repository.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        source = f"deb [trusted=yes] http://127.0.0.1:{server.server_port} {RELEASE} main\n"
        (directory / "sources.list").write_text(source)
        (directory / "apt.conf").write_text(
            f'Dir::Etc::SourceList "{directory}/sources.list";\n'
            'Dir::Etc::SourceParts "/dev/null";\n'
            'Acquire::http::Proxy "DIRECT";\n'
        )
        monkeypatch.setenv("APT_CONFIG", str(directory / "apt.conf"))
        yield repository
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def _build(directory: Path) -> Repository:
    folder, keyring = directory / "repository", directory / "keyring.gpg"
    index = folder / "dists" / SUITE / "main" / "binary-all" / "Packages"
    index.parent.mkdir(parents=True)
    loader = {"usr/lib/made-up-linux-gnu/ld-linux-made-up.so.1": LOADER}
    _package(folder, "made-up-libc", "", loader)
    _package(folder, PACKAGE, "made-up-libc", {"usr/sbin/mysqld": "not run\n"})
    index.write_text("\n".join(map(_entry, sorted(folder.glob("*.deb")))))
    architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    shutil.copytree(index.parent, index.parent.with_name(f"binary-{architecture}"))
    _sign(folder / "dists" / SUITE, directory / "gpg", keyring)
    return Repository(folder, keyring)


def _package(folder: Path, name: str, depends: str, files: dict[str, str]) -> None:
    root = folder.parent / name
    (root / "DEBIAN").mkdir(parents=True)
    control = CONTROL.format(name=name, depends=depends).replace("Depends: \n", "")
    (root / "DEBIAN" / "control").write_text(control)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text(text)
        (root / path).chmod(0o755)
    _run("dpkg-deb", "--root-owner-group", "--build", str(root), str(folder / f"{name}_1_all.deb"))


def _entry(archive: Path) -> str:
    control = subprocess.check_output(["dpkg-deb", "--field", str(archive)], text=True)
    content = archive.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return f"{control}Filename: {archive.name}\nSize: {len(content)}\nSHA256: {digest}\n"


def _sign(suite: Path, home: Path, keyring: Path) -> None:
    indexes = sorted(suite.rglob("Packages"))
    sums = [
        f" {hashlib.sha256(index.read_bytes()).hexdigest()} {index.stat().st_size}"
        f" {index.relative_to(suite)}"
        for index in indexes
    ]
    names = " ".join(index.parent.name.removeprefix("binary-") for index in indexes)
    head = [f"Suite: {SUITE}", f"Codename: {SUITE}", "Components: main", f"Architectures: {names}"]
    date = "Date: Sat, 31 Jan 2026 12:00:00 UTC"
    (suite / "Release").write_text("\n".join([*head, date, "SHA256:", *sums, ""]))
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    _run(*gpg, "--passphrase", "", "--quick-generate-key", "made up", "ed25519", "sign", "never")
    _run(*gpg, "--output", str(keyring), "--export")
    release = str(suite / "InRelease")
    _run(*gpg, "--output", release, "--clearsign", str(suite / "Release"))
    _run("gpgconf", "--homedir", str(home), "--kill", "gpg-agent")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
