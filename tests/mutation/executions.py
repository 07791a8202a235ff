"""What each test executes: the lines of each function, and how long the test takes.

The record stays usable when code changes, because it has hashes of the lines' texts, not numbers.
A new line is assumed to be executed by all tests that execute its function, and a new function by
all tests that execute its file. Only tests whose own file has changed are measured again.
"""

import ast
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import coverage

from tests.mutation.mutants import FUNCTIONS, ROOT
from tests.mutation.results import digest


class Execution(NamedTuple):
    """A run of a test: hashes of the test's file, and of executed lines by file and function."""

    seconds: float
    digest: str
    files: Mapping[str, Mapping[str, list[int]]]


class Executions:
    """The executions of the tests, by the tests' names, in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        stored = json.loads(file.read_text()) if file.exists() else {}
        executions = {name: Execution(*each) for name, each in stored.items()}
        self._tests = {
            name: each for name, each in executions.items() if each.digest == _digest(name)
        }
        self._executing: dict[tuple[object, ...], set[str]] = defaultdict(set)
        for name, each in self._tests.items():
            for path, functions in each.files.items():
                for function, lines in functions.items():
                    for line in lines:
                        self._executing[path, function, line].add(name)
                    self._executing[path, function].add(name)
                self._executing[path,].add(name)

    def __contains__(self, test: str) -> bool:
        return test in self._tests

    def seconds(self, test: str) -> float:
        return self._tests[test].seconds

    def size(self, test: str) -> int:
        """Return how many lines a test executes."""
        files = self._tests[test].files.values()
        return sum(len(lines) for functions in files for lines in functions.values())

    def tests(self, path: str, line: int) -> set[str]:
        """Return the tests that execute a line of a function."""
        key = (path, *_lines(path)[line])
        found = (self._executing.get(key[:end]) for end in (3, 2, 1))
        return next(filter(None, found), set())

    def add(self, seconds: Mapping[str, float], data: coverage.CoverageData) -> None:
        """Add measured tests to the file."""
        files = _read(data)
        for name, spent in seconds.items():
            self._tests[name] = Execution(spent, _digest(name), files[name])
        self._file.write_text(json.dumps(self._tests))


def _digest(test: str) -> str:
    return digest(ROOT / test.partition("::")[0])


@cache
def _lines(path: str) -> dict[int, tuple[str, int]]:
    """Return the function and the hash of each line, without lines outside of functions."""
    text = (ROOT / path).read_text()
    hashes = [crc32(line.strip().encode()) for line in text.splitlines()]
    return {
        line: (name, hashes[line - 1])
        for name, function in _functions(ast.parse(text), "")
        for line in range(function.lineno, (function.end_lineno or function.lineno) + 1)
    }


def _functions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the functions and methods with their names, without those inside others."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, FUNCTIONS):
            yield f"{prefix}{node.name}", node
        elif isinstance(node, ast.stmt):
            inner = f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix
            yield from _functions(node, inner)


def _read(data: coverage.CoverageData) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Return the executed lines by test, file and function."""
    found: dict[str, dict[str, dict[str, list[int]]]] = defaultdict(dict)
    for file in data.measured_files():
        path = os.path.relpath(file, ROOT)
        contexts = data.contexts_by_lineno(file)
        for line, (function, text) in _lines(path).items():
            for test in filter(None, contexts.get(line, ())):
                found[test].setdefault(path, {}).setdefault(function, []).append(text)
    return found
