"""The whole service over the slim client: a customer's life cycle by HTTP, as with `make run`."""

from pathlib import Path

import pytest
import requests

from tests.service import running


@pytest.mark.exhaustive
def test_customer_life_cycle_works_over_the_slim_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_API_CLIENT", "slim")
    with running(tmp_path) as service:
        created = service.create(1)
        path = created.headers["Location"]
        assert created.status_code == 201
        assert service.create(1).status_code == 409
        assert service.get(path).json() == created.json()
        assert [page[0]["id"] for page in service.pages()] == [created.json()["id"]]
        assert service.get("/health?deep=true").status_code == 200
        assert service.delete(path.rsplit("/", 1)[1]).status_code == 204
        assert service.get(path).status_code == requests.codes.not_found
