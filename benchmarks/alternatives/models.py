"""Customers as pydantic models.

https://docs.pydantic.dev/latest/concepts/models/
"""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    PlainSerializer,
    StringConstraints,
    computed_field,
    model_validator,
)

from benchmarks.alternatives.shared import created_at, text_of

ZONES = available_timezones()
NAMES = ("given_name", "family_name", "company_name")
TYPES = ("billing", "shipping", "home", "work", "other")


def text(maximum):
    return Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=maximum)
    ]


def is_zone(name):
    if name not in ZONES:
        raise ValueError("must be an IANA time zone")
    return name


Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Zone = Annotated[str, AfterValidator(is_zone)]
Time = Annotated[datetime, PlainSerializer(text_of)]


class Address(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal[TYPES] = "other"
    line1: text(200)
    line2: text(200) | None = None
    city: text(200) | None = None
    region: text(200) | None = None
    postal_code: text(200) | None = None
    country: Country


class NewCustomer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: Literal["active", "inactive"] = "active"
    email: EmailStr
    phone: Phone | None = None
    given_name: text(300) | None = None
    family_name: text(300) | None = None
    company_name: text(500) | None = None
    external_id: text(100) | None = None
    addresses: Annotated[list[Address], Field(max_length=5)] = []
    locale: Annotated[Language, Field(max_length=35)] | None = None
    time_zone: Zone | None = None
    metadata: Annotated[dict[str, text(500)], Field(max_length=50)] = {}

    @model_validator(mode="after")
    def has_a_name(self) -> Self:
        if not any(getattr(self, name) for name in NAMES):
            raise ValueError("a name is required")
        return self


class Customer(BaseModel):
    """A response."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    version: int
    status: str
    email: str
    phone: str | None
    given_name: str | None
    family_name: str | None
    company_name: str | None
    external_id: str | None
    addresses: list[Address]
    locale: str | None
    time_zone: str | None
    metadata: dict[str, str] = Field(validation_alias=AliasChoices("metadata_", "metadata"))

    @computed_field
    @property
    def created_at(self) -> str:
        return text_of(created_at(self.id))

    updated_at: Time
    deleted_at: Time | None
    purge_at: Time | None


class Page(BaseModel):
    items: list[Customer]
    next: str | None
    has_more: bool


def page(rows, limit):
    """Return a page of a list from one row more than it has."""
    items = [Customer.model_validate(row) for row in rows[:limit]]
    has_more = len(rows) > limit
    following = f"/customers?limit={limit}&after={items[-1].id}" if has_more else None
    return Page(items=items, next=following, has_more=has_more)
