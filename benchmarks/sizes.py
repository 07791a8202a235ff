"""How large a package is, zipped, that a requirements file with these names makes."""

import re
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from io import BytesIO
from pathlib import Path

NAME = re.compile(r"[\w.-]+")


def zipped(names: Iterable[str], site: Path) -> int:
    """Return how many bytes the packages of these names take, with all that they require."""
    installed = {
        _key(distribution.name): distribution for distribution in distributions(path=[str(site)])
    }
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(_closure(names, installed)):
            for file in _files(installed[name]):
                archive.write(site / file, file)
    return len(buffer.getvalue())


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(names: Iterable[str], installed: dict[str, Distribution]) -> set[str]:
    """Return the names, and of what they require what is installed and asked for by no extra."""
    found: set[str] = set()
    waiting = [_key(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found or name not in installed:
            continue
        found.add(name)
        wanted = (
            require for require in installed[name].requires or [] if "extra ==" not in require
        )
        waiting += [_key(match[0]) for require in wanted if (match := NAME.match(require))]
    return found


def _files(distribution: Distribution) -> list[str]:
    files = (str(file) for file in distribution.files or [])
    return [name for name in files if not name.startswith("..") and not name.endswith(".pyc")]
