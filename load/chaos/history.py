"""What happened: the operations of clients and the faults that they met, as lines of JSON.

A write leaves its key in what it writes: the key is the `phone` of the customer's new version, and
a create's is in `email`, too, which no later write changes. So each version tells who made it.
"""

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

READS = {"read": 200, "list": 200}
CHANGES = {"replace": 200, "patch": 200, "minimal": 204, "delete": 204}
CREATES = {"create": 201, "batch": 201}
SUCCESS = READS | CHANGES | CREATES
"""Each kind of operation, with the status of its success; `minimal` is a patch without answer."""

PAGE = 20
"""How many customers a list shows."""

_BORN = time.time() - time.monotonic()


def now() -> float:
    """Return seconds since 1970 of a clock that never goes back."""
    return _BORN + time.monotonic()


@dataclass(frozen=True)
class Seen:
    """A version of a customer, as an answer or the database shows it."""

    id: str
    version: int
    email: str
    phone: str
    deleted: bool = False


@dataclass(frozen=True)
class Attempt:
    """A request; `status` is 0 if no answer came, `retry_after` what a 503 says."""

    began: float
    ended: float
    status: int
    retry_after: str | None = None

    @property
    def is_certain(self) -> bool:
        """Whether the answer tells that the operation was done, or that it was not."""
        return 0 < self.status < 500


@dataclass
class Operation:
    """What a client wanted, each attempt at it, and what it saw.

    `base` is the version of `If-Match`, `emails` those of a create. `wrong` says what is wrong with
    the answer itself.
    """

    client: int
    kind: str
    key: str
    customer: str | None = None
    base: int | None = None
    emails: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    wrong: str = ""

    @property
    def began(self) -> float:
        return self.attempts[0].began

    @property
    def ended(self) -> float:
        return self.attempts[-1].ended

    @property
    def is_write(self) -> bool:
        return self.kind not in READS

    @property
    def outcome(self) -> str:
        """`done`, `refused`, or `unknown`: also if it was refused after an unknown attempt."""
        if self.attempts[-1].status == SUCCESS[self.kind]:
            return "done"
        return "refused" if all(each.is_certain for each in self.attempts) else "unknown"


@dataclass(frozen=True)
class Fault:
    """A fault from its beginning until the service is whole again; `given` to so many calls."""

    kind: str
    began: float
    ended: float
    given: int = 1


class Log:
    """The history of a run, kept in a file as it happens; for several threads."""

    def __init__(self, path: Path) -> None:
        self.operations: list[Operation] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        self._file = path.open("w")

    def add(self, what: Operation | Fault) -> None:
        outcome = {"outcome": what.outcome} if isinstance(what, Operation) else {}
        line = json.dumps({"type": type(what).__name__.lower(), **asdict(what), **outcome})
        with self._lock:
            self._file.write(line + "\n")
            (self.operations if isinstance(what, Operation) else self.faults).append(what)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read(lines: Iterable[str]) -> tuple[list[Operation], list[Fault]]:
    """Read what a `Log` has written."""
    operations, faults = [], []
    for line in lines:
        members: dict[str, Any] = json.loads(line)
        if members.pop("type") == "fault":
            faults.append(Fault(**members))
        else:
            operations.append(_operation(members))
    return operations, faults


def _operation(members: dict[str, Any]) -> Operation:
    del members["outcome"]
    members["attempts"] = [Attempt(**each) for each in members["attempts"]]
    members["seen"] = [Seen(**each) for each in members["seen"]]
    return Operation(**members)
