from enum import StrEnum


class HealthDatabase(StrEnum):
    NOT_CHECKED = "not-checked"
    OK = "ok"

    def __str__(self) -> str:
        return str(self.value)
