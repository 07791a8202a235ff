"""A customer's whole lifecycle, with openapi-generator's client for Python."""

import os
import uuid

import openapi_client as generated
import pytest

configuration = generated.Configuration(os.environ["API"], access_token=os.environ["TOKEN"])
with generated.ApiClient(configuration) as client:
    customers = generated.CustomersApi(client)

    email = f"{uuid.uuid4()}@example.com"
    new = generated.CustomerCreation(email=email, given_name="Ada")
    created = customers.create_customer(new, idempotency_key=str(uuid.uuid4()))
    read = customers.get_customer_with_http_info(created.id)
    assert read.data.family_name is None

    replacement = generated.CustomerReplacement.from_dict(
        read.data.to_dict() | {"family_name": "Lovelace"}
    )
    replaced = customers.replace_customer(created.id, read.headers["etag"], replacement)
    assert (replaced.version, replaced.family_name) == (2, "Lovelace")

    patch = generated.CustomerPatch(status=generated.CustomerStatus.INACTIVE)
    patched = customers.patch_customer(created.id, patch, if_match='"v2"')
    assert (patched.version, patched.status, patched.family_name) == (3, "inactive", "Lovelace")

    (found,) = customers.get_customers(email=email).items
    assert found.id == created.id

    customers.delete_customer(created.id, if_match='"v3"')
    with pytest.raises(generated.exceptions.NotFoundException) as missing:
        customers.get_customer(created.id)
    assert missing.value.data.type == "/problems#customer-not-found"
    assert customers.restore_customer(created.id).version == 5
    customers.erase_customer(created.id)
