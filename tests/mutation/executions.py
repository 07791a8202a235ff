"""What each test executes: the lines of each function, and how long the test takes.

The record stays usable when code changes. Lines count from the start of their function. A test that
executed a function which has changed since is assumed to execute all of its lines, and the new
functions of the file. Only tests whose own file has changed are measured again.
"""

import ast
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import coverage

from tests.mutation.mutants import FUNCTIONS, ROOT
from tests.mutation.results import digest

Offsets = Mapping[str, Mapping[str, Sequence[int]]]
"""Executed lines by file and function, counted from the function's first line."""


class Execution(NamedTuple):
    """A run of a test."""

    seconds: float
    offsets: Offsets


class Function(NamedTuple):
    """Where a function is, and a hash of its text."""

    lines: range
    digest: str


class Executions:
    """The executions of the tests, by the tests' names, in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._tests: dict[str, Execution] = {}
        self._digests: dict[str, dict[str, str]] = {}
        if file.exists():
            stored = json.loads(file.read_text())
            self._tests = {name: Execution(*each) for name, each in stored["tests"].items()}
            self._digests = stored["functions"]
            self._forget_changed_tests(stored["files"])

    def __contains__(self, test: str) -> bool:
        return test in self._tests

    def _forget_changed_tests(self, files: Mapping[str, str]) -> None:
        unchanged = {name for name, known in files.items() if digest(ROOT / name) == known}
        for name in [name for name in self._tests if _file_of(name) not in unchanged]:
            del self._tests[name]

    def seconds(self, test: str) -> float:
        return self._tests[test].seconds

    def add(self, seconds: Mapping[str, float], data: coverage.CoverageData) -> None:
        """Add measured tests, and write the file."""
        offsets = _read(data)
        for name, spent in seconds.items():
            self._tests[name] = Execution(spent, offsets[name])
        for path in data.measured_files():
            name = os.path.relpath(path, ROOT)
            self._digests[name] = {key: each.digest for key, each in functions(name).items()}
        self._write()

    def _write(self) -> None:
        files = {name: digest(ROOT / name) for name in set(map(_file_of, self._tests))}
        stored = {"tests": self._tests, "functions": self._digests, "files": files}
        self._file.write_text(json.dumps(stored))

    def by_line(self) -> dict[tuple[str, int], set[str]]:
        """Return the tests that execute each line of the current code."""
        found = defaultdict(set)
        for test, execution in self._tests.items():
            for path, executed in execution.offsets.items():
                for line in self._lines(path, executed):
                    found[path, line].add(test)
        return found

    def _lines(self, path: str, executed: Mapping[str, Sequence[int]]) -> Iterator[int]:
        now, known = functions(path), self._digests[path]
        for name in executed.keys() & now.keys():
            if now[name].digest == known[name]:
                yield from (now[name].lines[offset] for offset in executed[name])
            else:
                yield from now[name].lines
        if any(name not in now or now[name].digest != known[name] for name in executed):
            for name in now.keys() - known.keys():
                yield from now[name].lines


@cache
def functions(path: str) -> dict[str, Function]:
    """Return the functions and methods of a file of the project, without those inside others."""
    file = ROOT / path
    text = file.read_text() if file.exists() else ""
    lines = text.splitlines()
    found = {}
    for name, node in _find(ast.parse(text), ""):
        place = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        body = "\n".join(lines[place.start - 1 : place.stop - 1])
        found[name] = Function(place, sha256(body.encode()).hexdigest()[:16])
    return found


def _find(parent: ast.AST, prefix: str) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, FUNCTIONS):
            yield f"{prefix}{node.name}", node
        elif isinstance(node, ast.stmt):
            yield from _find(
                node, f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix
            )


def _read(data: coverage.CoverageData) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Return the executed lines of functions, by test."""
    found: dict[str, dict[str, dict[str, list[int]]]] = defaultdict(dict)
    for file in data.measured_files():
        path = os.path.relpath(file, ROOT)
        tests = data.contexts_by_lineno(file)
        for name, function in functions(path).items():
            for line in function.lines:
                for test in filter(None, tests.get(line, ())):
                    offsets = found[test].setdefault(path, {}).setdefault(name, [])
                    offsets.append(line - function.lines.start)
    return found


def _file_of(test: str) -> str:
    return test.partition("::")[0]
