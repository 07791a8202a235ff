"""A client that openapi-python-client generates from the document, with the running API."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest

from openapi import SHOWN
from tests.service import Service

PACKAGE = "generated_client"


class Generated:
    """The generated package: calls its operations by name."""

    def __init__(self, service: Service) -> None:
        client = importlib.import_module(f"{PACKAGE}.client")
        self.models = importlib.import_module(f"{PACKAGE}.models")
        self._client = client.AuthenticatedClient(base_url=service.url, token=service.token)

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._client.__exit__(*error)

    def call(self, operation: str, *arguments: Any, tag: str = "customers", **more: Any) -> Any:
        """Call an operation; return `status_code`, `headers` and the body as a model, `parsed`."""
        module = importlib.import_module(f"{PACKAGE}.api.{tag}.{operation}")
        return module.sync_detailed(*arguments, client=self._client, **more)

    def create(self, **fields: Any) -> Any:
        email = f"{uuid4()}@example.com"
        new = self.models.CustomerCreation(email=email, **{"given_name": "Ada", **fields})
        return self.call("create_customer", body=new)


@pytest.fixture(scope="module")
def generated(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    directory = tmp_path_factory.mktemp("generated")
    program = Path(sys.executable).with_name("openapi-python-client")
    command = (
        *(program, "generate", "--path", SHOWN, "--meta", "none", "--fail-on-warning"),
        *("--output-path", directory / PACKAGE, "--config", _configuration(directory)),
    )
    subprocess.run(command, check=True)
    sys.path.insert(0, str(directory))
    with Generated(service) as client:
        yield client
    sys.path.remove(str(directory))


def _configuration(directory: Path) -> Path:
    """Return a configuration file that disables formatting of the package."""
    path = directory / "configuration.yaml"
    path.write_text("post_hooks: []\n")
    return path


def test_customer_lifecycle(generated: Generated) -> None:
    models = generated.models
    key = str(uuid4())
    new = models.CustomerCreation(email=f"{key}@example.com", given_name="Ada")

    created = generated.call("create_customer", body=new, idempotency_key=key)
    assert created.status_code == 201
    assert isinstance(created.parsed, models.Customer)
    customer_id = created.parsed.id

    repeated = generated.call("create_customer", body=new, idempotency_key=key)
    assert (repeated.status_code, repeated.parsed.id) == (201, customer_id)
    assert repeated.headers["Idempotency-Replayed"] == "true"

    read = generated.call("get_customer", customer_id)
    assert read.parsed == created.parsed
    etag = read.headers["ETag"]
    assert generated.call("get_customer", customer_id, if_none_match=etag).status_code == 304

    replacement = models.CustomerReplacement(email=new.email, family_name="Lovelace")
    replaced = generated.call("replace_customer", customer_id, body=replacement, if_match=etag)
    assert (replaced.parsed.version, replaced.parsed.family_name) == (2, "Lovelace")

    patch = models.CustomerPatch(phone=None, status=models.CustomerStatus.INACTIVE)
    stale = generated.call("patch_customer", customer_id, body=patch, if_match=etag)
    assert stale.status_code == 412
    patched = generated.call("patch_customer", customer_id, body=patch)
    assert (patched.parsed.phone, patched.parsed.status) == (None, "inactive")

    assert generated.call("delete_customer", customer_id).status_code == 204
    assert generated.call("get_customer", customer_id).status_code == 404
    restored = generated.call("restore_customer", customer_id)
    assert restored.parsed.family_name == "Lovelace"
    assert generated.call("erase_customer", customer_id).status_code == 204
    assert generated.call("restore_customer", customer_id).status_code == 404


def test_list_is_filtered_and_paged(generated: Generated) -> None:
    names = {generated.create(company_name=f"Paged {number}").parsed.id for number in range(5)}
    found, page = set(), generated.call("get_customers", limit=2, q="paged")
    while True:
        found |= {item.id for item in page.parsed.items}
        if not page.parsed.has_more:
            break
        cursor = page.parsed.next_.split("cursor=")[1].split("&")[0]
        page = generated.call("get_customers", limit=2, q="paged", cursor=cursor)

    assert found == names


def test_selected_fields_are_a_partial_customer(generated: Generated, service: Service) -> None:
    """The schema of the response can't depend on `fields`, so clients parse these themselves."""
    customer = generated.create().parsed

    page = service.get(f"/customers?email={customer.email}&fields=id,email").json()
    read = service.get(f"/customers/{customer.id}?fields=id,email").json()

    for some in (*page["items"], read):
        parsed = generated.models.PartialCustomer.from_dict(some)
        assert (parsed.id, parsed.email) == (customer.id, customer.email)


def test_batch_is_a_list_of_customers(generated: Generated) -> None:
    models = generated.models
    new = [models.CustomerCreation(email=f"{uuid4()}@example.com", given_name="Ada") for _ in "12"]

    created = generated.call("create_customers", body=models.CustomerCreationList(items=new))

    assert [item.email for item in created.parsed.items] == [item.email for item in new]


def test_problem_is_a_model(generated: Generated) -> None:
    customer = generated.create().parsed
    new = generated.models.CustomerCreation(email=customer.email, given_name="Ada")

    problem = generated.call("create_customer", body=new).parsed

    assert isinstance(problem, generated.models.Problem)
    assert problem.type_.endswith("email-taken")
    assert [(error.pointer, error.code) for error in problem.errors] == [("/email", "taken")]


def test_health_and_document_are_available(generated: Generated) -> None:
    assert generated.call("get_health", deep=True, tag="service").parsed.status == "ok"
    assert generated.call("head_health", tag="service").status_code == 200
    document = generated.call("get_openapi", tag="service").parsed
    assert document.openapi == "3.1.0"
