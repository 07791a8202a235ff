"""Every response and every version has an explanation."""

from collections.abc import Iterator

from load.chaos.facts import Facts, Final
from load.chaos.history import CREATES, EDITS, ERASURES, REMOVALS, SUCCESS, Attempt, Operation, Seen

UNAVAILABLE, OUTDATED, GONE = 503, 412, 404


def unexpected(facts: Facts) -> Iterator[str]:
    """Yield responses and versions that no rule explains."""
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
    if attempt.status in (0, SUCCESS[operation.kind]):
        return True
    if attempt.status == UNAVAILABLE:
        return attempt.retry_after is not None
    if operation.customer is None:
        return False
    if attempt.status == GONE:
        return _may_be_gone(facts, operation, attempt)
    return attempt.status == OUTDATED and _may_be_outdated(facts, operation, attempt)


def _may_be_gone(facts: Facts, operation: Operation, attempt: Attempt) -> bool:
    """Return whether a removal explains 404. Without a version, it may be the operation's own."""
    kinds = ERASURES if operation.kind in ("restore", "erase") else REMOVALS
    is_repeated = attempt is not operation.attempts[0]
    own = None if operation.base is None and is_repeated else operation
    return facts.may_be_removed(
        str(operation.customer), kinds, attempt.began, attempt.ended, except_for=own
    )


def _may_be_outdated(facts: Facts, change: Operation, attempt: Attempt) -> bool:
    """Return whether a write on the base or on our version may have come between."""
    if change.base is None:
        return False
    return any(
        other.base in (None, change.base, change.base + 1)
        and other.outcome != "refused"
        and other.began <= attempt.ended
        for other in facts.changes[str(change.customer)]
        if other is not change
    )


def _wrong_effect(write: Operation) -> Iterator[str]:
    """Yield acknowledgements that don't match the request."""
    version = None if write.customer and write.base is None else (write.base or 0) + 1
    for seen in write.seen:
        is_ours = write.kind not in CREATES | EDITS or seen.phone == write.key
        if not is_ours or version not in (None, seen.version):
            yield f"{write.label} returned another version: {seen}"
    if write.kind in CREATES and [seen.email for seen in write.seen] != write.emails:
        yield f"{write.label} returned other customers"


def _unexplained_versions(facts: Facts) -> Iterator[str]:
    """Yield versions that no write explains: it is unknown, rejected, or was sent later."""
    for shown in facts.shown:
        if not _has_writer(facts, shown.seen, shown.ended):
            yield f"{shown.by} showed a version that no client wrote: {shown.seen}"


def _has_writer(facts: Facts, seen: Seen, by: float) -> bool:
    if seen.phone:
        writer = facts.by_key.get(seen.phone)
        if writer is None or writer.outcome == "refused" or writer.began > by:
            return False
    kinds = {"live": (), "deleted": REMOVALS, "erased": ERASURES}[seen.state]
    return not kinds or any(
        change.kind in kinds and change.outcome != "refused" and change.began <= by
        for change in facts.changes[seen.id]
    )


def _partial(facts: Facts) -> Iterator[str]:
    """Yield each batch of which only a part was created."""
    if facts.final is None:
        return
    ids = {seen.id for seen in facts.final.stored}
    emails = {seen.email for seen in facts.final.stored}
    for write in facts.writes:
        if write.kind not in CREATES:
            continue
        acknowledged = {seen.email for seen in write.seen if seen.id in ids}  # some are erased
        created = [email for email in write.emails if email in emails | acknowledged]
        if created and len(created) < len(write.emails):
            yield f"{write.label} was applied partly: {len(created)} of {len(write.emails)}"


def _disagreement(final: Final | None) -> Iterator[str]:
    """Yield differences between the list, the single reads and the database."""
    if final is None:
        return
    if doubled := len(final.listed) - len({seen.id for seen in final.listed}):
        yield f"the list contains {doubled} customers twice"
    stored = {seen.id: seen for seen in final.stored if seen.state != "erased"}
    listed = {seen.id: seen for seen in final.listed}
    for customer in stored.keys() | listed.keys():
        if stored.get(customer) != listed.get(customer):
            yield f"listed {listed.get(customer)}, stored {stored.get(customer)}"
    for seen in final.stored:
        if final.read.get(seen.id) != (seen if seen.is_live else None):
            yield f"read {final.read.get(seen.id)}, stored {seen}"
    yield from (f"the history of {customer} lacks a version" for customer in final.gaps)
