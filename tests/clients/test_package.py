"""The client as a separate package: it needs nothing of this repository but its folder."""

import ast
import sys
import tomllib
from pathlib import Path

import customers_client
import pytest
from packaging.requirements import Requirement

from tests.lockfiles import ROOT

FOLDER = ROOT / "clients" / "python"
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
SOURCES = sorted((FOLDER / "customers_client").rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_modules_import_only_declared_dependencies(source: Path) -> None:
    declared = {Requirement(line).name for line in PROJECT["dependencies"]} | {"customers_client"}
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source.read_text()))
        for name in _names(node)
    }
    assert imported - set(sys.stdlib_module_names) <= declared


def test_version_is_that_of_the_service() -> None:
    service = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert PROJECT["version"] == service["version"]
    assert PROJECT["requires-python"] == service["requires-python"]


def test_types_are_published() -> None:
    assert (FOLDER / "customers_client" / "py.typed").exists()
    assert all(hasattr(customers_client, name) for name in customers_client.__all__)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""] if node.level == 0 else []
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
