from enum import StrEnum


class ProblemOutcome(StrEnum):
    NOT_APPLIED = "not-applied"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return str(self.value)
