"""The command line: changed lines, in a real repository."""

import subprocess
from pathlib import Path

import pytest

from tests.mutation import __main__ as main


def _git(folder: Path, *arguments: str) -> None:
    named = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *named, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository whose branch `work` left `main` after its first commit."""
    monkeypatch.setattr(main, "ROOT", tmp_path)
    (tmp_path / "chalicelib").mkdir()
    (tmp_path / "chalicelib" / "a.py").write_text("1\n2\n3\n")
    (tmp_path / "other.py").write_text("1\n")
    _git(tmp_path, "init", "--quiet", "--initial-branch=main")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--message=first")
    _git(tmp_path, "checkout", "--quiet", "-b", "work")
    return tmp_path


def test_lines_changed_since_main_are_found(repository: Path) -> None:
    (repository / "chalicelib" / "a.py").write_text("1\ncommitted\n3\n")
    _git(repository, "commit", "--all", "--message=second")
    (repository / "chalicelib" / "a.py").write_text("1\ncommitted\n3\nuncommitted\n")
    (repository / "other.py").write_text("2\n")

    assert main.changed_lines("main") == {"chalicelib/a.py": {2, 4}}
    assert main.changed_lines("HEAD") == {"chalicelib/a.py": {4}}


@pytest.mark.usefixtures("repository")
def test_unknown_commit_is_reported() -> None:
    with pytest.raises(SystemExit, match="error: git can't compare with nowhere"):
        main.changed_lines("nowhere")
