"""The Data API server installs alone into a fresh environment, and starts there.

The steps are those of the page: pip with the folder, and the image of the Compose example.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.database_server import DatabaseServer
from local.processes import PROJECT, Child, answers, free_port
from tests.local.data_api import DataApi

PAGE = (PROJECT / "docs" / "data-api-server.md").read_text()


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Create an environment, and return the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "environment"], check=True)
    return tmp_path / "environment" / "bin"


def test_server_installs_from_its_folder(
    environment: Path, database_server: DatabaseServer, tmp_path: Path
) -> None:
    first, second = _block("sh", "pip install").splitlines()
    subprocess.run([environment / first.split()[0], *first.split()[1:]], cwd=PROJECT, check=True)

    _check_serving(environment, second.split()[-1:], database_server.url, tmp_path)


def test_server_installs_into_the_image(
    environment: Path, database_server: DatabaseServer, tmp_path: Path
) -> None:
    service = _compose()["data-api"]
    for line in service["build"]["dockerfile_inline"].splitlines():
        match line.replace("/src", str(tmp_path / "src")).split():
            case ["COPY", source, target]:
                _copy(PROJECT / source, Path(target))
            case ["RUN", "pip", *arguments]:
                subprocess.run([environment / "pip", *arguments], check=True)

    command = shlex.split(re.sub(r"--host \S+", "--host 127.0.0.1", service["command"]))
    _check_serving(environment, command, database_server.url, tmp_path)


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, with its links unchanged, like COPY in a Dockerfile."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _block(language: str, part: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    (block,) = (block for block in blocks if part in block)
    return str(block)


def _compose() -> Any:
    return yaml.safe_load(_block("yaml", "services:"))["services"]


def _check_serving(environment: Path, command: list[str], url: str, directory: Path) -> None:
    port = free_port()
    command = [str(environment / command[0]), *command[1:], "--port", str(port)]
    with Child("server", command, directory / "log", {**os.environ, "DATABASE_URL": url}) as server:
        server.wait_until(lambda: answers(port))
        api = DataApi(f"http://127.0.0.1:{port}")
        assert api.value("SELECT 1", database="customers") == {"longValue": 1}
