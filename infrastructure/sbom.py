"""List the third-party code of a package: a software bill of materials (SBOM) in CycloneDX.

    .venv/audit/bin/python -m infrastructure.sbom out/prod

Writes `sbom.cdx.json` beside the archives that `make package` built. The list comes from the
archives and not from the lock files, so it contains what is deployed. It has no time and no random
number: equal archives result in equal bytes. The archives' hashes connect it to the archives.

Source: https://cyclonedx.org/docs/1.6/json/
"""

import argparse
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zipfile import ZipFile

from local import bootstrap

ROOT = Path(__file__).parent.parent
NAME = "sbom.cdx.json"
METADATA = re.compile(r"(?:python/)?(?P<name>[\w.]+)-(?P<version>[^/-]+)\.dist-info/")


def main() -> None:
    parser = argparse.ArgumentParser(description="List the third-party code of a package.")
    parser.add_argument("folder", type=Path, help="with the archives, such as out/prod")
    out: Path = parser.parse_args().folder
    archives = sorted(out.glob("*.zip"))
    if not archives:
        parser.error(f"{out} has no archives: run `make package` first")
    (out / NAME).write_text(describe(archives))


def distributions(archive: Path) -> list[tuple[str, str]]:
    """Return the names and versions of the distributions whose code is in an archive."""
    with ZipFile(archive) as opened:
        names = opened.namelist()
    found = {_normalized(match) for name in names if (match := METADATA.match(name))}
    if any(name.startswith("chalice/") for name in names):  # Chalice adds it without metadata
        found.add(("chalice", _locked("chalice")))
    return sorted(found)


def _normalized(match: re.Match[str]) -> tuple[str, str]:
    return re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"]


def _locked(name: str) -> str:
    line = bootstrap.pins(ROOT / "requirements-dev.txt")[name]
    return line.partition("==")[2].split()[0]


def describe(archives: list[Path]) -> str:
    """Return the document as JSON. Needs cyclonedx-python-lib, which .venv/audit has."""
    from cyclonedx.output.json import JsonV1Dot6

    bom = _bom(archives)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["metadata"]["timestamp"]  # optional, and the library has no other way
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _bom(archives: list[Path]) -> Any:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    root = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
    )
    bom = Bom()
    bom.metadata.component = root
    libraries: dict[tuple[str, str], Any] = {}
    files = []
    for archive in archives:
        file = _file(archive)
        contents = [libraries.setdefault(key, _library(*key)) for key in distributions(archive)]
        bom.register_dependency(file, contents)
        files.append(file)
    bom.components = [*files, *libraries.values()]
    bom.register_dependency(root, files)
    bom.serial_number = uuid5(NAMESPACE_URL, " ".join(_digests(archives)))
    return bom


def _digests(archives: list[Path]) -> Iterator[str]:
    for archive in archives:
        yield hashlib.sha256(archive.read_bytes()).hexdigest()


def _file(archive: Path) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    digest = HashType(alg=HashAlgorithm.SHA_256, content=next(_digests([archive])))
    return Component(
        name=archive.name, type=ComponentType.FILE, bom_ref=archive.name, hashes=[digest]
    )


def _library(name: str, version: str) -> Any:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    url = PackageURL("pypi", None, name, version)
    return Component(
        name=name, version=version, type=ComponentType.LIBRARY, purl=url, bom_ref=str(url)
    )


if __name__ == "__main__":
    main()
