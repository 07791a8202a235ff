"""What GitHub runs: the same commands as on a laptop, with no more rights than they need."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# YAML 1.1 reads the key `on` as true.
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in PATHS}
PINNED = re.compile(r"uses: (?P<action>[\w-]+/[\w-]+)@(?P<digest>[0-9a-f]{40}) # v\d+\.\d+\.\d+$")
WRITING = {"write", "write-all"}

each_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def _jobs(name: str) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = WORKFLOWS[name]["jobs"]
    return jobs


def _steps(name: str) -> Iterator[dict[str, Any]]:
    for job in _jobs(name).values():
        yield from job.get("steps", [])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    """A tag can be moved to other code; a digest can't."""
    for line in path.read_text().splitlines():
        if "uses:" in line and "./.github/" not in line:
            assert PINNED.search(line), line
        if "image:" in line:
            assert re.search(r"@sha256:[0-9a-f]{64}$", line), line


def test_an_action_has_one_digest() -> None:
    text = "\n".join(path.read_text() for path in PATHS)
    found = {
        (each["action"], each["digest"]) for each in re.finditer(f"(?m){PINNED.pattern}", text)
    }

    assert len(found) == len({action for action, _ in found}) == 3


@each_workflow
def test_jobs_have_the_rights_they_need(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    for job in _jobs(name).values():
        rights = dict(job["permissions"])
        is_deploying = "deploy.yml" in (name, str(job.get("uses", "")).rpartition("/")[2])
        assert rights.pop("id-token", None) == ("write" if is_deploying else None)
        assert rights == {"contents": "read"}


@each_workflow
def test_nothing_is_run_that_others_wrote(name: str) -> None:
    """Neither with our secrets (pull_request_target), nor as a part of a command."""
    assert "pull_request_target" not in WORKFLOWS[name][True]
    for step in _steps(name):
        assert "${{" not in step.get("run", "")


@each_workflow
def test_checkout_leaves_no_credentials(name: str) -> None:
    for step in _steps(name):
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_jobs_end(name: str) -> None:
    for job in _jobs(name).values():
        assert "uses" in job or job["timeout-minutes"] <= 110


def test_commands_are_the_makefiles() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile))
    commands = "\n".join(step.get("run", "") for name in WORKFLOWS for step in _steps(name))
    used = set(re.findall(r"(?<![\w-])make (?:--silent )?([a-z]+)", commands))

    assert used >= {"check", "test", "contract", "openapi", "audit"}
    assert used <= targets


def test_stages_follow_each_other() -> None:
    jobs = _jobs("main.yml")

    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "checks": None,
        "dev": "checks",
        "staging": "dev",
        "prod": "staging",
    }
    for stage in ("dev", "staging", "prod"):
        assert jobs[stage]["with"] == {"stage": stage}
    assert WORKFLOWS["main.yml"][True] == {"push": {"branches": ["main"]}}


def test_deployments_do_not_overtake_each_other() -> None:
    assert WORKFLOWS["main.yml"]["concurrency"] == {"group": "main", "cancel-in-progress": False}


def test_migrations_run_before_the_code() -> None:
    commands = [
        step["run"] for step in _steps("deploy.yml") if "infrastructure" in step.get("run", "")
    ]
    order = [
        re.findall(r"-m infrastructure (\w+) --stage \"\$STAGE\"", each)[0] for each in commands
    ]

    assert order == ["provision", "migrate", "deploy", "smoke", "rollback"]


def test_staging_is_under_load_before_prod() -> None:
    [loaded] = [step for step in _steps("deploy.yml") if "make load" in step.get("run", "")]

    assert loaded["if"] == "inputs.stage == 'staging'"
    assert loaded["id"] == "e2e"  # so that it is taken back, if it does not hold
    assert loaded["run"].index("pytest tests/e2e") < loaded["run"].index("make load")


def test_what_fails_its_tests_is_taken_back() -> None:
    *_, last = _steps("deploy.yml")
    ids = {step["id"] for step in _steps("deploy.yml") if "id" in step}

    assert "rollback" in last["run"]
    assert set(re.findall(r"steps\.(\w+)\.outcome", last["if"])) == ids == {"smoke", "e2e"}
