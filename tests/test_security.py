"""docs/security.md names only existing tests, and its statements about the project are true."""

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"^- `(tests/\S+\.py)::(\w+)`$", PAGE, re.MULTILINE)


def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_named_test_exists(file: str, name: str) -> None:
    assert name in functions_of(file)


@pytest.mark.parametrize("number", range(1, 11))
def test_each_risk_has_a_test(number: int) -> None:
    (section,) = re.findall(
        rf"^\*\*API{number}, (.*?)(?=^\*\*API|^## )", PAGE, re.MULTILINE | re.DOTALL
    )

    assert "\n- `tests/" in section


def test_every_test_reference_is_parsed() -> None:
    assert len(NAMED) == PAGE.count("\n- `tests/") > 40


def test_pull_requests_are_audited() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())
    steps = workflow["jobs"]["audit"]["steps"]

    assert "pull_request" in workflow[True]  # YAML parses the key `on` as True
    assert [step["run"] for step in steps if "run" in step] == ["make audit"]
    assert "-m pip_audit --strict" in (ROOT / "Makefile").read_text()


def test_page_says_how_to_report() -> None:
    assert "Report a vulnerability" in (ROOT / ".github/SECURITY.md").read_text()
