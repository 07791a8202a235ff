"""Fuzz a running API, based on its OpenAPI document."""

import os
import subprocess
import sys
from pathlib import Path

from openapi import ROOT, SHOWN
from tests.service import Service

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


def fuzz(service: Service, directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Schemathesis in the directory; its output has the seed and how to repeat a failure."""
    program = Path(sys.executable).with_name("schemathesis")
    command: list[str | Path] = [program, "--config-file", CONFIGURATION, "run", SHOWN]
    command += ["--url", service.url, "--no-color", *options]
    environment = {**os.environ, "CONTRACT_TOKEN": service.token, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, env=environment, check=False, cwd=directory, capture_output=True, text=True
    )
