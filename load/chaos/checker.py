"""Check a history and the final data against the guarantees. Pure functions without I/O.

The guarantees (docs/decisions/0008): each acknowledged customer exists, exactly once; each version
is written by one write, based on the version that the write named; no read returns less than was
known before the read began. Each rule yields one line per violation. A response that no rule
explains is a violation, too: `unexpected`.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from load.chaos.facts import Facts, Final
from load.chaos.history import CHANGES, CREATES, PAGE, SUCCESS, Attempt, Operation

UNAVAILABLE, OUTDATED, GONE = 503, 412, 404


@dataclass(frozen=True)
class Verdict:
    """Counts of operations, and violations by kind. `is_whole`: the final data was read."""

    counts: Mapping[str, int]
    breaches: Mapping[str, list[str]]
    is_whole: bool

    @property
    def result(self) -> str:
        """`fail` after a violation; otherwise `pass` if the final data was read, else `unknown`."""
        if any(self.breaches.values()):
            return "fail"
        return "pass" if self.is_whole else "unknown"


def check(operations: Sequence[Operation], final: Final | None) -> Verdict:
    """Check the operations, in any order, and the final data against every rule."""
    facts = Facts(operations, final)
    rules = {
        "lost": _lost,
        "duplicated": _duplicated,
        "unexpected": _unexpected,
        "stale": _stale,
        "lost updates": _lost_updates,
    }
    breaches = {name: list(rule(facts)) for name, rule in rules.items()}
    return Verdict(_counts(facts), breaches, final is not None)


def _counts(facts: Facts) -> dict[str, int]:
    counted = Counter(write.outcome for write in facts.writes)
    unknown = [write for write in facts.writes if write.outcome == "unknown"]
    return {
        "acknowledged": counted["done"],
        "refused": counted["refused"],
        "unknown": counted["unknown"],
        "recovered": sum(1 for write in unknown if _is_found(facts, write)),
        "repeated": sum(1 for write in facts.writes if len(write.attempts) > 1),
        "reads": sum(1 for _ in facts.done(("read", "list"))),
    }


def _is_found(facts: Facts, write: Operation) -> bool:
    if write.kind == "delete":
        return (write.customer, (write.base or 0) + 1) in facts.deleted_versions
    return write.key in facts.found_keys


def _lost(facts: Facts) -> Iterator[str]:
    """Yield customers that were acknowledged, but do not exist at the end."""
    if facts.final is None:
        return
    stored = {seen.id for seen in facts.final.stored}
    for operation in facts.done(CREATES):
        for seen in operation.seen:
            if seen.id not in stored:
                yield f"{operation.label} was acknowledged as {seen.id}, which does not exist"


def _duplicated(facts: Facts) -> Iterator[str]:
    """Yield each create that inserted more than one customer."""
    ids_by_email: dict[str, set[str]] = defaultdict(set)
    for seen in facts.everything:
        ids_by_email[seen.email].add(seen.id)
    for email, ids in ids_by_email.items():
        if len(ids) > 1:
            yield f"{email} was created {len(ids)} times: {', '.join(sorted(ids))}"


def _unexpected(facts: Facts) -> Iterator[str]:
    for operation in facts.operations:
        for attempt in operation.attempts:
            if not _is_explained(facts, operation, attempt):
                yield f"{operation.label} returned {attempt.status}"
        if operation.wrong:
            yield f"{operation.label}: {operation.wrong}"
        if operation.outcome == "done" and operation.is_write:
            yield from _wrong_effect(operation)
    yield from _unexplained_versions(facts)
    yield from _partial(facts)
    yield from _disagreement(facts.final)


def _is_explained(facts: Facts, operation: Operation, attempt: Attempt) -> bool:
    customer, by = operation.customer, attempt.ended
    if attempt.status in (0, SUCCESS[operation.kind]):
        return True
    if attempt.status == UNAVAILABLE:
        return attempt.retry_after is not None
    if customer is None:
        return False
    if attempt.status == GONE:
        return facts.may_be_deleted(customer, by, except_for=operation)
    return attempt.status == OUTDATED and _may_be_outdated(facts, operation, by)


def _may_be_outdated(facts: Facts, change: Operation, by: float) -> bool:
    """Return whether a write on the base or on our version may have come between, before `by`."""
    return any(
        other.base in (change.base, (change.base or 0) + 1)
        and other.outcome != "refused"
        and other.began <= by
        for other in facts.changes[str(change.customer)]
        if other is not change
    )


def _wrong_effect(write: Operation) -> Iterator[str]:
    """Yield acknowledgements that don't match the request."""
    version = (write.base or 0) + 1
    for seen in write.seen:
        if (seen.version, seen.phone) != (version, write.key):
            yield f"{write.label} returned another version: {seen}"
    if write.kind in CREATES and [seen.email for seen in write.seen] != write.emails:
        yield f"{write.label} returned other customers"


def _unexplained_versions(facts: Facts) -> Iterator[str]:
    """Yield versions that no write explains: the key is unknown, rejected, or was sent later."""
    for operation in facts.operations:
        for seen in operation.seen:
            writer = facts.by_key.get(seen.phone)
            if writer is None or writer.outcome == "refused" or writer.began > operation.ended:
                yield f"{operation.label} returned a version that no client wrote: {seen}"
    for seen in facts.final_versions:
        writer = facts.by_key.get(seen.phone)
        if writer is None or writer.outcome == "refused":
            yield f"the final data has a version that no client wrote: {seen}"


def _partial(facts: Facts) -> Iterator[str]:
    """Yield each batch of which only a part was created."""
    if facts.final is None:
        return
    emails = {seen.email for seen in facts.final.stored}
    for write in facts.writes:
        if write.kind not in CREATES:
            continue
        created = [email for email in write.emails if email in emails]
        if created and len(created) < len(write.emails):
            yield f"{write.label} was applied partly: {len(created)} of {len(write.emails)}"


def _disagreement(final: Final | None) -> Iterator[str]:
    """Yield differences between the list, the single reads and the database."""
    if final is None:
        return
    if doubled := len(final.listed) - len({seen.id for seen in final.listed}):
        yield f"the list contains {doubled} customers twice"
    stored = {seen.id: seen for seen in final.stored}
    listed = {seen.id: seen for seen in final.listed}
    for customer in stored.keys() | listed.keys():
        if stored.get(customer) != listed.get(customer):
            yield f"listed {listed.get(customer)}, stored {stored.get(customer)}"
    for customer, seen in stored.items():
        if final.read.get(customer) != (None if seen.deleted else seen):
            yield f"read {final.read.get(customer)}, stored {seen}"
    yield from (f"the history of {customer} lacks a version" for customer in final.gaps)


def _stale(facts: Facts) -> Iterator[str]:
    """Yield reads that return less than was known before they began."""
    created = sorted(
        (seen.id, operation.ended) for operation in facts.done(CREATES) for seen in operation.seen
    )
    for operation in facts.operations:
        if operation.is_write:
            continue
        for seen in operation.seen:
            if seen.version < (known := facts.known_before(seen.id, operation.began)):
                yield f"{operation.kind} returned {seen}, when version {known} was known"
        if operation.kind == "list" and operation.outcome == "done":
            yield from _missing_from_page(facts, operation, created)


def _missing_from_page(
    facts: Facts, page: Operation, created: Sequence[tuple[str, float]]
) -> Iterator[str]:
    """Yield customers that existed before the newest customers were listed, but are missing there.

    An id begins with its creation time, so no id created before the list began sorts after it.
    """
    shown = {seen.id for seen in page.seen}
    first = min(shown) if len(shown) == PAGE else ""
    begin = bisect_left(created, (first, 0.0))
    end = bisect_right(created, (_id_at(page.began), 0.0))
    for customer, known_at in created[begin:end]:
        if (
            known_at < page.began
            and customer not in shown
            and not facts.may_be_deleted(customer, page.ended)
        ):
            yield f"the list omitted {customer}, which was created before"


def _id_at(moment: float) -> str:
    digits = f"{int(moment * 1000) + 1:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _lost_updates(facts: Facts) -> Iterator[str]:
    """Yield acknowledged changes that were overwritten or do not exist."""
    writers: dict[tuple[str, int], set[str]] = defaultdict(set)
    for operation in facts.done(CHANGES):
        for seen in operation.seen:
            writers[seen.id, seen.version].add(operation.key)
            if seen.version <= (known := facts.known_before(seen.id, operation.began)):
                yield f"{operation.label} wrote {seen}, when version {known} was known"
    for (customer, version), keys in writers.items():
        if len(keys) > 1:
            yield f"version {version} of {customer} was acknowledged to {', '.join(sorted(keys))}"
    yield from _split_versions(facts)
    yield from _vanished_versions(facts)


def _split_versions(facts: Facts) -> Iterator[str]:
    contents: dict[tuple[str, int], set[str]] = defaultdict(set)
    for seen in facts.everything:
        # A delete does not know the content of the customer's last version.
        contents[seen.id, seen.version].add("deleted" if seen.deleted else seen.phone)
    for (customer, version), seen_as in contents.items():
        if len(seen_as) > 1:
            yield f"version {version} of {customer} was returned as {', '.join(sorted(seen_as))}"


def _vanished_versions(facts: Facts) -> Iterator[str]:
    if facts.final is None:
        return
    for seen in facts.final.stored:
        _, versions = facts.known.get(seen.id, ([], [0]))
        if versions[-1] > seen.version:
            yield f"{seen.id} had version {versions[-1]}, but has version {seen.version} at the end"
