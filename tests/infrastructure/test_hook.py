"""CodeDeploy's check of a new version, run against the app itself."""

import io
import json
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

import app
from infrastructure import deployment
from infrastructure.hook import handler
from infrastructure.stages import STAGES

CONTEXT = SimpleNamespace(aws_request_id="deployment")
LONGEST_INLINE = 4_096  # characters, of a function's code in a template


def invoke(request: dict[str, Any]) -> Any:
    return app.app(request, CONTEXT)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("api")
def test_working_version_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert handler.works(invoke, pause=0)
    assert capsys.readouterr().out.count('"message": "check"') == len(handler.CHECKS)


@pytest.mark.usefixtures("broken_api")
def test_version_without_database_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert not handler.works(invoke, pause=0)
    assert '"status": 503' in capsys.readouterr().out


def test_crashing_version_fails() -> None:
    def crash(_: dict[str, Any]) -> dict[str, Any]:
        return {"errorType": "ImportModuleError", "errorMessage": "No module named 'app'"}

    def fail(_: dict[str, Any]) -> dict[str, Any]:
        raise ConnectionError

    assert not handler.works(crash, pause=0)
    assert not handler.works(fail, pause=0)


@pytest.mark.usefixtures("api")
def test_resuming_database_is_awaited() -> None:
    asleep = chain([True] * (handler.ATTEMPTS - 1), repeat(False))

    def wake(request: dict[str, Any]) -> Any:
        return {"statusCode": 503} if next(asleep) else invoke(request)

    assert handler.works(wake, pause=0)


@pytest.mark.parametrize(("status", "said"), [(500, "Failed"), (None, "Succeeded")])
@pytest.mark.usefixtures("api")
def test_result_is_reported_to_codedeploy(
    monkeypatch: pytest.MonkeyPatch, status: int | None, said: str
) -> None:
    """Botocore validates the request against AWS's service model."""
    clients: dict[str, Any] = {
        "lambda": boto3.client("lambda", "eu-west-1"),
        "codedeploy": boto3.client("codedeploy", "eu-west-1"),
    }
    functions, codedeploy = map(Stubber, clients.values())
    for route, parameters, query, _ in handler.CHECKS[: 1 if status else None]:
        request = handler._request(route, parameters, query)
        answer = {"statusCode": status} if status else invoke(request)
        body = json.dumps(answer).encode()
        payload = {"Payload": StreamingBody(io.BytesIO(body), len(body))}
        functions.add_response("invoke", payload, {"FunctionName": "arn:1", "Payload": ANY})
    result = {"deploymentId": "d-1", "lifecycleEventHookExecutionId": "e-1", "status": said}
    codedeploy.add_response("put_lifecycle_event_hook_execution_status", {}, result)
    monkeypatch.setenv("VERSION", "arn:1")
    monkeypatch.setattr(handler, "ATTEMPTS", 1)
    monkeypatch.setattr(boto3, "client", clients.get)

    with functions, codedeploy:
        handler.handle({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}, None)

    functions.assert_no_pending_responses()
    codedeploy.assert_no_pending_responses()


def test_hook_fits_size_and_timeout_limits() -> None:
    checks = len(handler.CHECKS) * handler.ATTEMPTS

    assert len(deployment.HOOK_CODE.read_text()) <= LONGEST_INLINE
    assert checks * (handler.PAUSE_SECONDS + 28) <= deployment.HOOK_SECONDS
    for stage in STAGES.values():
        # what AWSCodeDeployRoleForLambda lets CodeDeploy invoke
        assert deployment.hook_name(stage).startswith("CodeDeployHook_")
