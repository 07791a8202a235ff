"""A history and a final reading, looked up in the ways that the rules of `checker` need."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from load.chaos.history import Operation, Seen


@dataclass(frozen=True)
class Final:
    """Everything, when all was quiet: as listed, as read one by one, and as the database has it.

    `read` has None for a customer that the API says is not there.
    """

    listed: Sequence[Seen]
    read: Mapping[str, Seen | None]
    stored: Sequence[Seen]


class Facts:
    """Operations in any order, and what there was at the end, if that was read."""

    def __init__(self, operations: Sequence[Operation], final: Final | None) -> None:
        self.operations = operations
        self.final = final
        self.writes = [each for each in operations if each.is_write]
        self.by_key = {each.key: each for each in self.writes}
        self.changes: dict[str, list[Operation]] = defaultdict(list)
        for each in self.writes:
            if each.customer:
                self.changes[each.customer].append(each)

    def done(self, kinds: Iterable[str]) -> Iterator[Operation]:
        return (each for each in self.operations if each.kind in kinds and each.outcome == "done")

    @property
    def everything(self) -> Iterator[Seen]:
        """Every version that was ever seen, the final ones last."""
        for each in self.operations:
            yield from each.seen
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
        """For each customer, the times of answers and the highest version known by then."""
        observed: dict[str, list[tuple[float, int]]] = defaultdict(list)
        for each in self.operations:
            for seen in each.seen:
                observed[seen.id].append((each.ended, seen.version))
        return {
            customer: (
                [when for when, _ in sorted(each)],
                list(accumulate((version for _, version in sorted(each)), max)),
            )
            for customer, each in observed.items()
        }

    def known_before(self, customer: str, moment: float) -> int:
        """Return the highest version that an answer before the moment has shown; 0 for none."""
        times, versions = self.known.get(customer, ([], []))
        at = bisect_left(times, moment)
        return versions[at - 1] if at else 0

    def may_be_deleted(self, customer: str, by: float, *, but: Operation | None = None) -> bool:
        """Whether a delete, other than `but`, may have taken effect by then."""
        return any(
            each.kind == "delete" and each.outcome != "refused" and each.began <= by
            for each in self.changes[customer]
            if each is not but
        )
