from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.customer import Customer
    from ..models.customer_export_search_keys import CustomerExportSearchKeys
    from ..models.customer_version import CustomerVersion


T = TypeVar("T", bound="CustomerExport")


@_attrs_define
class CustomerExport:
    """
    Attributes:
        customer (Customer):
        history (list[CustomerVersion]): The last versions, the newest first.
        search_keys (CustomerExportSearchKeys): The texts by which the service compares and finds the customer.
    """

    customer: Customer
    history: list[CustomerVersion]
    search_keys: CustomerExportSearchKeys
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        customer = self.customer.to_dict()

        history = []
        for history_item_data in self.history:
            history_item = history_item_data.to_dict()
            history.append(history_item)

        search_keys = self.search_keys.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "customer": customer,
                "history": history,
                "search_keys": search_keys,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.customer import Customer  # noqa: PLC0415
        from ..models.customer_export_search_keys import CustomerExportSearchKeys  # noqa: PLC0415
        from ..models.customer_version import CustomerVersion  # noqa: PLC0415

        d = dict(src_dict)
        customer = Customer.from_dict(d.pop("customer"))

        history = []
        _history = d.pop("history")
        for history_item_data in _history:
            history_item = CustomerVersion.from_dict(history_item_data)

            history.append(history_item)

        search_keys = CustomerExportSearchKeys.from_dict(d.pop("search_keys"))

        customer_export = cls(
            customer=customer,
            history=history,
            search_keys=search_keys,
        )

        customer_export.additional_properties = d
        return customer_export

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
