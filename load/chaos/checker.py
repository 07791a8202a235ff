"""From a history and a final reading to a verdict; nothing here runs or asks anything.

The promises (docs/decisions/0008): what was acknowledged is there, once; a version is made by one
write, on the version that it named; no read shows less than was known before it began. Each rule
yields a line for each breach. What no rule explains is a breach, too: `unexpected`.
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
    """Counts of operations, and the breaches by kind. `is_whole` when there was a final reading."""

    counts: Mapping[str, int]
    breaches: Mapping[str, list[str]]
    is_whole: bool

    @property
    def result(self) -> str:
        """`fail` with a breach; without one, `pass` only after a final reading, else `unknown`."""
        if any(self.breaches.values()):
            return "fail"
        return "pass" if self.is_whole else "unknown"


def check(operations: Sequence[Operation], final: Final | None) -> Verdict:
    """Hold the operations, in any order, and the final reading to every rule."""
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
    counted = Counter(each.outcome for each in facts.writes)
    unknown = [each for each in facts.writes if each.outcome == "unknown"]
    return {
        "acknowledged": counted["done"],
        "refused": counted["refused"],
        "unknown": counted["unknown"],
        "recovered": sum(1 for each in unknown if _is_found(facts, each)),
        "repeated": sum(1 for each in facts.writes if len(each.attempts) > 1),
        "reads": sum(1 for _ in facts.done(("read", "list"))),
    }


def _is_found(facts: Facts, write: Operation) -> bool:
    if write.kind == "delete":
        return (write.customer, (write.base or 0) + 1) in facts.deleted_versions
    return write.key in facts.found_keys


def _lost(facts: Facts) -> Iterator[str]:
    """Yield what was created, and is not there at the end."""
    if facts.final is None:
        return
    stored = {seen.id for seen in facts.final.stored}
    for each in facts.done(CREATES):
        for seen in each.seen:
            if seen.id not in stored:
                yield f"{each.kind} {each.key} was acknowledged as {seen.id}, which is not there"


def _duplicated(facts: Facts) -> Iterator[str]:
    """Yield each create that made several customers."""
    made: dict[str, set[str]] = defaultdict(set)
    for seen in facts.everything:
        made[seen.email].add(seen.id)
    for email, ids in made.items():
        if len(ids) > 1:
            yield f"{email} was created {len(ids)} times: {', '.join(sorted(ids))}"


def _unexpected(facts: Facts) -> Iterator[str]:
    for each in facts.operations:
        for attempt in each.attempts:
            if not _is_explained(facts, each, attempt):
                yield f"{each.kind} {each.key} was answered {attempt.status}"
        if each.wrong:
            yield f"{each.kind} {each.key}: {each.wrong}"
        if each.outcome == "done" and each.is_write:
            yield from _wrong_effect(each)
    yield from _strangers(facts)
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
        return facts.may_be_deleted(customer, by, but=operation)
    return attempt.status == OUTDATED and _may_be_outdated(facts, operation, by)


def _may_be_outdated(facts: Facts, change: Operation, by: float) -> bool:
    """Whether another write may have come in between, by then: on the same version or on ours."""
    return any(
        each.base in (change.base, (change.base or 0) + 1)
        and each.outcome != "refused"
        and each.began <= by
        for each in facts.changes[str(change.customer)]
        if each is not change
    )


def _wrong_effect(write: Operation) -> Iterator[str]:
    """Yield an acknowledgement that is not of what was sent."""
    version = (write.base or 0) + 1
    for seen in write.seen:
        if (seen.version, seen.phone) != (version, write.key):
            yield f"{write.kind} {write.key} was answered with another version: {seen}"
    if write.kind in CREATES and [seen.email for seen in write.seen] != write.emails:
        yield f"{write.kind} {write.key} was answered with other customers"


def _strangers(facts: Facts) -> Iterator[str]:
    """Yield versions that no write explains: its key is unknown, or refused, or was sent later."""
    for each in facts.operations:
        for seen in each.seen:
            maker = facts.by_key.get(seen.phone)
            if maker is None or maker.outcome == "refused" or maker.began > each.ended:
                yield f"{each.kind} {each.key} saw what nobody can have written: {seen}"
    for seen in facts.final_versions:
        maker = facts.by_key.get(seen.phone)
        if maker is None or maker.outcome == "refused":
            yield f"at the end there is what nobody can have written: {seen}"


def _partial(facts: Facts) -> Iterator[str]:
    """Yield each batch of which some customers are there, and some are not."""
    if facts.final is None:
        return
    emails = {seen.email for seen in facts.final.stored}
    for each in facts.writes:
        if each.kind not in CREATES:
            continue
        there = [email for email in each.emails if email in emails]
        if there and len(there) < len(each.emails):
            yield f"{each.kind} {each.key} was done in part: {len(there)} of {len(each.emails)}"


def _disagreement(final: Final | None) -> Iterator[str]:
    """Yield where the list, the reads and the database do not tell the same."""
    if final is None:
        return
    if doubled := len(final.listed) - len({seen.id for seen in final.listed}):
        yield f"the list has {doubled} customers twice"
    stored = {seen.id: seen for seen in final.stored}
    listed = {seen.id: seen for seen in final.listed}
    for customer in stored.keys() | listed.keys():
        if stored.get(customer) != listed.get(customer):
            yield f"listed {listed.get(customer)}, stored {stored.get(customer)}"
    for customer, seen in stored.items():
        if final.read.get(customer) != (None if seen.deleted else seen):
            yield f"read {final.read.get(customer)}, stored {seen}"


def _stale(facts: Facts) -> Iterator[str]:
    """Yield reads that show less than was known before they began."""
    created = sorted((seen.id, each.ended) for each in facts.done(CREATES) for seen in each.seen)
    for each in facts.operations:
        if each.is_write:
            continue
        for seen in each.seen:
            if seen.version < (known := facts.known_before(seen.id, each.began)):
                yield f"{each.kind} saw {seen}, when version {known} was known"
        if each.kind == "list" and each.outcome == "done":
            yield from _left_out(facts, each, created)


def _left_out(facts: Facts, page: Operation, created: Sequence[tuple[str, float]]) -> Iterator[str]:
    """Yield customers that were there before the newest were listed, and are not among them.

    An id begins with the time at which it was made: none that was known is from later.
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
            yield f"list did not show {customer}, which was created before"


def _id_at(moment: float) -> str:
    digits = f"{int(moment * 1000) + 1:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _lost_updates(facts: Facts) -> Iterator[str]:
    """Yield acknowledged changes that another one undid, or that are not there."""
    makers: dict[tuple[str, int], set[str]] = defaultdict(set)
    for each in facts.done(CHANGES):
        for seen in each.seen:
            makers[seen.id, seen.version].add(each.key)
            if seen.version <= (known := facts.known_before(seen.id, each.began)):
                yield f"{each.kind} {each.key} made {seen}, when version {known} was known"
    for (customer, version), keys in makers.items():
        if len(keys) > 1:
            yield f"version {version} of {customer} was acknowledged to {', '.join(sorted(keys))}"
    yield from _split_versions(facts)
    yield from _gone_versions(facts)


def _split_versions(facts: Facts) -> Iterator[str]:
    contents: dict[tuple[str, int], set[str]] = defaultdict(set)
    for seen in facts.everything:
        # what a deleted customer's last version was like, its delete does not know
        contents[seen.id, seen.version].add("deleted" if seen.deleted else seen.phone)
    for (customer, version), found in contents.items():
        if len(found) > 1:
            yield f"version {version} of {customer} was seen as {', '.join(sorted(found))}"


def _gone_versions(facts: Facts) -> Iterator[str]:
    if facts.final is None:
        return
    for seen in facts.final.stored:
        _, versions = facts.known.get(seen.id, ([], [0]))
        if versions[-1] > seen.version:
            yield f"{seen.id} had version {versions[-1]}, and at the end has {seen.version}"
