"""A typed client of the customers API.

    with Customers("https://api.example.com", token) as client:
        ada = client.create(CustomerCreation(email="ada@example.com", given_name="Ada"))

`operations` and `models` are generated from the OpenAPI document. The
repository's docs/python-client.md describes the rest.
"""

from customers_client.asynchronous import AsyncCustomers
from customers_client.errors import (
    Conflict,
    ConnectionLost,
    CustomersError,
    Forbidden,
    InvalidRequest,
    InvalidResponse,
    NotFound,
    PreconditionFailed,
    ProblemError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from customers_client.generated import models
from customers_client.generated.api import customers as operations
from customers_client.generated.models import (
    Address,
    Customer,
    CustomerChange,
    CustomerChangePage,
    CustomerCreation,
    CustomerPatch,
    CustomerReplacement,
    CustomerStatus,
    Metadata,
    MetadataPatch,
    Problem,
)
from customers_client.sync import Customers

__all__ = [
    "Address",
    "AsyncCustomers",
    "Conflict",
    "ConnectionLost",
    "Customer",
    "CustomerChange",
    "CustomerChangePage",
    "CustomerCreation",
    "CustomerPatch",
    "CustomerReplacement",
    "CustomerStatus",
    "Customers",
    "CustomersError",
    "Forbidden",
    "InvalidRequest",
    "InvalidResponse",
    "Metadata",
    "MetadataPatch",
    "NotFound",
    "PreconditionFailed",
    "Problem",
    "ProblemError",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "models",
    "operations",
]
