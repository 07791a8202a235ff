"""The server as a separate package: it needs nothing of this repository but its folder."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from local.data_api.address import REQUIRED, Address
from local.database_server import DatabaseServer
from local.processes import PROJECT, Child, answers, free_port
from tests.local.data_api import DataApi

FOLDER = PROJECT / "local" / "data_api"
PYPROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text())
SOURCES = sorted(FOLDER.glob("*.py"))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Copy the modules, as a wheel does: links become files."""
    shutil.copytree(FOLDER, tmp_path / "rds_data_api", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_package_serves_without_the_repository(
    package: Path, database_server: DatabaseServer
) -> None:
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(package), "DATABASE_URL": database_server.url}
    command = [sys.executable, "-P", "-m", "rds_data_api", "--port", str(port)]
    with Child("data-api", command, package / "log", environment) as server:
        server.wait_until(lambda: answers(port), seconds=60)
        api = DataApi(f"http://127.0.0.1:{port}")
        assert api.value("SELECT 1", database="customers") == {"longValue": 1}


def test_help_names_the_installed_program(package: Path) -> None:
    command = [sys.executable, "-P", "-m", "rds_data_api", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(
        command, env=environment, cwd=package, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: python -m rds_data_api ")
    assert "tls=required" in done.stdout


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_modules_import_only_declared_dependencies(source: Path) -> None:
    """Some dependencies are used only by others: cryptography by PyMySQL, the rest by uvicorn."""
    declared = {Requirement(line).name for line in PYPROJECT["project"]["dependencies"]}
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source.read_text()))
        for name in _names(node)
    }
    assert imported - set(sys.stdlib_module_names) <= declared


def test_compose_example_names_its_database() -> None:
    page = (PROJECT / "docs" / "data-api-server.md").read_text()
    (example,) = re.findall(r"```yaml\n(services:.*?)```", page, re.DOTALL)
    services = yaml.safe_load(example)["services"]
    database = services["mysql"]["environment"]
    address = Address.parse(services["data-api"]["environment"]["DATABASE_URL"])
    assert address.host in services["data-api"]["depends_on"]
    assert (address.user, address.password, address.database) == (
        database["MYSQL_USER"],
        database["MYSQL_PASSWORD"],
        database["MYSQL_DATABASE"],
    )
    assert address.tls == REQUIRED  # with the certificate that MySQL generates


def test_links_lead_to_the_only_copy() -> None:
    links = {
        path.name: path.resolve().relative_to(PROJECT) for path in SOURCES if path.is_symlink()
    }
    assert links == {
        "address.py": Path("chalicelib/database/address.py"),
        "mysql_errors.py": Path("chalicelib/database/errors.py"),
        "placeholders.py": Path("chalicelib/database/parameters.py"),
        "serving.py": Path("serve/connections.py"),
    }


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""] if node.level == 0 else []
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
