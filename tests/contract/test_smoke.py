"""The smoke test lives a customer's life against the running service, and leaves nothing."""

from typing import Any

import pytest

from infrastructure import smoke
from infrastructure.failures import Failure
from tests.service import Service


def left(service: Service) -> Any:
    return service.get("/customers").json()["items"]


def test_whole_life(service: Service) -> None:
    before = left(service)
    said: list[str] = []
    smoke.run(service.url, service.token, said.append)

    assert len(said) == 11
    assert all(" ms  " in line for line in said)
    assert left(service) == before


def test_nothing_is_left_when_a_step_fails(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = left(service)
    monkeypatch.setattr(smoke, "MERGE_PATCH", "text/plain")
    said: list[str] = []
    with pytest.raises(Failure, match=r"PATCH .*: status 415 instead of 200\..*Request-Id: "):
        smoke.run(service.url, service.token, said.append)

    assert said[-1] == "  failed  change"
    assert left(service) == before


def test_service_that_does_not_answer() -> None:
    with pytest.raises(Failure, match="returned no response: ConnectionError"):
        smoke.run("http://127.0.0.1:1", "token", print)
