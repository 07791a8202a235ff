"""Neither the repository nor the package contains a secret.

The scanner searches for keys with a known format: AWS keys, private keys and tokens. It ignores
random text and values next to words like `secret`, because the templates contain many of them.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from infrastructure import packaging
from infrastructure.stages import STAGES
from local.processes import PROJECT

SCANNER = PROJECT / ".venv" / "audit" / "bin" / "detect-secrets"
FORMLESS = (
    *("KeywordDetector", "BasicAuthDetector"),
    *("Base64HighEntropyString", "HexHighEntropyString"),
)
EXAMPLES = {
    "benchmarks/meter.py",  # AWS's own example of a key
    *("docs/openapi.json", "docs/openapi-released.json"),  # an example of a receipt, a JWT
}


def found(directory: Path, files: list[str]) -> dict[str, list[str]]:
    """Return the kinds of secrets by file."""
    options = [option for name in FORMLESS for option in ("--disable-plugin", name)]
    done = subprocess.run(
        [SCANNER, "scan", "--no-verify", *options, *files],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    results = json.loads(done.stdout)["results"]
    return {name: [secret["type"] for secret in secrets] for name, secrets in results.items()}


@pytest.fixture(scope="module")
def repository() -> list[str]:
    """Return the files in git."""
    if not (shutil.which("git") and (PROJECT / ".git").exists()):
        pytest.skip("git is missing, or this is not a clone")
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def test_repository_contains_no_secret(repository: list[str]) -> None:
    assert found(PROJECT, repository).keys() == EXAMPLES


def test_repository_contains_no_private_key(repository: list[str]) -> None:
    key = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
    assert [name for name in repository if key.search((PROJECT / name).read_bytes())] == []


def test_package_contains_no_secret(tmp_path: Path) -> None:
    packaging.build(STAGES["prod"], tmp_path)
    names = ["sam.json", "gateway.json"]
    with ZipFile(tmp_path / "deployment.zip") as archive:
        archive.extractall(tmp_path)
        names += [name for name in archive.namelist() if name.endswith((".py", ".json", ".html"))]

    assert len(names) > 50
    assert found(tmp_path, names) == {}


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (("AKIA", "IOSFODNN7ABCDEFG"), "AWS Access Key"),
        (("eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiJhZGEifQ", ".c2lnbmF0dXJl"), "JSON Web Token"),
        (("ghp_", "a1B2" * 9), "GitHub Token"),
    ],
)
def test_planted_secret_is_detected(tmp_path: Path, parts: tuple[str, ...], kind: str) -> None:
    (tmp_path / "planted.py").write_text(f'KEY = "{"".join(parts)}"\n')

    assert found(tmp_path, ["planted.py"]) == {"planted.py": [kind]}
