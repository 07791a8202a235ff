"""Files in packages.

Importing `pathlib` or `importlib.resources` would be a tenth of a cold start.
"""

from types import ModuleType


def read_text(package: ModuleType, name: str) -> str:
    """Return the text of a file, by its path in the package. Raises OSError."""
    with open(f"{package.__path__[0]}/{name}", encoding="utf-8") as file:  # noqa: PTH123
        return file.read()
