"""Linters find only the listed exceptions in the API's template, before and after SAM's transform.

cfn-lint detects cycles and wrong GetAtts only after the transform, misspelt properties only before.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import cast

import pytest

from infrastructure import packaging, stage_files
from infrastructure.config import read_config
from infrastructure.stages import CONFIG, STAGES, Domain, Stage
from tests.contract.translated import translate
from tests.infrastructure.pipeline import ADDED
from tests.infrastructure.plan import Plan

ROOT = Path(__file__).parents[2]
CFN_LINT = Path(sys.executable).parent / "cfn-lint"
CHECKOV = ROOT / ".venv" / "audit" / "bin" / "checkov"  # needs older versions of our packages
REGIONS = ["eu-west-1", "us-east-1"]

CFN_LINT_EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "sam.json": {},
    "translated.json": {
        "W2001": "SAM's transform has already used the parameter Release in the names of versions",
        "W1020": "SAM generates the Sub, for the names of CodeDeploy's configurations",
    },
}
CHECKOV_EXCEPTIONS: Mapping[str, str] = {
    "CKV_AWS_116": "no client waits for the result, and the schedule's event has no data",
    "CKV_AWS_117": "functions reach the Data API over TLS with IAM; a VPC would need endpoints."
    " With the backend mysql, only the functions that use no database are outside",
    "CKV_AWS_120": "a cached customer may be stale, and public responses depend on Origin",
    "CKV_AWS_173": "roles that can read a function's configuration can also read the cursor key",
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaged(STAGES["prod"], tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def with_options(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stage = replace(
        STAGES["prod"],
        snap_start=True,
        limit_by="caller",
        domain=Domain("api.example.com", base_path="crm"),
        backend="mysql",
    )
    return packaged(stage, tmp_path_factory.mktemp("options"))


def packaged(stage: Stage, out: Path) -> Path:
    """Return a directory with the packaged template and the template that SAM translates."""
    packaging.build(stage, out)
    (out / "translated.json").write_text(json.dumps(translate(out / "sam.json"), indent=1))
    return out


def lint(template: Path) -> set[str]:
    """Return the rules that the template violates according to cfn-lint."""
    command = [str(CFN_LINT), "--format", "parseable", "--include-checks", "I"]
    command += ["--regions", *REGIONS, "--template", str(template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    return {line.split(":")[5] for line in done.stdout.splitlines()}


def check(template: Path) -> dict[str, set[str]]:
    """Return the resources that fail checkov, by check."""
    command = [str(CHECKOV), "--framework", "cloudformation", "--skip-download", "--quiet"]
    command += ["--output", "json", "--file", template.name]
    done = subprocess.run(command, cwd=template.parent, capture_output=True, text=True, check=False)
    found: dict[str, set[str]] = {}
    for failed_check in json.loads(done.stdout)["results"]["failed_checks"]:
        found.setdefault(failed_check["check_id"], set()).add(failed_check["resource"])
    return found


@pytest.mark.parametrize("name", CFN_LINT_EXCEPTIONS)
def test_cfn_lint_finds_only_exceptions(templates: Path, name: str) -> None:
    assert lint(templates / name) == CFN_LINT_EXCEPTIONS[name].keys()


@pytest.mark.parametrize("name", CFN_LINT_EXCEPTIONS)
def test_cfn_lint_finds_only_exceptions_with_options(with_options: Path, name: str) -> None:
    assert lint(with_options / name) == CFN_LINT_EXCEPTIONS[name].keys()


def test_domain_is_mapped_after_the_stage_and_is_the_only_address(with_options: Path) -> None:
    resources = json.loads((with_options / "translated.json").read_text())["Resources"]
    body = resources["RestAPI"]["Properties"]["Body"]
    (stage,) = [key for key in resources if resources[key]["Type"] == "AWS::ApiGateway::Stage"]

    assert resources["BasePathMapping"]["Properties"]["Stage"] == {"Ref": stage}
    endpoint = body["x-amazon-apigateway-endpoint-configuration"]
    assert endpoint["disableExecuteApiEndpoint"] is True
    assert body["x-amazon-apigateway-api-key-source"] == "AUTHORIZER"


def test_cfn_lint_finds_only_exceptions_with_an_added_stage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(cast("dict[str, Stage]", STAGES), ADDED.name, ADDED)
    copied = copytree(CONFIG.parent, tmp_path / ".chalice") / CONFIG.name
    monkeypatch.setattr(stage_files, "CONFIG", copied)
    stage_files.main()
    sam = tmp_path / "sam.json"
    sam.write_text(json.dumps(Plan(read_config(copied), ADDED, tmp_path).document))

    assert lint(sam) == set()


def test_checkov_finds_only_exceptions(templates: Path) -> None:
    assert check(templates / "translated.json").keys() == CHECKOV_EXCEPTIONS.keys()


def test_linters_detect_faults(templates: Path) -> None:
    template = json.loads((templates / "translated.json").read_text())
    resources = template["Resources"]
    resources["APIHandler"]["Properties"]["MemorySise"] = 512
    resources["ApiHandlerRole"]["Properties"]["Description"] = {"Ref": "APIHandler"}
    del resources["RestAPIprodStage"]["Properties"]["AccessLogSetting"]
    faulty = templates / "faulty.json"
    faulty.write_text(json.dumps(template))

    assert {"E3002", "E3004"} <= lint(faulty)
    assert "CKV_AWS_76" in check(faulty)
