"""The Python client: its generated part is current, and it works over the real gateway."""

import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from customers_client import Customers
from customers_client.__main__ import main

from openapi.client import GENERATED, generate
from tests.clients.test_client import add_visit
from tests.service import Service


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.py")
    }


def test_generated_part_is_current(tmp_path: Path) -> None:
    """If this fails, run `make client`."""
    generate(tmp_path / "generated")
    assert _files(tmp_path / "generated") == _files(GENERATED)


def test_client_and_command_work_over_the_gateway(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = uuid.uuid4().hex
    table = tmp_path / "new.csv"
    rows = [f"{mark}.{number}@example.com,{mark}" for number in range(150)]
    table.write_text("\n".join(["email,company_name", *rows, rows[0].upper()]))
    monkeypatch.setenv("BASE_URL", service.url)
    monkeypatch.setenv("TOKEN", service.token)
    monkeypatch.setattr(sys, "argv", ["customers", "import", str(table)])

    assert main() == 1

    with Customers(service.url, service.token) as client:
        found = list(client.list(q=mark))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: client.update(found[0].id, add_visit), range(8)))
            updated = client.get(found[0].id)
            list(pool.map(lambda customer: client.erase(customer.id), found))
    assert len(found) == 150
    assert updated.metadata["visits"] == "8"
    (rejected,) = (tmp_path / "new.rejected.csv").read_text().splitlines()[1:]
    assert "email" in rejected
