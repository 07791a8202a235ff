"""Lookups in a history and the final data, for the rules of `checker`."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from load.chaos.history import Operation, Seen


@dataclass(frozen=True)
class Final:
    """All data after the last fault: as listed, as read one by one, and as stored in the database.

    In `read`, None means that the API returned 404. `gaps` are the ids of customers whose history
    lacks a version.
    """

    listed: Sequence[Seen]
    read: Mapping[str, Seen | None]
    stored: Sequence[Seen]
    gaps: Sequence[str] = ()


class Facts:
    """Operations in any order, and the final data, if it was read."""

    def __init__(self, operations: Sequence[Operation], final: Final | None) -> None:
        self.operations = operations
        self.final = final
        self.writes = [operation for operation in operations if operation.is_write]
        self.by_key = {write.key: write for write in self.writes}
        self.changes: dict[str, list[Operation]] = defaultdict(list)
        for write in self.writes:
            if write.customer:
                self.changes[write.customer].append(write)

    def done(self, kinds: Iterable[str]) -> Iterator[Operation]:
        return (
            operation
            for operation in self.operations
            if operation.kind in kinds and operation.outcome == "done"
        )

    @property
    def everything(self) -> Iterator[Seen]:
        """Return every version ever seen, the final ones last."""
        for operation in self.operations:
            yield from operation.seen
        yield from self.final_versions

    @property
    def final_versions(self) -> Iterator[Seen]:
        if self.final:
            yield from self.final.listed
            yield from (seen for seen in self.final.read.values() if seen)
            yield from self.final.stored

    @cached_property
    def found_keys(self) -> set[str]:
        return {seen.phone for seen in self.everything}

    @cached_property
    def deleted_versions(self) -> set[tuple[str | None, int]]:
        return {(seen.id, seen.version) for seen in self.final_versions if seen.deleted}

    @cached_property
    def known(self) -> dict[str, tuple[list[float], list[int]]]:
        """Return each customer's response times, and the highest version known at each."""
        observed: dict[str, list[tuple[float, int]]] = defaultdict(list)
        for operation in self.operations:
            for seen in operation.seen:
                observed[seen.id].append((operation.ended, seen.version))
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

    def may_be_deleted(
        self, customer: str, by: float, *, except_for: Operation | None = None
    ) -> bool:
        """Return whether a delete, other than `but`, may have taken effect before `by`."""
        return any(
            change.kind == "delete" and change.outcome != "refused" and change.began <= by
            for change in self.changes[customer]
            if change is not except_for
        )
