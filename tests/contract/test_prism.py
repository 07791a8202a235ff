"""Prism, between the end-to-end tests and the API, finds no response that the document forbids."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from local.processes import PROJECT, Child, answers, free_port
from openapi import SHOWN
from tests.service import Service

CHANGED_BY_PRISM = "not 304 and not malformed-json"
"""Prism drops the ETag of a 304, and rejects malformed JSON itself."""


def _run(service: Service, node_modules: Path, document: Path, *options: str) -> tuple[int, str]:
    """Run the tests through Prism. Return their exit code, and Prism's log."""
    port, log = free_port(), document.with_name("prism.log")
    prism = str(node_modules / ".bin" / "prism")
    command = [prism, "proxy", str(document), service.url, "--port", str(port)]
    with Child("prism", command, log) as child:
        child.wait_until(lambda: answers(port))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "tests/e2e", *options],
            cwd=PROJECT,
            env={**os.environ, "BASE_URL": f"http://127.0.0.1:{port}", "TOKEN": service.token},
            check=False,
        )
    return done.returncode, log.read_text()


def test_no_response_violates_the_document(
    service: Service, node_modules: Path, tmp_path: Path
) -> None:
    document = tmp_path / "openapi.json"
    document.write_bytes(SHOWN.read_bytes())

    failures, log = _run(service, node_modules, document, "-k", CHANGED_BY_PRISM)

    assert failures == 0
    assert re.findall(r"Violation: (response.*)", log) == []


def test_forbidden_response_is_found(service: Service, node_modules: Path, tmp_path: Path) -> None:
    described = json.loads(SHOWN.read_text())
    described["components"]["schemas"]["Customer"]["required"].append("shoe_size")
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(described))

    _, log = _run(service, node_modules, document, "-k", "lifecycle")

    assert re.search(r"Violation: response.*'shoe_size'", log)
