from enum import StrEnum


class AddressType(StrEnum):
    BILLING = "billing"
    HOME = "home"
    OTHER = "other"
    SHIPPING = "shipping"
    WORK = "work"

    def __str__(self) -> str:
        return str(self.value)
