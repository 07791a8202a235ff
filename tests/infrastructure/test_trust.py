"""A stage's deployment role trusts this repository's deployment workflow on main, and nothing else.

The claims are those of GitHub's tokens: https://docs.github.com/en/actions/reference/security/oidc
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.stages import STAGES
from tests.infrastructure.pipeline import EVERY_STAGE, of_stage

ROOT = Path(__file__).parents[2]
ISSUER = "token.actions.githubusercontent.com"
ROLES = {stage: of_stage(stage).of_type("AWS::IAM::Role")["Deploy"] for stage in EVERY_STAGE}

NAMED = "repo:example/customers"
NUMBERED = "repo:example@123456/customers@456789"
WORKFLOW = "example/customers/.github/workflows/deploy.yml@refs/heads/main"

each_stage = pytest.mark.parametrize("stage", EVERY_STAGE)
each_form = pytest.mark.parametrize("form", [NAMED, NUMBERED])


def claims(stage: str, form: str, **other: str) -> dict[str, str]:
    """Return the claims of the job that deploys a stage, with its subject in one of both forms."""
    own = {
        "aud": "sts.amazonaws.com",
        "sub": f"{form}:environment:{stage}",
        "repository_id": "456789",
        "ref": "refs/heads/main",
        "job_workflow_ref": WORKFLOW,
    }
    return own | other


def trusts(stage: str, presented: Mapping[str, str]) -> bool:
    """Evaluate the role's trust policy as IAM does: every key must have one of its values."""
    (statement,) = ROLES[stage]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Condition"].keys() == {"StringEquals"}, "implement the other operators"
    return all(
        presented.get(key.removeprefix(f"{ISSUER}:")) in _listed(values)
        for key, values in statement["Condition"]["StringEquals"].items()
    )


@each_stage
@each_form
def test_deployment_of_main_is_trusted(stage: str, form: str) -> None:
    assert trusts(stage, claims(stage, form))


REJECTED = {
    "recycled name": {"sub": f"{NAMED}:environment:prod", "repository_id": "999999"},
    "recycled name with ids": {
        "sub": "repo:example@777777/customers@999999:environment:prod",
        "repository_id": "999999",
    },
    "other branch": {"ref": "refs/heads/feature"},
    "tag named like the branch": {"ref": "refs/tags/main"},
    "pull request": {"sub": f"{NAMED}:pull_request", "ref": "refs/pull/1/merge"},
    "fork": {
        "sub": "repo:someone@888888/customers@999999:environment:prod",
        "repository_id": "999999",
        "job_workflow_ref": WORKFLOW.replace("example/", "someone/"),
    },
    "other workflow": {"job_workflow_ref": WORKFLOW.replace("deploy.yml", "weekly.yml")},
    "workflow of another branch": {"job_workflow_ref": WORKFLOW.replace("main", "feature")},
    "workflow of another repository": {"job_workflow_ref": WORKFLOW.replace("example", "someone")},
    "no environment": {"sub": f"{NUMBERED}:ref:refs/heads/main"},
    "other audience": {"aud": "https://github.com/example"},
}


@each_form
@pytest.mark.parametrize("other", REJECTED.values(), ids=REJECTED)
def test_other_claims_are_rejected(form: str, other: dict[str, str]) -> None:
    assert not trusts("prod", claims("prod", form, **other))


@each_form
@pytest.mark.parametrize("name", claims("prod", NAMED))
def test_missing_claim_is_rejected(form: str, name: str) -> None:
    presented = claims("prod", form)
    del presented[name]
    assert not trusts("prod", presented)


@each_stage
@each_form
def test_other_stages_are_rejected(stage: str, form: str) -> None:
    others = EVERY_STAGE.keys() - {stage}
    assert not any(trusts(stage, claims(other, form)) for other in others)


def test_trusted_workflow_is_the_one_that_deploys() -> None:
    main = yaml.safe_load((ROOT / ".github" / "workflows" / "main.yml").read_text())
    called = {main["jobs"][stage]["uses"] for stage in STAGES}
    assert called == {"./" + WORKFLOW.partition("/customers/")[2].partition("@")[0]}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
