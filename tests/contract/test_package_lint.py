"""Linters find nothing in the API's template, before and after SAM's transform, but for reasons.

cfn-lint sees each half: a cycle and a wrong GetAtt only after it, a misspelt property before it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from infrastructure import packaging
from infrastructure.stages import STAGES, Stage
from tests.contract.translated import translate

ROOT = Path(__file__).parents[2]
CFN_LINT = Path(sys.executable).parent / "cfn-lint"
CHECKOV = ROOT / ".venv" / "audit" / "bin" / "checkov"  # which wants older versions of what we use
REGIONS = ["eu-west-1", "us-east-1"]

OF_LINT: Mapping[str, Mapping[str, str]] = {
    "sam.json": {},
    "translated.json": {
        "W2001": "SAM's transform has used the parameter Release, to name versions",
        "W1020": "SAM writes Sub itself, for the names of CodeDeploy's configurations",
    },
}
OF_CHECKOV: Mapping[str, str] = {
    "CKV_AWS_116": "nobody waits for an answer later, and the schedule's event says nothing",
    "CKV_AWS_117": "the Data API is reached over TLS with IAM; a VPC would want endpoints for it",
    "CKV_AWS_120": "a cached customer is a stale one, and what is public depends on Origin",
    "CKV_AWS_173": "who may read a function's configuration may read the key of cursors anyway",
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaged(STAGES["prod"], tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def with_snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stage = replace(STAGES["prod"], snap_start=True)
    return packaged(stage, tmp_path_factory.mktemp("snapshots"))


def packaged(stage: Stage, out: Path) -> Path:
    """Return a directory with the template as it is packaged, and as SAM translates it."""
    packaging.build(stage, out)
    (out / "translated.json").write_text(json.dumps(translate(out / "sam.json"), indent=1))
    return out


def lint(template: Path) -> set[str]:
    """Return the rules that cfn-lint finds broken."""
    command = [str(CFN_LINT), "--format", "parseable", "--include-checks", "I"]
    command += ["--regions", *REGIONS, "--template", str(template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    return {line.split(":")[5] for line in done.stdout.splitlines()}


def check(template: Path) -> dict[str, set[str]]:
    """Return the resources that checkov finds something in, by its checks."""
    command = [str(CHECKOV), "--framework", "cloudformation", "--skip-download", "--quiet"]
    command += ["--output", "json", "--file", template.name]
    done = subprocess.run(command, cwd=template.parent, capture_output=True, text=True, check=False)
    found: dict[str, set[str]] = {}
    for failed_check in json.loads(done.stdout)["results"]["failed_checks"]:
        found.setdefault(failed_check["check_id"], set()).add(failed_check["resource"])
    return found


@pytest.mark.parametrize("name", OF_LINT)
def test_cfn_lint_finds_what_has_a_reason(templates: Path, name: str) -> None:
    assert lint(templates / name) == OF_LINT[name].keys()


@pytest.mark.parametrize("name", OF_LINT)
def test_cfn_lint_finds_no_more_with_snapshots(with_snapshots: Path, name: str) -> None:
    assert lint(with_snapshots / name) == OF_LINT[name].keys()


def test_checkov_finds_what_has_a_reason(templates: Path) -> None:
    assert check(templates / "translated.json").keys() == OF_CHECKOV.keys()


def test_linters_see_faults(templates: Path) -> None:
    template = json.loads((templates / "translated.json").read_text())
    resources = template["Resources"]
    resources["APIHandler"]["Properties"]["MemorySise"] = 512
    resources["ApiHandlerRole"]["Properties"]["Description"] = {"Ref": "APIHandler"}
    del resources["RestAPIprodStage"]["Properties"]["AccessLogSetting"]
    faulty = templates / "faulty.json"
    faulty.write_text(json.dumps(template))

    assert {"E3002", "E3004"} <= lint(faulty)
    assert "CKV_AWS_76" in check(faulty)
