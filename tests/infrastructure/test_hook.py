"""What CodeDeploy asks of a new version, asked of the app itself."""

from collections.abc import Iterator
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import pytest

import app
from infrastructure import deployment
from infrastructure.hook import handler
from infrastructure.stages import STAGES
from tests.api import Api

CONTEXT = SimpleNamespace(aws_request_id="deployment")
LONGEST_INLINE = 4_096  # characters, of a function's code in a template


def invoke(request: dict[str, Any]) -> Any:
    return app.app(request, CONTEXT)


@pytest.mark.usefixtures("api")
def test_version_that_works_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert handler.works(invoke, pause=0)
    assert capsys.readouterr().out.count('"message": "check"') == len(handler.CHECKS)


def test_version_without_a_database_does_not(broken_api: Api) -> None:
    assert broken_api
    assert not handler.works(invoke, pause=0)


def test_version_that_crashes_does_not() -> None:
    def crash(_: dict[str, Any]) -> dict[str, Any]:
        return {"errorType": "ImportModuleError", "errorMessage": "No module named 'app'"}

    def fail(_: dict[str, Any]) -> dict[str, Any]:
        raise ConnectionError

    assert not handler.works(crash, pause=0)
    assert not handler.works(fail, pause=0)


@pytest.mark.usefixtures("api")
def test_database_that_wakes_up_is_waited_for() -> None:
    asleep: Iterator[bool] = chain([True] * (handler.ATTEMPTS - 1), repeat(False))

    def wake(request: dict[str, Any]) -> Any:
        return {"statusCode": 503} if next(asleep) else invoke(request)

    assert handler.works(wake, pause=0)


def test_hook_fits_the_template_and_the_time_of_its_function() -> None:
    checks = len(handler.CHECKS) * handler.ATTEMPTS

    assert len(deployment.HOOK_CODE.read_text()) <= LONGEST_INLINE
    assert checks * (handler.PAUSE_SECONDS + 28) <= deployment.HOOK_SECONDS
    for stage in STAGES.values():
        # what AWSCodeDeployRoleForLambda lets CodeDeploy invoke
        assert deployment.hook_name(stage).startswith("CodeDeployHook_")
