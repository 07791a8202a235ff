"""The generated part of the Python client is that of the current OpenAPI document."""

from pathlib import Path

from openapi.client import GENERATED, generate


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.py")
    }


def test_generated_part_is_current(tmp_path: Path) -> None:
    """If this fails, run `make client`."""
    generate(tmp_path / "generated")
    assert _files(tmp_path / "generated") == _files(GENERATED)
