"""The history of a run: operations of clients, and faults, as lines of JSON.

Each write of content stores its key in the data that it writes: the key is the `phone` of the new
version. The key of a create is also in `email`, which no later write changes. So the content of
every version identifies the write that it is from.

Customers that are addressed by their external id are apart from the others: no request restores or
erases them. Their email address, which no write changes, has the external id.
"""

import json
import math
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

Kinds = Mapping[str, Collection[int]]
"""Kinds of operations, with the statuses of their success."""
READS: Kinds = {"read": {200}, "list": {200}, "changes": {200}}
CREATES: Kinds = {"create": {201}, "batch": {201}, "lenient": {207}}
PUTS: Kinds = {"put": {200, 201}, "put new": {201}}
EDITS: Kinds = {"replace": {200}, "patch": {200}, "minimal": {204}}
ERASURES: Kinds = {"erase": {204}, "purge": {204}}
REMOVALS: Kinds = {"delete": {204}, **ERASURES}
CHANGES: Kinds = {**EDITS, **REMOVALS, "restore": {200}}
BULK: Kinds = {"patch all": {200}, "delete all": {204}}
SUCCESS: Kinds = {**READS, **CREATES, **PUTS, **CHANGES, **BULK}
"""All kinds.

`changes` is a page of the feed, `minimal` a patch without response body, `purge` an erasure by the
purge job. `lenient` is a batch of which the service creates every customer that it can. `put`
creates or replaces the customer with an external id, `put new` only creates it.
"""
PARTS = {"patch all": "patch", "delete all": "delete"}
"""The effect of a write of several customers on each of them."""
EXTERNAL = "crm."
"""How the email addresses of customers with an external id begin."""

PAGE = 20
"""The page size of a list."""

_BORN = time.time() - time.monotonic()


def now() -> float:
    """Return the time in seconds since 1970, from a clock that never goes back."""
    return _BORN + time.monotonic()


@dataclass(frozen=True)
class Seen:
    """A version of a customer, as a response or the database shows it.

    Only the final data shows the content of a deleted customer. Nothing shows that of an erased
    one.
    """

    id: str
    version: int
    email: str = ""
    phone: str = ""
    state: str = "live"
    """`live`, `deleted` or `erased`."""

    @property
    def is_live(self) -> bool:
        return self.state == "live"


@dataclass(frozen=True)
class Attempt:
    """One attempt at a request.

    `status` is 0 without a response. `retry_after` and `outcome` are from a 503.
    """

    began: float
    ended: float
    status: int
    retry_after: str | None = None
    outcome: str | None = None

    @property
    def is_final(self) -> bool:
        """Return whether a retry is pointless."""
        return 0 < self.status < 500

    @property
    def is_certain(self) -> bool:
        """Return whether the response says that the operation was applied, or that it was not."""
        return self.is_final or self.outcome == "not-applied"


@dataclass(frozen=True)
class Fault:
    """A fault, from its start until the service is healthy; `given` counts the calls hit."""

    kind: str
    began: float
    ended: float
    given: int = 1


@dataclass
class Operation:
    """An operation of a client, with all attempts and the result.

    `base` is the version in `If-Match`; a change without it accepts any version. `emails` are those
    of a create. `items` are the customers, and their versions, of a write of several customers.
    `wrong` says what is wrong with the response itself.
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
    items: list[tuple[str, int]] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def began(self) -> float:
        return self.attempts[0].began

    @property
    def ended(self) -> float:
        return self.attempts[-1].ended

    @property
    def until(self) -> float:
        """The time until which it may take effect.

        An attempt without a response may take effect later, unless its version is outdated by then.
        """
        is_certain = all(attempt.is_certain for attempt in self.attempts)
        is_over = is_certain or (self.outcome == "done" and self.base is not None)
        return self.ended if is_over else math.inf

    @cached_property
    def parts(self) -> list["Operation"]:
        """The writes of each customer, if this is a write of several; otherwise itself.

        Only for an operation that has ended.
        """
        if not self.items:
            return [self]
        shown = {seen.id: [seen] for seen in self.seen}
        return [
            replace(
                self,
                kind=PARTS[self.kind],
                customer=customer,
                base=base,
                items=[],
                seen=shown.get(customer, []),
            )
            for customer, base in self.items
        ]

    @property
    def is_external(self) -> bool:
        """Whether the request names the customer by the external id."""
        return any(email.startswith(EXTERNAL) for email in self.emails)

    def is_pending(self, fault: Fault) -> bool:
        """Return whether an attempt without success was pending during the fault."""
        return any(
            attempt.status not in SUCCESS[self.kind]
            and attempt.began <= fault.ended
            and attempt.ended >= fault.began
            for attempt in self.attempts
        )

    @property
    def is_write(self) -> bool:
        return self.kind not in READS

    @property
    def outcome(self) -> str:
        """`done`, `refused`, or `unknown`: also if rejected after an attempt of unknown outcome."""
        if self.attempts[-1].status in SUCCESS[self.kind]:
            return "done"
        return "refused" if all(attempt.is_certain for attempt in self.attempts) else "unknown"


class Log:
    """The history of a run, written to a file immediately. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.operations: list[Operation] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        self._file = path.open("w")

    def add(self, event: Operation | Fault) -> None:
        outcome = {"outcome": event.outcome} if isinstance(event, Operation) else {}
        line = json.dumps({"type": type(event).__name__.lower(), **asdict(event), **outcome})
        with self._lock:
            self._file.write(line + "\n")
            (self.operations if isinstance(event, Operation) else self.faults).append(event)  # type: ignore[arg-type]

    def close(self) -> None:
        self._file.close()


def read(lines: Iterable[str]) -> tuple[list[Operation], list[Fault]]:
    """Read the lines that a `Log` has written."""
    operations, faults = [], []
    for line in lines:
        data: dict[str, Any] = json.loads(line)
        if data.pop("type") == "fault":
            faults.append(Fault(**data))
        else:
            operations.append(_operation(data))
    return operations, faults


def _operation(data: dict[str, Any]) -> Operation:
    del data["outcome"]
    data["attempts"] = [Attempt(**attempt) for attempt in data["attempts"]]
    data["items"] = [(customer, base) for customer, base in data["items"]]
    data["seen"] = [Seen(**version) for version in data["seen"]]
    return Operation(**data)
