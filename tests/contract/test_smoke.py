"""The smoke test runs a customer's lifecycle on the service and leaves no customers behind."""

from typing import Any

import pytest

from infrastructure import smoke
from infrastructure.failures import Failure
from tests.service import Service


def customers(service: Service) -> Any:
    return service.get("/customers").json()["items"]


def test_smoke_test_runs_a_customers_lifecycle(service: Service) -> None:
    before = customers(service)
    said: list[str] = []
    smoke.run(service.url, service.token, said.append)

    assert len(said) == 12
    assert all(" ms  " in line for line in said)
    assert customers(service) == before


def test_failed_step_leaves_no_customer(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    before = customers(service)
    monkeypatch.setattr(smoke, "MERGE_PATCH", "text/plain")
    said: list[str] = []
    with pytest.raises(Failure, match=r"PATCH .*: status 415 instead of 200\..*Request-Id: "):
        smoke.run(service.url, service.token, said.append)

    assert said[-1] == "  failed  change"
    assert customers(service) == before


def test_unreachable_service_is_an_error() -> None:
    with pytest.raises(Failure, match="returned no response: ConnectionError"):
        smoke.run("http://127.0.0.1:1", "token", print)
