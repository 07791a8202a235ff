from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.customer_status import CustomerStatus

if TYPE_CHECKING:
    from ..models.customer_address import CustomerAddress
    from ..models.metadata import Metadata


T = TypeVar("T", bound="Customer")


@_attrs_define
class Customer:
    """
    Attributes:
        id (UUID): Unique identifier: a UUID, version 7.
        version (int): Starts at 1, and increases by 1 with each update. Maximum: 4294967295.
        created_at (datetime.datetime): Time of creation, in UTC, in milliseconds.
        updated_at (datetime.datetime): Time of the last update, in UTC, in milliseconds.
        deleted_at (datetime.datetime | None): Time of deletion; null unless deleted.
        purge_at (datetime.datetime | None): Time after which the service erases it; null unless deleted.
        status (CustomerStatus):
        email (str): Email address. Unique among customers, case-insensitive.
        phone (None | str): International phone number (E.164), of a length that its country has. The service removes
            spaces, dots, dashes, brackets and the trunk prefix, as in +44 (0)20 7946 0000.
        given_name (None | str): Given name. A customer requires a given name, a family name or a company name.
        family_name (None | str): Family name. A customer requires a given name, a family name or a company name.
        company_name (None | str): Company name. A customer requires a given name, a family name or a company name.
        external_id (None | str): The customer's id in your own system. Unique among customers.
        addresses (list[CustomerAddress]): Postal addresses. Maximum: 5 items.
        locale (None | str): Language tag (BCP 47), such as en-GB. The service stores it in canonical case.
        time_zone (None | str): Name of a time zone in the IANA database, such as Europe/London.
        metadata (Metadata):
    """

    id: UUID
    version: int
    created_at: datetime.datetime
    updated_at: datetime.datetime
    deleted_at: datetime.datetime | None
    purge_at: datetime.datetime | None
    status: CustomerStatus
    email: str
    phone: None | str
    given_name: None | str
    family_name: None | str
    company_name: None | str
    external_id: None | str
    addresses: list[CustomerAddress]
    locale: None | str
    time_zone: None | str
    metadata: Metadata
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        version = self.version

        created_at = self.created_at.isoformat()

        updated_at = self.updated_at.isoformat()

        deleted_at: None | str
        if isinstance(self.deleted_at, datetime.datetime):
            deleted_at = self.deleted_at.isoformat()
        else:
            deleted_at = self.deleted_at

        purge_at: None | str
        if isinstance(self.purge_at, datetime.datetime):
            purge_at = self.purge_at.isoformat()
        else:
            purge_at = self.purge_at

        status = self.status.value

        email = self.email

        phone: None | str
        phone = self.phone

        given_name: None | str
        given_name = self.given_name

        family_name: None | str
        family_name = self.family_name

        company_name: None | str
        company_name = self.company_name

        external_id: None | str
        external_id = self.external_id

        addresses = []
        for addresses_item_data in self.addresses:
            addresses_item = addresses_item_data.to_dict()
            addresses.append(addresses_item)

        locale: None | str
        locale = self.locale

        time_zone: None | str
        time_zone = self.time_zone

        metadata = self.metadata.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "version": version,
                "created_at": created_at,
                "updated_at": updated_at,
                "deleted_at": deleted_at,
                "purge_at": purge_at,
                "status": status,
                "email": email,
                "phone": phone,
                "given_name": given_name,
                "family_name": family_name,
                "company_name": company_name,
                "external_id": external_id,
                "addresses": addresses,
                "locale": locale,
                "time_zone": time_zone,
                "metadata": metadata,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.customer_address import CustomerAddress  # noqa: PLC0415
        from ..models.metadata import Metadata  # noqa: PLC0415

        d = dict(src_dict)
        id = UUID(d.pop("id"))

        version = d.pop("version")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        updated_at = datetime.datetime.fromisoformat(d.pop("updated_at"))

        def _parse_deleted_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                deleted_at_type_0 = datetime.datetime.fromisoformat(data)

                return deleted_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        deleted_at = _parse_deleted_at(d.pop("deleted_at"))

        def _parse_purge_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                purge_at_type_0 = datetime.datetime.fromisoformat(data)

                return purge_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        purge_at = _parse_purge_at(d.pop("purge_at"))

        status = CustomerStatus(d.pop("status"))

        email = d.pop("email")

        def _parse_phone(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        phone = _parse_phone(d.pop("phone"))

        def _parse_given_name(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        given_name = _parse_given_name(d.pop("given_name"))

        def _parse_family_name(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        family_name = _parse_family_name(d.pop("family_name"))

        def _parse_company_name(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        company_name = _parse_company_name(d.pop("company_name"))

        def _parse_external_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        external_id = _parse_external_id(d.pop("external_id"))

        addresses = []
        _addresses = d.pop("addresses")
        for addresses_item_data in _addresses:
            addresses_item = CustomerAddress.from_dict(addresses_item_data)

            addresses.append(addresses_item)

        def _parse_locale(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        locale = _parse_locale(d.pop("locale"))

        def _parse_time_zone(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        time_zone = _parse_time_zone(d.pop("time_zone"))

        metadata = Metadata.from_dict(d.pop("metadata"))

        customer = cls(
            id=id,
            version=version,
            created_at=created_at,
            updated_at=updated_at,
            deleted_at=deleted_at,
            purge_at=purge_at,
            status=status,
            email=email,
            phone=phone,
            given_name=given_name,
            family_name=family_name,
            company_name=company_name,
            external_id=external_id,
            addresses=addresses,
            locale=locale,
            time_zone=time_zone,
            metadata=metadata,
        )

        customer.additional_properties = d
        return customer

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
