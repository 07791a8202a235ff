"""Generate the models and operations of the Python client from the OpenAPI document.

Needs openapi-python-client, which `make client` installs. `clients/python/templates` replaces its
four functions of each operation by one, whose result both clients can send.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from openapi import SHOWN

PACKAGE = Path(__file__).parents[1] / "clients" / "python"
GENERATED = PACKAGE / "customers_client" / "generated"
TAG = "customers"
UNUSED = ("client.py", "errors.py")
"""Files that the generator always writes, and that no template uses."""


def generate(target: Path) -> None:
    """Write the package to a folder that doesn't exist. Raises CalledProcessError."""
    generator = Path(sys.executable).with_name("openapi-python-client")
    with tempfile.TemporaryDirectory() as directory:
        document, configuration = Path(directory, "openapi.json"), Path(directory, "config.yaml")
        document.write_text(json.dumps(_without_other_operations(json.loads(SHOWN.read_text()))))
        configuration.write_text("post_hooks: []\n")
        command = (
            *(generator, "generate", "--path", document, "--output-path", target),
            *("--meta", "none", "--fail-on-warning", "--config", configuration),
            *("--custom-template-path", PACKAGE / "templates"),
        )
        subprocess.run(command, check=True, capture_output=True)
    for name in UNUSED:
        (target / name).unlink()
    _format(target)


def _without_other_operations(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the operations of customers only, and without HEAD."""
    for path in document["paths"].values():
        for method, operation in list(path.items()):
            if method == "head" or TAG not in operation.get("tags", [TAG]):
                del path[method]
    return document


def _format(target: Path) -> None:
    """Remove unused imports, and format as the rest of the project."""
    for command in ("check --fix-only --select F401,I", "format"):
        ruff = [sys.executable, "-m", "ruff", *command.split(), "--isolated", "--quiet"]
        subprocess.run([*ruff, "--line-length=100", target], check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=GENERATED.parent) as folder:
        generate(Path(folder, "new"))
        shutil.rmtree(GENERATED, ignore_errors=True)
        Path(folder, "new").rename(GENERATED)
