"""The Data API server installs alone into a fresh environment, and starts there."""

import os
import subprocess
import sys
from pathlib import Path

from local.mariadb import MariaDB
from local.processes import PROJECT, Child, answers, free_port
from tests.local.data_api import DataApi


def test_server_runs_in_an_environment_of_its_own(mariadb: MariaDB, tmp_path: Path) -> None:
    environment, port = tmp_path / "environment", free_port()
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = str(environment / "bin/pip")
    subprocess.run([pip, "install", "--quiet", str(PROJECT / "local/data_api")], check=True)

    command = [str(environment / "bin/rds-data-api"), "--port", str(port)]
    variables = {**os.environ, "DATABASE_URL": mariadb.url}
    with Child("rds-data-api", command, tmp_path / "log", variables) as server:
        server.wait_until(lambda: answers(port), seconds=30)
        api = DataApi(f"http://127.0.0.1:{port}")
        assert api.value("SELECT 1", database="customers") == {"longValue": 1}
