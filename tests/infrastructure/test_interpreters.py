"""Interpreters are found in installers' folders, and used only if they report their version."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from infrastructure import interpreters
from infrastructure.stages import PYTHON, RUNTIME

ROOT = Path(__file__).parents[2]
SAYS = """#!/bin/sh
echo 'cpython {version} {kind}'
echo "$0"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home folder of a machine without interpreters."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def program(folder: Path, text: str = "", *, kind: str = "final standard") -> Path:
    """Create an interpreter of version 3.99, or a program with this text."""
    folder.mkdir(parents=True)
    path = folder / "python3.99"
    path.write_text(text or SAYS.format(version="3.99", kind=kind))
    path.chmod(0o700)
    return path


def test_running_interpreter_is_preferred() -> None:
    assert interpreters.find(interpreters.running()) == Path(sys.executable)


@pytest.mark.parametrize(
    "folder",
    [
        "bin",
        ".pyenv/versions/3.99.1/bin",
        ".local/share/uv/python/cpython-3.99.1-linux-x86_64-gnu/bin",
    ],
)
def test_interpreter_is_found_in_installers_folders(home: Path, folder: str) -> None:
    assert interpreters.find("3.99") is None
    made = program(home / folder)

    assert interpreters.find("3.99") == made
    assert interpreters.find("3.98") is None


@pytest.mark.parametrize(
    ("setting", "folder"),
    [
        ("PYENV_ROOT", "versions/3.99.1/bin"),
        ("UV_PYTHON_INSTALL_DIR", "cpython-3.99.1-linux-x86_64-gnu/bin"),
        ("XDG_DATA_HOME", "uv/python/cpython-3.99.1-linux-x86_64-gnu/bin"),
    ],
)
def test_interpreter_is_found_in_configured_folders(
    home: Path, monkeypatch: pytest.MonkeyPatch, setting: str, folder: str
) -> None:
    monkeypatch.setenv(setting, str(home / "else where"))

    made = program(home / "else where" / folder)
    assert interpreters.find("3.99") == made


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\necho 'pyenv: python3.99: command not found' >&2\nexit 127\n",
        SAYS.format(version="3.98", kind="final standard"),
        SAYS.format(version="3.99", kind="candidate standard"),
        SAYS.format(version="3.99", kind="final free-threaded"),
        "no program",
        "#!/no/such/interpreter\n",
    ],
)
def test_program_of_another_version_is_ignored(home: Path, text: str) -> None:
    """A shim of pyenv may be on PATH for a version that pyenv does not run."""
    program(home / "bin", text)
    assert interpreters.find("3.99") is None

    made = program(home / ".pyenv/versions/3.99.1/bin")
    assert interpreters.find("3.99") == made


def test_newest_release_is_preferred(home: Path) -> None:
    for release in ("3.99.9", "3.99.10", "3.99.2"):
        program(home / f".pyenv/versions/{release}/bin")

    found = interpreters.find("3.99")
    assert found == home / ".pyenv/versions/3.99.10/bin/python3.99"


def test_shim_is_resolved_to_its_program(home: Path) -> None:
    """The same shim may run another version in another folder."""
    shim = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    program(home / "bin", shim).rename(home / "bin" / "shim")

    found = interpreters._confirmed(home / "bin" / "shim", interpreters.running())
    assert found == Path(sys.executable)


def test_command_prints_the_interpreter() -> None:
    def run(version: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "infrastructure.interpreters", version]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run(interpreters.running()).stdout == f"{sys.executable}\n"
    done = run("3.99")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("error: this machine has no Python 3.99. Install it")


def test_tools_check_the_oldest_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    oldest = interpreters.SUPPORTED[0]

    assert project["project"]["requires-python"] == f">={oldest}"
    assert project["tool"]["mypy"]["python_version"] == oldest
    assert project["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"


def test_functions_run_on_a_supported_version() -> None:
    assert PYTHON in interpreters.SUPPORTED
    assert f"python{PYTHON}" == RUNTIME
