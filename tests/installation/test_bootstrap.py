"""`make setup`: creates an environment, repairs a broken one, and says what is wrong in one line.

The tests run `local/bootstrap.py` in a separate project, offline, with a folder of wheels: pip,
and two releases of a made-up package, of which the lock file pins the older one.
"""

import hashlib
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path

import pytest

from local import bootstrap
from tests.local.support import disk

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MADE_UP = "VERSION = '{}'\n\ndef main(): print(VERSION)\n"
ENTRY_POINTS = "[console_scripts]\nmade-up = made_up:main\n"
INSTALLING = f"Installing 2 packages into .venv for Python {PYTHON}\n"


class Project:
    """A folder with bootstrap.py and a lock file, and a folder of wheels beside it."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder = folder
        self.wheels = wheels
        self.lock = folder / "requirements-dev.txt"
        self.venv = folder / ".venv"
        (folder / "local").mkdir(parents=True)
        shutil.copy(bootstrap.__file__, folder / "local")
        self.pin("1.0")

    def pin(self, version: str) -> None:
        packages = {"made-up": version, "pip": distribution("pip").version}
        self.lock.write_text("".join(map(self._line, packages, packages.values())))

    def _line(self, name: str, version: str) -> str:
        wheel = self.wheels / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return f"{name}=={version} \\\n    --hash=sha256:{digest}\n    # via a test\n"

    def setup(
        self, *options: str, python: str = sys.executable, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*options, python=python),
            cwd=self.folder,
            env=self.environ(**variables),
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *options: str, python: str = sys.executable) -> list[str]:
        return [python, "local/bootstrap.py", "requirements-dev.txt", ".venv", *options]

    def environ(self, **variables: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        offline = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
        }
        return clean | offline | variables

    def installed(self) -> str:
        """Return the version of the made-up package that the environment imports."""
        code = "import made_up; print(made_up.VERSION)"
        command = [str(self.venv / "bin/python"), "-c", code]
        return subprocess.check_output(command, text=True).strip()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        write_wheel(folder, "made_up", version, {"made_up.py": MADE_UP.format(version)})
    pip = distribution("pip")
    files = {str(file): file.read_text() for file in pip.files or () if is_source(file.suffix)}
    write_wheel(folder, "pip", pip.version, files)
    return folder


def is_source(suffix: str) -> bool:
    return suffix in {".py", ".pem", ".txt"}


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    info = f"{name}-{version}.dist-info"
    files = {path: text for path, text in files.items() if not path.startswith(("..", info))}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if name == "made_up":
        files[f"{info}/entry_points.txt"] = ENTRY_POINTS
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Project:
    """Return a project whose environment is ready; tests must leave it ready."""
    project = Project(tmp_path_factory.mktemp("ready") / "project", wheels)
    done = project.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", INSTALLING)
    return project


@pytest.fixture
def project(tmp_path: Path, wheels: Path) -> Project:
    return Project(tmp_path / "project", wheels)


def test_setup_installs_the_pinned_release_although_a_newer_one_exists(ready: Project) -> None:
    assert ready.installed() == "1.0"


def test_setup_prints_nothing_if_the_environment_is_up_to_date(ready: Project) -> None:
    done = ready.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_works_through_a_symbolic_link(ready: Project, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(ready.folder)
    done = subprocess.run(
        ready.command(), cwd=link, env=ready.environ(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_changed_lock_file_is_installed_into_the_same_environment(project: Project) -> None:
    project.setup()
    created = project.venv.stat().st_ino
    project.pin("2.0")
    done = project.setup()
    assert (done.returncode, done.stderr) == (0, INSTALLING)
    assert (project.installed(), project.venv.stat().st_ino) == ("2.0", created)


@pytest.mark.parametrize("folder", ["my projects", "größe o'api", "\"x\" $y `z` ''"])
def test_programs_run_in_a_folder_of_any_name(folder: str, wheels: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / folder, wheels)
    assert project.setup().returncode == 0
    assert subprocess.check_output([str(project.venv / "bin/made-up")], text=True) == "1.0\n"


def test_folder_that_cannot_hold_an_environment_is_reported_in_one_line(
    wheels: Path, tmp_path: Path
) -> None:
    done = Project(tmp_path / "with:colon", wheels).setup()
    assert done.returncode == 1
    assert "contains the PATH separator :" in one_error(done)


def test_incomplete_environment_is_recreated(project: Project) -> None:
    project.setup()
    (project.venv / "setup.json").unlink()
    assert_is_recreated(project, "it is incomplete")


def test_environment_without_interpreter_is_recreated(project: Project) -> None:
    project.setup()
    (project.venv / "bin/python").unlink()
    assert_is_recreated(project, f"its Python {PYTHON} is now missing")


def test_environment_whose_interpreter_was_upgraded_is_recreated(project: Project) -> None:
    project.setup()
    change_record(project, python="3.10")
    assert_is_recreated(project, f"its Python 3.10 is now {PYTHON}")


def test_moved_environment_is_recreated(project: Project) -> None:
    project.setup()
    change_record(project, folder="/elsewhere/.venv")
    assert_is_recreated(project, "it was created in /elsewhere/.venv")


def test_environment_of_another_python_is_recreated_only_on_request(project: Project) -> None:
    project.setup()
    other = find_other_python()
    assert project.setup(python=other).stderr == ""
    replaced = project.setup("--exact", python=other)
    assert replaced.stderr.startswith(f"Recreating .venv, because it has Python {PYTHON}.\n")
    assert json.loads((project.venv / "setup.json").read_text())["python"] != PYTHON


def test_two_setups_at_once_install_once(project: Project) -> None:
    both = [
        subprocess.Popen(
            project.command(), cwd=project.folder, env=project.environ(), stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    errors = sorted(process.communicate()[1].decode() for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert errors == ["", INSTALLING]


def test_user_option_in_pip_configuration_does_not_stop_the_setup(project: Project) -> None:
    done = project.setup(PIP_USER="1")
    assert (done.returncode, project.installed()) == (0, "1.0")


def test_missing_wheel_is_reported_in_one_line(project: Project, tmp_path: Path) -> None:
    done = project.setup(PIP_FIND_LINKS=str(tmp_path))
    assert done.returncode == 1
    assert one_error(done).startswith(
        f"error: can't download pip=={distribution('pip').version}: the package index doesn't "
        "offer it. Check the network and pip's configuration"
    )


def test_unreachable_index_is_reported_in_one_line(project: Project) -> None:
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))  # does not listen
        index = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        done = project.setup(PIP_NO_INDEX="0", PIP_INDEX_URL=index, PIP_FIND_LINKS="")
    assert done.returncode == 1
    assert "Failed to establish a new connection: [Errno 111] Connection refused. " in one_error(
        done
    )


def test_wrong_hash_is_reported_in_one_line(project: Project) -> None:
    project.lock.write_text(project.lock.read_text().replace("sha256:", "sha256:0", 1))
    done = project.setup()
    assert done.returncode == 1
    assert "hash" in one_error(done).lower()


def test_full_disk_is_reported_in_one_line(wheels: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "small", "size=2m") as small:
        done = Project(small / "project", wheels).setup()
    assert done.returncode == 1
    assert "No space left on device" in one_error(done)


def test_file_in_place_of_the_folder_is_reported_in_one_line(project: Project) -> None:
    project.venv.write_text("not a folder")
    done = project.setup()
    assert done.returncode == 1
    assert "Not a directory" in one_error(done)
    assert project.venv.read_text() == "not a folder"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_setup_ends_without_traceback_and_is_repeated(
    project: Project, number: int
) -> None:
    """The signal arrives while pip waits for the package index, which never responds."""
    with closing(socket.create_server(("127.0.0.1", 0))) as index:
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        process = subprocess.Popen(
            project.command(),
            cwd=project.folder,
            env=project.environ(PIP_NO_INDEX="0", PIP_INDEX_URL=url, PIP_TIMEOUT="600"),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        index.settimeout(120)
        with closing(index.accept()[0]):
            os.killpg(process.pid, number)
            _, error = process.communicate()
    assert (process.returncode, error) == (
        130,
        "\nInterrupted. The next command sets up the environment again.\n",
    )
    assert_is_recreated(project, "it is incomplete")


def test_terminal_shows_one_progress_bar(project: Project) -> None:
    controller, terminal = pty.openpty()
    subprocess.run(
        project.command(), cwd=project.folder, env=project.environ(), stderr=terminal, check=True
    )
    os.close(terminal)
    shown = "".join(read_all(controller))
    assert shown.startswith(INSTALLING.replace("\n", "\r\n"))
    assert f"  {'#' * 15}{'.' * 15} 1 of 2\r  {'#' * 30} 2 of 2\r" in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10"])
def test_older_python_is_rejected_in_one_line(project: Project, version: str) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    done = project.setup(python=python)
    assert done.returncode == 1
    assert one_error(done).startswith(
        f"error: Python 3.11 or newer is required, this is {version}."
    )


def assert_is_recreated(project: Project, reason: str) -> None:
    stray = project.venv / "stray"
    stray.touch()
    done = project.setup()
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"Recreating .venv, because {reason}.\n{INSTALLING}"
    assert (project.installed(), stray.exists()) == ("1.0", False)


def change_record(project: Project, **values: str) -> None:
    record = project.venv / "setup.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | values))


def one_error(done: subprocess.CompletedProcess[str]) -> str:
    """Return the error, which is the last line; only the line about installing may precede it."""
    *before, error = done.stderr.splitlines()
    assert before in ([], [INSTALLING.strip()])
    assert done.stdout == ""
    return error


def find_python(version: str) -> str | None:
    """Return a program of this version: from PATH, or from pyenv, whose shims may not work."""
    candidates = [shutil.which(f"python{version}")]
    candidates += map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return next((python for python in candidates if python and runs(python)), None)


def runs(python: str) -> bool:
    return subprocess.run([python, "-V"], capture_output=True, check=False).returncode == 0


def find_other_python() -> str:
    for version in ("3.11", "3.12", "3.13", "3.14"):
        if version != PYTHON and (python := find_python(version)):
            return python
    pytest.skip("no other supported Python is installed")


def read_all(controller: int) -> Iterator[str]:
    while True:
        try:
            data = os.read(controller, 1024)
        except OSError:  # the terminal's other side is closed
            return
        yield data.decode()
