"""Dependabot and `make lock` update every file that pins dependencies."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
IGNORED = {"node_modules", "out", "vendor", "artifacts"}
UPDATES = {
    update["package-ecosystem"]: update
    for update in yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
}


def _find(pattern: str) -> Iterator[Path]:
    """Yield the files of the repository that match, without installed and hidden ones."""
    for path in ROOT.rglob(pattern):
        relative = path.relative_to(ROOT)
        is_hidden = any(part.startswith(".") for part in relative.parts)
        if not is_hidden and IGNORED.isdisjoint(relative.parts):
            yield relative


def test_dependabot_updates_every_npm_folder() -> None:
    folders = {f"/{path.parent.as_posix()}" for path in _find("package.json")}

    assert set(UPDATES["npm"]["directories"]) == folders


def test_dependabot_updates_actions() -> None:
    assert UPDATES["github-actions"]["directory"] == "/"


def test_dependabot_leaves_python_to_make_lock() -> None:
    assert set(UPDATES) == {"npm", "github-actions"}


def test_make_lock_writes_every_lock_file() -> None:
    outputs = re.findall(r"--output-file (\S+)", (ROOT / "Makefile").read_text())
    lock_files = {
        path.as_posix() for path in _find("*.txt") if "--hash=sha256:" in (ROOT / path).read_text()
    }

    assert set(outputs) == lock_files


def test_updates_wait_for_the_same_number_of_days() -> None:
    weekly = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text())
    [locking] = [
        step for step in weekly["jobs"]["update"]["steps"] if "lock" in step.get("run", "")
    ]

    assert locking["env"] == {"UV_EXCLUDE_NEWER": "7 days"}
    for update in UPDATES.values():
        assert update["cooldown"] == {"default-days": 7}
        assert update["schedule"] == {"interval": "weekly"}
