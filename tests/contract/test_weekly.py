"""The scripts of the weekly workflow, with real git and a stub of GitHub's CLI."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / ".github"
GH = """#!{python}
import json, pathlib, sys

folder = pathlib.Path(__file__).parent
with (folder / "calls").open("a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
if sys.argv[2] == "list":
    print((folder / "open").read_text(), end="")
"""
NAMED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


class GitHub:
    """A stub of `gh` that records its calls, beside a remote repository and a clone of it."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.clone, self.remote = folder / "bin", folder / "clone", folder / "remote"
        self.bin.mkdir()
        self.open("")
        program = self.bin / "gh"
        program.write_text(GH.format(python=sys.executable))
        program.chmod(0o755)
        self.environment = {**os.environ, **NAMED, "PATH": f"{self.bin}:{os.environ['PATH']}"}

    def open(self, number: str) -> None:
        """Let `gh ... list` print this number, or nothing."""
        (self.bin / "open").write_text(number)

    def run(self, *command: str | Path, **environment: str) -> str:
        """Return the command's output. Raises CalledProcessError if it fails."""
        return subprocess.run(
            command,
            cwd=self.clone,
            env=self.environment | environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def calls(self) -> list[list[str]]:
        """Return the arguments of the calls of `gh` that change something."""
        path = self.bin / "calls"
        calls = (
            [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        )
        return [call for call in calls if call[1] not in {"list", "setup-git"}]


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    github = GitHub(tmp_path)
    github.clone.mkdir()
    github.run("git", "init", "--quiet", "--bare", "--initial-branch", "main", github.remote)
    github.run("git", "clone", "--quiet", github.remote, github.clone)
    (github.clone / "requirements.txt").write_text("a==1\n")
    github.run("git", "add", "requirements.txt")
    github.run("git", "commit", "--quiet", "--message", "Start")
    github.run("git", "push", "--quiet", "origin", "HEAD")
    return github


def test_unchanged_lock_files_are_not_proposed(github: GitHub) -> None:
    github.run(SCRIPTS / "propose.sh")

    assert github.calls() == []
    assert "update-lock-files" not in github.run("git", "ls-remote", "origin")


def test_changed_lock_files_open_a_pull_request_with_checks(github: GitHub) -> None:
    (github.clone / "requirements.txt").write_text("a==2\n")

    github.run(SCRIPTS / "propose.sh")

    github.run("git", "fetch", "--quiet", "origin")
    assert github.run("git", "show", "origin/update-lock-files:requirements.txt") == "a==2\n"
    assert [call[:4] for call in github.calls()] == [
        ["pr", "create", "--head", "update-lock-files"],
        ["workflow", "run", "checks.yml", "--ref"],
    ]


def test_next_week_updates_the_open_pull_request(github: GitHub) -> None:
    (github.clone / "requirements.txt").write_text("a==2\n")
    github.run(SCRIPTS / "propose.sh")
    github.open("7\n")
    github.run("git", "reset", "--quiet", "--hard", "HEAD~1")
    (github.clone / "requirements.txt").write_text("a==3\n")

    github.run(SCRIPTS / "propose.sh")

    github.run("git", "fetch", "--quiet", "origin")
    assert github.run("git", "show", "origin/update-lock-files:requirements.txt") == "a==3\n"
    new_commits = "origin/main..origin/update-lock-files"
    assert github.run("git", "rev-list", "--count", new_commits) == "1\n"
    assert [call[:2] for call in github.calls()].count(["pr", "create"]) == 1


@pytest.mark.parametrize(("number", "command"), [("", ["create"]), ("12\n", ["comment", "12"])])
def test_failure_is_reported_in_one_issue(github: GitHub, number: str, command: list[str]) -> None:
    github.open(number)

    url = "https://github.example/runs/5"
    github.run(SCRIPTS / "report.sh", TITLE="The weekly run failed", BODY="Look:", RUN_URL=url)

    [call] = github.calls()
    assert call[: 1 + len(command)] == ["issue", *command]
    assert call[-1] == f"Look: {url}"
