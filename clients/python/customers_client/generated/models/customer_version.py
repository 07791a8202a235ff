from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.customer_version_operation import CustomerVersionOperation

T = TypeVar("T", bound="CustomerVersion")


@_attrs_define
class CustomerVersion:
    """A version of a customer, without the values of its fields.

    Attributes:
        version (int): The version.
        operation (CustomerVersionOperation): How the customer changed.
        changed_at (datetime.datetime): Time of the change, by the database's clock.
        caller (str): A pseudonym of the caller, as in the service's logs.
        changed_fields (list[str]): The names of the fields that an update changed.
    """

    version: int
    operation: CustomerVersionOperation
    changed_at: datetime.datetime
    caller: str
    changed_fields: list[str]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        version = self.version

        operation = self.operation.value

        changed_at = self.changed_at.isoformat()

        caller = self.caller

        changed_fields = self.changed_fields

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "version": version,
                "operation": operation,
                "changed_at": changed_at,
                "caller": caller,
                "changed_fields": changed_fields,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        version = d.pop("version")

        operation = CustomerVersionOperation(d.pop("operation"))

        changed_at = datetime.datetime.fromisoformat(d.pop("changed_at"))

        caller = d.pop("caller")

        changed_fields = cast(list[str], d.pop("changed_fields"))

        customer_version = cls(
            version=version,
            operation=operation,
            changed_at=changed_at,
            caller=caller,
            changed_fields=changed_fields,
        )

        customer_version.additional_properties = d
        return customer_version

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
