"""GitHub's workflows: the commands of the Makefile, with the least privileges that they need."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.utils import NormalizedName, canonicalize_name

from local import bootstrap
from tests.lockfiles import pins

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# YAML 1.1 reads the key `on` as true.
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in PATHS}
PINNED = re.compile(
    r"uses: (?P<action>[\w-]+/[\w-]+)(?:/[\w-]+)?@(?P<digest>[0-9a-f]{40}) # v\d+\.\d+\.\d+$"
)
FROM_FILE = {"python-version-file": ".python-version"}
FROM_MATRIX = {"python-version": "${{ matrix.python }}"}
READS = {"contents": "read"}
DEPLOYS = {"contents": "read", "id-token": "write"}
# Jobs that may do more than to read the repository.
PERMISSIONS = {
    ("deploy.yml", "deploy"): DEPLOYS,
    ("audit.yml", "report"): {"contents": "read", "issues": "write"},
    ("codeql.yml", "analyze"): {
        "actions": "read",
        "contents": "read",
        "security-events": "write",
    },
    ("main.yml", "dev"): DEPLOYS,
    ("main.yml", "staging"): DEPLOYS,
    ("main.yml", "prod"): DEPLOYS,
    ("stage.yml", "deploy"): DEPLOYS,
    ("release.yml", "release"): {
        "attestations": "write",
        "contents": "write",
        "id-token": "write",
    },
    ("scorecard.yml", "scorecard"): {
        "actions": "read",
        "contents": "read",
        "id-token": "write",
        "security-events": "write",
    },
    ("weekly.yml", "update"): {"actions": "write", "contents": "write", "pull-requests": "write"},
    ("weekly.yml", "report"): {"contents": "read", "issues": "write"},
}
ATTEST = "actions/attest-build-provenance"
each_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def _jobs(name: str) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = WORKFLOWS[name]["jobs"]
    return jobs


def _steps(name: str) -> Iterator[dict[str, Any]]:
    for job in _jobs(name).values():
        yield from job.get("steps", [])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    """Tags can move to other code, digests can't."""
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

    assert len(found) == len({action for action, _ in found}) == 6


@each_workflow
def test_jobs_have_the_least_privileges(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    for job_name, job in _jobs(name).items():
        assert job["permissions"] == PERMISSIONS.get((name, job_name), READS)


def test_python_version_has_one_home() -> None:
    """Either `.python-version`, or the matrix of all supported versions."""
    for name in WORKFLOWS:
        for job in _jobs(name).values():
            for step in job.get("steps", []):
                if "actions/setup-python@" in step.get("uses", ""):
                    is_matrix = "python" in job.get("strategy", {}).get("matrix", {})
                    assert step["with"] == (FROM_MATRIX if is_matrix else FROM_FILE)


def test_matrix_has_every_supported_python() -> None:
    strategy = _jobs("checks.yml")["test"]["strategy"]
    versions = strategy["matrix"]["python"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = int(versions[0].removeprefix("3."))

    assert project["requires-python"] == f">={versions[0]}"
    assert versions == [f"3.{minor}" for minor in range(oldest, oldest + len(versions))]
    assert (ROOT / ".python-version").read_text().strip() in versions
    assert strategy["fail-fast"] is False


def test_lock_files_are_compiled_for_the_oldest_python() -> None:
    oldest = _jobs("checks.yml")["test"]["strategy"]["matrix"]["python"][0]

    assert re.search(rf"(?m)^OLDEST := {re.escape(oldest)}$", (ROOT / "Makefile").read_text())


@each_workflow
def test_untrusted_input_is_not_run(name: str) -> None:
    """Neither with secrets (pull_request_target), nor as a part of a command."""
    assert "pull_request_target" not in WORKFLOWS[name][True]
    for step in _steps(name):
        assert "${{" not in step.get("run", "")


@each_workflow
def test_checkout_leaves_no_credentials(name: str) -> None:
    for step in _steps(name):
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_jobs_have_a_timeout(name: str) -> None:
    for job in _jobs(name).values():
        assert "uses" in job or job["timeout-minutes"] <= 110


def test_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile))
    commands = "\n".join(step.get("run", "") for name in WORKFLOWS for step in _steps(name))
    used = set(re.findall(r"(?<![\w-])make (?:--silent )?([a-z]+)", commands))

    assert used >= {"check", "test", "contract", "openapi", "audit", "lock"}
    assert used <= targets
    assert set(_jobs("weekly.yml")["newest"]["strategy"]["matrix"]["target"]) <= targets


@pytest.mark.parametrize("name", ["audit.yml", "weekly.yml"])
def test_scheduled_failures_are_reported(name: str) -> None:
    jobs = dict(_jobs(name))
    report = jobs.pop("report")

    assert "schedule" in WORKFLOWS[name][True]
    assert {"TITLE", "BODY", "RUN_URL"} <= report["steps"][-1]["env"].keys()
    assert report["needs"] == list(jobs)
    assert report["if"].startswith("always()")
    assert re.findall(r"needs\.\*\.result, '(\w+)'", report["if"]) == ["failure", "cancelled"]


def test_weekly_releases_are_tested_without_a_token() -> None:
    """Code of this week's releases may be malicious."""
    assert "token" not in str(_jobs("weekly.yml")["newest"])
    update = [step for step in _jobs("weekly.yml")["update"]["steps"] if "run" in step]
    assert [step["run"] for step in update if "token" in str(step)] == [".github/propose.sh"]


def test_locked_releases_are_audited_daily() -> None:
    """A vulnerability may become known long after the pull request that locked the release."""
    [schedule] = WORKFLOWS["audit.yml"][True]["schedule"]

    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])
    assert [step["run"] for step in _jobs("audit.yml")["audit"]["steps"] if "run" in step] == [
        "make audit"
    ]


def test_release_has_an_attested_sbom_of_the_deployed_package() -> None:
    steps = _jobs("release.yml")["release"]["steps"]
    order = [step.get("run") or step["uses"].partition("@")[0] for step in steps]
    [attested] = [step["with"] for step in steps if "attest-build-provenance" in str(step)]

    build, attest = order.index("make sbom STAGE=prod"), order.index(ATTEST)
    assert build < attest < len(order) - 1
    assert attested["subject-path"] == "out/prod/*"
    assert order[-1].startswith("gh release create")
    assert order[-1].endswith("out/prod/*")
    assert WORKFLOWS["release.yml"][True] == {"push": {"tags": ["v*"]}}


def test_stages_are_deployed_in_order() -> None:
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


def test_any_stage_can_be_deployed_by_hand_after_the_checks() -> None:
    jobs = _jobs("stage.yml")

    assert WORKFLOWS["stage.yml"][True].keys() == {"workflow_dispatch"}
    assert jobs["deploy"]["needs"] == "checks"
    assert jobs["deploy"] | {"needs": "", "with": ""} == (
        _jobs("main.yml")["dev"] | {"needs": "", "with": ""}
    )
    assert jobs["deploy"]["with"] == {"stage": "${{ inputs.stage }}"}


@pytest.mark.parametrize("name", ["main.yml", "stage.yml"])
def test_deployments_run_one_at_a_time(name: str) -> None:
    assert WORKFLOWS[name]["concurrency"] == {"group": "main", "cancel-in-progress": False}


def test_migrations_run_before_the_code() -> None:
    commands = [
        step["run"] for step in _steps("deploy.yml") if "infrastructure" in step.get("run", "")
    ]
    order = [
        re.findall(r"-m infrastructure (\w+) --stage \"\$STAGE\"", each)[0] for each in commands
    ]

    assert order == ["provision", "migrate", "deploy", "smoke", "finish", "rollback"]


def test_data_steps_are_completed_after_the_tests_only() -> None:
    """Until then, a rollback may let the previous code write rows again."""
    names = [step.get("id") or step.get("run", "") for step in _steps("deploy.yml")]
    [finish] = [step for step in _steps("deploy.yml") if " finish " in step.get("run", "")]

    assert names.index("e2e") + 1 == names.index(finish["run"])
    assert "if" not in finish  # not after a failure


def test_load_test_on_staging_precedes_prod() -> None:
    [loaded] = [step for step in _steps("deploy.yml") if "load.traffic" in step.get("run", "")]

    assert loaded["if"] == "inputs.stage == 'staging'"
    assert loaded["id"] == "e2e"  # a failure rolls back
    assert loaded["run"].index("tests/e2e") < loaded["run"].index("load.traffic")


def test_deployment_installs_wheels_of_its_own_lock_file() -> None:
    """A source distribution runs code while it is installed, and `make` would install all tools."""
    commands = [step["run"] for step in _steps("deploy.yml") if "run" in step]
    targets = [target for command in commands for target in re.findall(r"\bmake\b", command)]

    assert commands[0] == "python3 local/bootstrap.py requirements/deploy.txt .venv"
    assert {"--require-hashes", "--only-binary=:all:"} <= set(bootstrap.PIP_INSTALL)
    assert targets == []


# Imports modules while none of the hidden ones can be found.
IMPORT = """
import importlib, sys
hidden, names = sys.argv[1].split(","), sys.argv[2:]
sys.modules.update(dict.fromkeys(hidden))
for name in names:
    importlib.import_module(name)
"""
PROGRAMS = ("infrastructure.__main__", "load.traffic.__main__", "tests.e2e.conftest", "pytest")


def _hide_all_but(pinned: set[NormalizedName]) -> subprocess.CompletedProcess[str]:
    """Import the deployment's programs in an environment that seems to have only these packages."""
    hidden = [
        module
        for module, providers in packages_distributions().items()
        if not pinned & {canonicalize_name(name) for name in providers}
    ]
    command = [sys.executable, "-c", IMPORT, ",".join(hidden), *PROGRAMS]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.exhaustive
def test_deployments_lock_file_has_everything_that_its_commands_import() -> None:
    pinned = {canonicalize_name(pin.name) for pin in pins(ROOT / "requirements" / "deploy.txt")}

    assert _hide_all_but(pinned).stderr == ""
    assert "import of tqdm halted" in _hide_all_but(pinned - {"tqdm"}).stderr


def test_failed_tests_roll_back() -> None:
    *_, last = _steps("deploy.yml")
    ids = {step["id"] for step in _steps("deploy.yml") if "id" in step}

    assert "rollback" in last["run"]
    assert set(re.findall(r"steps\.(\w+)\.outcome", last["if"])) == ids == {"smoke", "e2e"}
