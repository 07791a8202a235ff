"""The result of a check."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infrastructure.run import Run


@dataclass(frozen=True)
class Finding:
    """A fault: its description, its effect, and the remedy."""

    what: str
    why: str
    remedy: str
    is_certain: bool = True
    """Whether the command would fail; False if it is a warning, or if the check could not run."""

    def __str__(self) -> str:
        return f"{self.what}\n    Why: {self.why}\n    Do: {self.remedy}"


Findings = Iterator[Finding]
Check = Callable[[Run], Findings]
