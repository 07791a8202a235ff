"""The tutorial "Add a resource" works as it is written, in a copy of the project.

Code blocks of the language `sh` are run. Those of `bash` need a repository or a running service.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copy, copytree
from typing import NamedTuple

import pytest

from local.processes import PROJECT

PAGE = (PROJECT / "docs/tutorial/add-a-resource.md").read_text(encoding="utf-8")
EXAMPLE = PROJECT / "examples" / "orders"
FILES = {path.relative_to(EXAMPLE).as_posix(): path for path in EXAMPLE.rglob("*.*")}
CODE = {name: path for name, path in FILES.items() if not name.startswith(("migr", "tests/", "RE"))}
MOST_LINES = 250
BLOCK = re.compile(
    r"(?:Create `(?P<path>[^`]+)`:\n\n)?```(?P<language>\w+)\n(?P<code>.*?)```\n"
    r"(?:[^`]*?\n```text\n(?P<output>.*?)```)?",
    re.DOTALL,
)
TESTS = (
    *("tests/test_orders.py", "tests/test_openapi.py", "tests/test_declarations.py"),
    *("tests/test_authorization.py", "tests/test_compatibility.py", "tests/test_app.py"),
    "tests/infrastructure/test_gateway_document.py",
)
"""The tests that concern every operation. The whole suite takes a quarter of an hour."""
FUZZ = """
import sys
from pathlib import Path
from tests.contract.fuzzing import fuzz
from tests.service import running
directory = Path(sys.argv[1])
with running(directory) as service:
    done = fuzz(service, directory, *sys.argv[2:])
print(done.stdout, done.stderr)
sys.exit(done.returncode)
"""


class Block(NamedTuple):
    """A code block; the path of the file that it is, and the output that it has, if any."""

    path: str
    language: str
    code: str
    output: str


BLOCKS = [Block(*found) for found in BLOCK.findall(PAGE)]


def copy_project(directory: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split("\0")[:-1]:
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy(PROJECT / name, target)
    return directory


def run(project: Path, script: str) -> tuple[int, str]:
    """Run commands with this environment's tools; return the exit code and the output."""
    if not (project / ".venv").exists():
        (project / ".venv").symlink_to(sys.prefix)
    # --old-file: don't set up an environment
    make = "make --old-file=setup WORKERS= "
    script = re.sub(r"^make ", make, script, flags=re.MULTILINE)
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def assert_shown(expected: str, output: str) -> None:
    """Assert that lines of the output contain the expected ones, in order; `...` is any text."""
    lines = [re.escape(line).replace(re.escape("..."), ".*") for line in expected.splitlines()]
    pattern = "(?:.*\n)*".join(f".*{line}.*\n" for line in lines)
    assert re.search(pattern, output, re.MULTILINE), f"{expected}\n--- is not in:\n{output}"


@pytest.fixture(scope="module", autouse=True)
def _original_is_unchanged() -> Iterator[None]:
    def status() -> bytes:
        command = ["git", "status", "--porcelain", "--untracked-files=all"]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, check=True).stdout

    before = status()
    yield
    assert status() == before


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project with the example, as the README of the example says."""
    project = copy_project(tmp_path_factory.mktemp("finished"))
    (commands,) = re.findall(r"```sh\n(.*?)```", FILES["README.md"].read_text(), re.DOTALL)
    code, output = run(project, commands)
    assert code == 0, output
    return project


def test_page_shows_the_files_of_the_example() -> None:
    shown = {block.path: block.code for block in BLOCKS if block.path}
    excerpts = [block.code for block in BLOCKS if block.language in ("python", "diff")]
    texts = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}

    assert shown == {
        name: texts[name]
        for name in texts.keys() - {"app.patch", "README.md"}
        if not name.startswith("tests/")
    }
    assert texts["app.patch"] in excerpts
    assert [code for code in excerpts if not any(code in text for text in texts.values())] == []


def test_example_is_small_and_changes_only_the_app() -> None:
    lines = [line for path in CODE.values() for line in path.read_text().splitlines()]
    patch = FILES["app.patch"].read_text()
    own = [line for line in patch.splitlines() if line.startswith("+") and line != "+++ b/app.py"]
    files = sum(
        len(path.read_text().splitlines()) for name, path in CODE.items() if name != "app.patch"
    )

    assert files + len(own) <= MOST_LINES
    assert not [line for line in lines if "chalicelib.customers" in line]
    assert [name for name in FILES if (PROJECT / name).exists()] == ["README.md"]
    assert re.findall(r"^(?:---|\+\+\+) (.*)", patch, re.MULTILINE) == ["a/app.py", "b/app.py"]
    assert not re.search(r"^-(?!--)", patch, re.MULTILINE)


@pytest.mark.exhaustive
def test_each_step_has_the_output_that_the_page_shows(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    for block in BLOCKS:
        if block.path:
            path = project / block.path
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.code)
        elif block.language == "sh":
            code, output = run(project, block.code)
            assert_shown(block.output, output)
            assert bool(code) == ("Error" in block.output), output


def test_example_passes_the_tests_of_every_operation(finished: Path) -> None:
    code, output = run(finished, f"make quick ARGS='{' '.join(TESTS)}'")
    assert code == 0, output


@pytest.mark.exhaustive
def test_fuzzing_the_example_finds_nothing(finished: Path, tmp_path: Path) -> None:
    options = ("--include-path-regex", "^/orders", "--max-examples", "15")
    command = [sys.executable, "-c", FUZZ, str(tmp_path), *options]
    done = subprocess.run(command, cwd=finished, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("app.py", '    """Read an order."""\n', ""),
            "get_order has no description: write a docstring for its view. ",
        ),
        (
            ("docs/problems-orders.md", "*Order not found*", "*No order*"),
            "order-not-found: docs/problems.md and docs/problems-*.md have no paragraph of it: ",
        ),
        (
            ("chalicelib/orders/schemas.py", ', "type": "integer"', ""),
            "Order.total: JSON Schema can't express a field of the class ReadOnly: add metadata=",
        ),
    ],
)
def test_mistake_is_reported_in_one_line(
    finished: Path, tmp_path: Path, change: tuple[str, str, str], message: str
) -> None:
    name, text, planted = change
    project = copytree(finished, tmp_path / "project", symlinks=True)
    source = (project / name).read_text()
    assert source.count(text) == 1
    (project / name).write_text(source.replace(text, planted))
    (project / "docs" / "openapi.json").write_text("before")

    code, output = run(project, ".venv/bin/python -m openapi")

    assert code == 1
    (line,) = output.splitlines()
    assert line.startswith(message)
    assert (project / "docs" / "openapi.json").read_text() == "before"
