from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from attrs import define as _attrs_define

T = TypeVar("T", bound="CustomerReference")


@_attrs_define
class CustomerReference:
    """
    Attributes:
        id (UUID): The id.
        version (int): The version that you have read. If it has changed: 409. Maximum: 4294967295.
    """

    id: UUID
    version: int

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        version = self.version

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "id": id,
                "version": version,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        version = d.pop("version")

        customer_reference = cls(
            id=id,
            version=version,
        )

        return customer_reference
