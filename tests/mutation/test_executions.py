"""The record of executions stays valid when code changes, until the test changes."""

from pathlib import Path

import coverage
import pytest

from tests.mutation import executions, results
from tests.mutation.executions import Executions

CODE = """
def first():
    return 1

class Second:
    def method(self):
        a = 1
        return a
"""
TEST = "test_code.py::test_first"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of one file, whose test executes the first line of both functions."""
    monkeypatch.setattr(executions, "ROOT", tmp_path)
    _forget()
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "test_code.py").write_text("one")
    data = coverage.CoverageData(no_disk=True)
    data.set_context(TEST)
    data.add_lines({str(tmp_path / "code.py"): [3, 7]})
    Executions(tmp_path / "record").add({TEST: 0.1}, data)
    data.close(force=True)
    return tmp_path


def _forget() -> None:
    """Forget the files, which change only in tests."""
    executions.functions.cache_clear()
    results.digest.cache_clear()


def _lines(project: Path) -> set[int]:
    _forget()
    return {line for _, line in Executions(project / "record").by_line()}


def test_executed_lines_are_known(project: Path) -> None:
    assert _lines(project) == {3, 7}


def test_lines_of_unchanged_functions_move_along(project: Path) -> None:
    (project / "code.py").write_text(f"import os\n{CODE}")
    assert _lines(project) == {4, 8}


def test_changed_function_is_assumed_to_be_executed_completely(project: Path) -> None:
    (project / "code.py").write_text(CODE.replace("a = 1", "a = 2"))
    assert _lines(project) == {3, 6, 7, 8}


def test_new_function_is_assumed_to_be_executed_if_another_changed(project: Path) -> None:
    new = "def new():\n    pass\n"
    (project / "code.py").write_text(f"{CODE}{new}")
    assert _lines(project) == {3, 7}

    (project / "code.py").write_text(f"{CODE.replace('return 1', 'return new()')}{new}")
    assert _lines(project) == {2, 3, 7, 9, 10}


def test_changed_test_is_forgotten(project: Path) -> None:
    (project / "test_code.py").write_text("two")

    assert _lines(project) == set()
    assert TEST not in Executions(project / "record")
