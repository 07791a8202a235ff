"""The zipped size of a package with the given requirements."""

import re
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from io import BytesIO
from pathlib import Path

NAME = re.compile(r"[\w.-]+")


def zipped(names: Iterable[str], site: Path) -> int:
    """Return the zipped bytes of these packages with all their dependencies."""
    installed = {_key(item.name): item for item in distributions(path=[str(site)])}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(_closure(names, installed)):
            for file in _files(installed[name]):
                archive.write(site / file, file)
    return len(buffer.getvalue())


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(names: Iterable[str], installed: dict[str, Distribution]) -> set[str]:
    """Return the names with their installed dependencies, except those of extras."""
    closure: set[str] = set()
    waiting = [_key(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in closure or name not in installed:
            continue
        closure.add(name)
        needed = (item for item in installed[name].requires or [] if "extra ==" not in item)
        waiting += [_key(match[0]) for item in needed if (match := NAME.match(item))]
    return closure


def _files(distribution: Distribution) -> list[str]:
    files = (str(file) for file in distribution.files or [])
    return [name for name in files if not name.startswith("..") and not name.endswith(".pyc")]
