"""Lookups in a history and the final data, for the rules of `checker`."""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

from load.chaos.history import CREATES, ERASURES, PUTS, Fault, Operation, Seen


@dataclass(frozen=True)
class Final:
    """All data after the last fault: as listed, as read one by one, and as stored in the database.

    In `read`, None means that the API returned 404. `leftovers` are the columns of erased customers
    that still have data. `mirror` is the copy of a client that followed the feed, if there was one.
    `gaps` are the ids of customers whose history lacks a version. `histories` are the operations in
    the stored histories, by version. `events` are those that a consumer accepted, in the order of
    their arrival, if there was one.
    """

    listed: Sequence[Seen]
    read: Mapping[str, Seen | None]
    stored: Sequence[Seen]
    leftovers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    mirror: Mapping[str, Seen] | None = None
    gaps: Sequence[str] = ()
    histories: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    events: Sequence[Mapping[str, Any]] | None = None


class Shown(NamedTuple):
    """A version of a customer, by whom it was shown, and the time of the request."""

    seen: Seen
    by: str
    began: float
    ended: float
    is_read: bool


class Facts:
    """Operations in any order, the final data, if it was read, and the crashes of the database."""

    def __init__(
        self, operations: Sequence[Operation], final: Final | None, crashes: Sequence[Fault] = ()
    ) -> None:
        self.operations = operations
        self.final = final
        self._crashes = crashes
        self.parts = [part for operation in operations for part in operation.parts]
        self.writes = [operation for operation in operations if operation.is_write]
        self.by_key = {write.key: write for write in self.writes}

    def done(self, kinds: Iterable[str]) -> Iterator[Operation]:
        """Return what was acknowledged, of a write of several customers each part."""
        return (part for part in self.parts if part.kind in kinds and part.outcome == "done")

    @cached_property
    def changes(self) -> Mapping[str, list[Operation]]:
        """Return the writes that may have changed each customer.

        A PUT may have changed each customer that has ever had its external id.
        """
        changes: dict[str, list[Operation]] = defaultdict(list)
        for part in self.parts:
            if part.is_write and part.customer:
                changes[part.customer].append(part)
        holders: dict[str, set[str]] = defaultdict(set)
        for shown in self.shown:
            holders[shown.seen.email].add(shown.seen.id)
        for put in self.writes:
            if put.kind in PUTS:
                for customer in holders[put.emails[0]]:
                    changes[customer].append(put)
        return changes

    @cached_property
    def shown(self) -> Sequence[Shown]:
        """Return every version that was ever shown, the final ones last."""
        return [*self._shown()]

    def _shown(self) -> Iterator[Shown]:
        for operation in self.operations:
            for seen in operation.seen:
                is_read = not operation.is_write
                yield Shown(seen, operation.label, operation.began, operation.ended, is_read)
        for seen in self.final_versions:
            yield Shown(seen, "the final data", math.inf, math.inf, is_read=True)

    @cached_property
    def durable(self) -> Sequence[Shown]:
        """Return those versions that a crash can't have undone since.

        InnoDB shows a commit before it is on disk (https://bugs.mysql.com/bug.php?id=74303). If a
        write was pending when the database crashed, a read before may have shown its effect.
        """
        return [shown for shown in self.shown if not self._may_be_undone(shown)]

    def _may_be_undone(self, shown: Shown) -> bool:
        seen = shown.seen
        return shown.is_read and any(
            shown.began <= until and base in (None, seen.version - 1)
            for base, until in (*self._pending[seen.id], *self._pending[seen.phone])
        )

    @cached_property
    def _pending(self) -> Mapping[str, list[tuple[int | None, float]]]:
        """Return the base of each write that was pending at a crash, and the end of the crash.

        By the customer, or for creates by the key.
        """
        pending: dict[str, list[tuple[int | None, float]]] = defaultdict(list)
        for write in self.parts:
            for crash in self._crashes:
                if write.is_write and write.is_pending(crash):
                    base = 0 if write.kind in CREATES else write.base
                    pending[write.customer or write.key].append((base, crash.ended))
        return pending

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        return (self.final and self.final.events) or ()

    @property
    def final_versions(self) -> Iterator[Seen]:
        if self.final:
            yield from self.final.listed
            yield from (seen for seen in self.final.read.values() if seen)
            yield from self.final.stored

    @cached_property
    def found_keys(self) -> set[str]:
        return {shown.seen.phone for shown in self.durable}

    @cached_property
    def found_states(self) -> set[tuple[str | None, int, str]]:
        return {(seen.id, seen.version, seen.state) for seen, *_ in self.durable}

    @cached_property
    def contents(self) -> Mapping[tuple[str, int], set[str]]:
        """Return what each version was shown to contain: one key, or the state."""
        contents: dict[tuple[str, int], set[str]] = defaultdict(set)
        for seen, *_ in self.durable:
            # A removal does not know the content of the version before.
            contents[seen.id, seen.version].add(seen.phone if seen.is_live else seen.state)
        return contents

    @cached_property
    def known(self) -> dict[str, tuple[list[float], list[int]]]:
        """Return each customer's response times, and the highest version known at each."""
        observed: dict[str, list[tuple[float, int]]] = defaultdict(list)
        for shown in self.durable:
            if shown.ended < math.inf:
                observed[shown.seen.id].append((shown.ended, shown.seen.version))
        return {
            customer: (
                [when for when, _ in sorted(observations)],
                list(accumulate((version for _, version in sorted(observations)), max)),
            )
            for customer, observations in observed.items()
        }

    def known_before(self, customer: str, moment: float) -> int:
        """Return the highest version that a response before the moment has shown, or 0."""
        times, versions = self.known.get(customer, ([], []))
        at = bisect_left(times, moment)
        return versions[at - 1] if at else 0

    def may_be_removed(
        self,
        customer: str,
        kinds: Collection[str],
        began: float,
        ended: float,
        *,
        except_for: Operation | None = None,
    ) -> bool:
        """Return whether a request at this time may find that a change of these kinds removed it.

        A restore that was acknowledged before undoes the removals that were over when it began.
        """
        restored = max(
            (
                change.began
                for change in self.changes[customer]
                if change.kind == "restore" and change.outcome == "done" and change.ended < began
            ),
            default=-math.inf,
        )
        return any(
            change.kind in kinds
            and change.outcome != "refused"
            and change.began <= ended
            and (change.until >= restored or change.kind in ERASURES)
            for change in self.changes[customer]
            if change is not except_for
        )

    def may_be_restored(self, customer: str, after: float, by: float) -> bool:
        """Return whether a restore may have taken effect between these times."""
        return any(
            change.kind == "restore"
            and change.outcome != "refused"
            and change.began <= by
            and change.until >= after
            for change in self.changes[customer]
        )
