"""Clients that generators make from the document compile, and create, change and erase a customer.

`clients` has a program for each. test_generated_client.py covers openapi-python-client. Clients for
Java and C# are not tested: they need packages that neither PyPI nor npm has.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openapi import SHOWN
from tests.service import Service

PROGRAMS = Path(__file__).parent / "clients"
BIN = Path(sys.executable).parent
TYPESCRIPT = {
    "strict": True,
    "target": "es2022",
    "module": "commonjs",
    "moduleResolution": "node10",
    "esModuleInterop": True,
    "types": ["node"],
}
NODE_CLIENTS: dict[str, tuple[str, ...]] = {
    "typescript-axios": (),
    "typescript-fetch": (),
    "openapi-fetch": ("openapi-typescript", str(SHOWN), "--output", "generated.d.ts"),
    "hey-api": ("openapi-ts", "--input", str(SHOWN), "--output", "generated"),
    "orval": ("orval", "--config", "orval.config.cjs"),
}
"""The command that generates each client; openapi-generator generates the others."""


def _run(directory: Path, *command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2_000:]


def _generate(generator: str, directory: Path) -> None:
    """Run openapi-generator, and fail if it logs an error: it continues after errors."""
    program = str(BIN / "openapi-generator-cli")
    command = [program, "generate", "--generator-name", generator, "--input-spec", str(SHOWN)]
    done = subprocess.run(
        [*command, "--output", str(directory / "generated")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ERROR" not in done.stdout + done.stderr


@pytest.fixture
def api(service: Service) -> dict[str, str]:
    """Return the variables that each program reads."""
    return {"API": service.url, "TOKEN": service.token}


def test_client_of_openapi_generator_for_python(api: dict[str, str], tmp_path: Path) -> None:
    _generate("python", tmp_path)

    program = PROGRAMS / "openapi_generator.py"
    _run(tmp_path, sys.executable, program, PYTHONPATH=str(tmp_path / "generated"), **api)


def test_client_of_openapi_generator_for_go(api: dict[str, str], tmp_path: Path) -> None:
    _generate("go", tmp_path)
    program = tmp_path / "generated" / "lifecycle" / "main.go"
    program.parent.mkdir()
    shutil.copy(PROGRAMS / "openapi_generator.go", program)

    _run(tmp_path / "generated", BIN / "go", "run", "./lifecycle", GOPROXY="off", **api)


@pytest.mark.parametrize("name", NODE_CLIENTS)
def test_client_for_typescript(
    name: str, api: dict[str, str], node_modules: Path, tmp_path: Path
) -> None:
    programs = node_modules / ".bin"
    (tmp_path / "node_modules").symlink_to(node_modules)
    (tmp_path / "orval.config.cjs").write_text(_orval(api["API"]))
    if NODE_CLIENTS[name]:
        program, *arguments = NODE_CLIENTS[name]
        _run(tmp_path, programs / program, *arguments)
    else:
        _generate(name, tmp_path)
    shutil.copy(PROGRAMS / f"{name}.ts", tmp_path / "lifecycle.ts")
    (tmp_path / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": TYPESCRIPT, "files": ["lifecycle.ts"]})
    )

    _run(tmp_path, programs / "tsc")
    _run(tmp_path, "node", "lifecycle.js", **api)


def _orval(url: str) -> str:
    target = {"target": "generated/client.ts", "client": "fetch", "baseUrl": url}
    schemas = {"target": "generated/zod.ts", "client": "zod"}
    jobs = {
        name: {"input": str(SHOWN), "output": output}
        for name, output in {"client": target, "zod": schemas}.items()
    }
    return f"module.exports = {json.dumps(jobs)};"
