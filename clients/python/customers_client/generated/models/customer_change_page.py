from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define

if TYPE_CHECKING:
    from ..models.customer_change import CustomerChange


T = TypeVar("T", bound="CustomerChangePage")


@_attrs_define
class CustomerChangePage:
    """
    Attributes:
        items (list[CustomerChange]): In the order of the changes.
        next_ (str): Path and query of the changes after this page, now or later.
        has_more (bool): Whether there are further changes already.
    """

    items: list[CustomerChange]
    next_: str
    has_more: bool

    def to_dict(self) -> dict[str, Any]:
        items = []
        for items_item_data in self.items:
            items_item = items_item_data.to_dict()
            items.append(items_item)

        next_ = self.next_

        has_more = self.has_more

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "items": items,
                "next": next_,
                "has_more": has_more,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.customer_change import CustomerChange  # noqa: PLC0415

        d = dict(src_dict)
        items = []
        _items = d.pop("items")
        for items_item_data in _items:
            items_item = CustomerChange.from_dict(items_item_data)

            items.append(items_item)

        next_ = d.pop("next")

        has_more = d.pop("has_more")

        customer_change_page = cls(
            items=items,
            next_=next_,
            has_more=has_more,
        )

        return customer_change_page
