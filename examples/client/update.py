"""Create a customer, and count its visits, also if other programs do the same.

BASE_URL=http://127.0.0.1:8000 TOKEN=$(make -s token) python examples/client/update.py
"""

import os
import uuid

from customers_client import Customer, CustomerCreation, CustomerPatch, Customers, MetadataPatch


def add_visit(customer: Customer) -> CustomerPatch:
    """Return the change. It may be computed again, for a newer version of the customer."""
    visits = int(customer.metadata.additional_properties.get("visits", "0"))
    return CustomerPatch(metadata=MetadataPatch.from_dict({"visits": str(visits + 1)}))


with Customers(os.environ["BASE_URL"], os.environ["TOKEN"]) as client:
    new = CustomerCreation(email=f"ada.{uuid.uuid4()}@example.com", given_name="Ada")
    ada = client.create(new)
    for _ in range(3):
        ada = client.update(ada.id, add_visit)
    print(ada.id, ada.metadata["visits"])
