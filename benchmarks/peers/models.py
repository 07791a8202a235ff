"""A customer as a pydantic model.

https://docs.pydantic.dev/latest/concepts/models/
"""

from typing import Annotated, Literal, Self

from annotated_types import Len
from pydantic import BaseModel, ConfigDict, EmailStr, StringConstraints, model_validator

from benchmarks.peers.rules import patched

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Company = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]


class NewCustomer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: EmailStr
    given_name: Name | None = None
    family_name: Name | None = None
    company_name: Company | None = None
    phone: Phone | None = None
    status: Literal["active", "inactive"] = "active"

    @model_validator(mode="after")
    def has_a_name(self) -> Self:
        if not (self.given_name or self.family_name or self.company_name):
            raise ValueError("a name is required")
        return self


class NewCustomers(BaseModel):
    items: Annotated[list[NewCustomer], Len(1, 100)]


class Patch(BaseModel):
    """A merge patch. `edited` validates what results from it."""

    model_config = ConfigDict(extra="allow")


class ItemPatch(Patch):
    id: str
    version: int


class Patches(BaseModel):
    items: Annotated[list[ItemPatch], Len(1, 100)]


def edited(customer: dict, patch: dict) -> dict:
    """Return the valid fields that a client may set, with the patch applied."""
    return NewCustomer(**patched(customer, patch)).model_dump()


class Customer(BaseModel):
    """The response body. It comes from the database, so it is not validated again."""

    id: str
    version: int
    status: str
    email: str
    phone: str | None
    given_name: str | None
    family_name: str | None
    company_name: str | None
    created_at: str | None
    updated_at: str | None
