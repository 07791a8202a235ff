"""Each admitted caller has a key in the usage plan, which the authorizer names."""

from dataclasses import replace

import pytest

from chalicelib.tokens.authorizer import usage_key
from infrastructure import callers
from infrastructure.failures import Failure
from infrastructure.run import Run
from infrastructure.stages import STAGES
from tests.infrastructure.stubbed import Aws

PROD = replace(STAGES["prod"], limit_by="caller")
SUBJECT = "crm-sync@clients"
VALUE = usage_key("prod", SUBJECT)
NAME = f"customers-prod-{VALUE[:16]}"
FOUND = {"items": [{"id": "k1", "name": NAME}]}
IN_THE_PLAN = {"usagePlanId": "p1", "keyId": "k1", "keyType": "API_KEY"}


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(aws: Aws, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(Run, "outputs", lambda *_: {"UsagePlanId": "p1"})
    return Run(aws, PROD, caller=SUBJECT, say=said.append)


def test_key_is_the_one_that_the_authorizer_returns(aws: Aws, run: Run, said: list[str]) -> None:
    aws.says("apigateway", "get_api_keys", {"items": []}, {"nameQuery": NAME})
    created = {
        "name": NAME,
        "description": SUBJECT,
        "value": VALUE,
        "enabled": True,
        "tags": {"project": "customers", "stage": "prod"},
    }
    aws.says("apigateway", "create_api_key", {"id": "k1"}, created)
    aws.says("apigateway", "create_usage_plan_key", {}, IN_THE_PLAN)

    callers.admit(run)

    aws.check_all_were_called()
    assert said == ["admitted; the access log names this caller as k1"]


def test_caller_is_admitted_again(aws: Aws, run: Run) -> None:
    """Also after the stage was created again: the key outlives the plan."""
    aws.says("apigateway", "get_api_keys", FOUND)
    aws.says("apigateway", "update_api_key", {}, _enabled("true"))
    aws.denies("apigateway", "create_usage_plan_key", "ConflictException")

    callers.admit(run)

    aws.check_all_were_called()


def test_other_errors_are_not_hidden(aws: Aws, run: Run) -> None:
    aws.says("apigateway", "get_api_keys", FOUND)
    aws.says("apigateway", "update_api_key", {})
    aws.denies("apigateway", "create_usage_plan_key", "LimitExceededException")

    with pytest.raises(Exception, match="LimitExceededException"):
        callers.admit(run)


def test_caller_is_blocked(aws: Aws, run: Run) -> None:
    aws.says("apigateway", "get_api_keys", FOUND)
    aws.says("apigateway", "update_api_key", {}, _enabled("false"))

    callers.block(run)

    aws.check_all_were_called()


def test_unknown_caller_can_not_be_blocked(aws: Aws, run: Run) -> None:
    aws.says("apigateway", "get_api_keys", {"items": []})

    with pytest.raises(Failure, match="prod has not admitted this caller"):
        callers.block(run)


def test_callers_can_be_admitted_before_the_stage_requires_it(
    aws: Aws, run: Run, said: list[str]
) -> None:
    aws.says("apigateway", "get_api_keys", FOUND)
    aws.says("apigateway", "update_api_key", {})
    aws.says("apigateway", "create_usage_plan_key", {})

    callers.admit(replace(run, stage=STAGES["prod"]))

    assert 'until prod is deployed with limit_by="caller"' in said[-1]


@pytest.mark.parametrize(
    ("stage", "subject"), [("dev", SUBJECT), ("prod", "other"), ("pro", "d/a")]
)
def test_keys_differ_by_stage_and_subject(stage: str, subject: str) -> None:
    """AWS requires unique values of 20 to 128 letters and digits in an account and region."""
    other = usage_key(stage, subject)
    assert other != VALUE
    assert other.isalnum()
    assert 20 <= len(other) <= 128


def _enabled(value: str) -> dict[str, object]:
    patch = [{"op": "replace", "path": "/enabled", "value": value}]
    return {"apiKey": "k1", "patchOperations": patch}
