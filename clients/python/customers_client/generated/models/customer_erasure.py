from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="CustomerErasure")


@_attrs_define
class CustomerErasure:
    """
    Attributes:
        id (UUID): The id of the erased customer.
        erased_at (datetime.datetime): Time of erasure, in UTC.
        receipt (str): A signed statement of both: a JSON Web Token (HS256). The operator of the service verifies it,
            also years later.
    """

    id: UUID
    erased_at: datetime.datetime
    receipt: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        erased_at = self.erased_at.isoformat()

        receipt = self.receipt

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "erased_at": erased_at,
                "receipt": receipt,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        erased_at = datetime.datetime.fromisoformat(d.pop("erased_at"))

        receipt = d.pop("receipt")

        customer_erasure = cls(
            id=id,
            erased_at=erased_at,
            receipt=receipt,
        )

        customer_erasure.additional_properties = d
        return customer_erasure

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
