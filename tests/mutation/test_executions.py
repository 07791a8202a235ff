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
    """Return a project of one file, whose test executes the first line of both functions.

    Another test executes the rest.
    """
    monkeypatch.setattr(executions, "ROOT", tmp_path)
    _forget()
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "test_code.py").write_text("one")
    data = coverage.CoverageData(no_disk=True)
    data.set_context(TEST)
    data.add_lines({str(tmp_path / "code.py"): [3, 7]})
    data.set_context("test_code.py::test_second")
    data.add_lines({str(tmp_path / "code.py"): [2, 6, 8]})
    Executions(tmp_path / "record").add({TEST: 0.1, "test_code.py::test_second": 0.1}, data)
    data.close(force=True)
    return tmp_path


def _forget() -> None:
    """Forget the files, which change only in tests."""
    executions._lines.cache_clear()
    results.digest.cache_clear()


def _lines(project: Path) -> set[int]:
    """Return the lines of functions that the first test executes."""
    _forget()
    known = Executions(project / "record")
    return {line for line in executions._lines("code.py") if TEST in known.tests("code.py", line)}


def test_executed_lines_are_known(project: Path) -> None:
    assert _lines(project) == {3, 7}


def test_lines_move_along(project: Path) -> None:
    (project / "code.py").write_text(CODE.replace("    a", "    # a\n        a"))
    assert _lines(project) == {3, 7, 8}


def test_changed_line_is_assumed_to_be_executed_by_tests_of_its_function(project: Path) -> None:
    (project / "code.py").write_text(CODE.replace("return a", "return 2"))
    assert _lines(project) == {3, 7, 8}


def test_new_function_is_assumed_to_be_executed_by_tests_of_its_file(project: Path) -> None:
    (project / "code.py").write_text(f"{CODE}def new():\n    pass\n")
    assert _lines(project) == {3, 7, 9, 10}


def test_changed_test_is_forgotten(project: Path) -> None:
    (project / "test_code.py").write_text("two")

    assert _lines(project) == set()
    assert TEST not in Executions(project / "record")
