"""Every response and every version has an explanation."""

import math
from collections.abc import Iterator

from load.chaos.facts import Facts, Final
from load.chaos.history import (
    CREATES,
    EDITS,
    ERASURES,
    PUTS,
    REMOVALS,
    SUCCESS,
    Attempt,
    Operation,
    Seen,
)

UNAVAILABLE, CONFLICT, OUTDATED, GONE = 503, 409, 412, 404


def unexpected(facts: Facts) -> Iterator[str]:
    """Yield responses and versions that no rule explains."""
    for operation in facts.operations:
        for attempt in operation.attempts:
            if not _is_explained(facts, operation, attempt):
                yield f"{operation.label} returned {attempt.status}"
        if operation.wrong:
            yield f"{operation.label}: {operation.wrong}"
        if operation.outcome == "done" and operation.is_write:
            for part in operation.parts:
                yield from _wrong_effect(part)
    yield from _unexplained_versions(facts)
    yield from _disagreement(facts.final)


def _is_explained(facts: Facts, operation: Operation, attempt: Attempt) -> bool:
    if attempt.status in (0, *SUCCESS[operation.kind]):
        return True
    if attempt.status == UNAVAILABLE:
        return attempt.retry_after is not None
    if operation.kind == "put new":
        return attempt.status == OUTDATED and _may_be_taken(facts, operation, attempt)
    changes = [part for part in operation.parts if part.customer]
    if attempt.status == GONE:
        return any(_may_be_gone(facts, change, attempt) for change in changes)
    if attempt.status == (CONFLICT if operation.items else OUTDATED):
        return any(_may_be_outdated(facts, change, attempt) for change in changes)
    return False


def _may_be_taken(facts: Facts, put: Operation, attempt: Attempt) -> bool:
    """Return whether another PUT may have created a customer with the external id."""
    return any(
        other.kind in PUTS
        and other.emails == put.emails
        and other.outcome != "refused"
        and other.began <= attempt.ended
        for other in facts.writes
        if other is not put
    )


def _may_be_gone(facts: Facts, operation: Operation, attempt: Attempt) -> bool:
    """Return whether a removal explains 404. Without a version, it may be the operation's own."""
    kinds = ERASURES if operation.kind in ("restore", "erase") else REMOVALS
    is_repeated = attempt is not operation.attempts[0]
    own = None if operation.base is None and is_repeated else operation
    return facts.may_be_removed(
        str(operation.customer), kinds, attempt.began, attempt.ended, except_for=own
    )


def _may_be_outdated(facts: Facts, change: Operation, attempt: Attempt) -> bool:
    """Return whether a write on the base or on our version may have come between.

    By external id, it may also have freed the id, which another customer then has.
    """
    if change.base is None:
        return False
    if change.is_external and _may_be_gone(facts, change, attempt):
        return True
    return any(
        _may_follow(other, change.base)
        and other.outcome != "refused"
        and other.began <= attempt.ended
        for other in facts.changes[str(change.customer)]
        if other is not change
    )


def _may_follow(write: Operation, base: int) -> bool:
    """Return whether the write may have created one of the next two versions."""
    if write.kind in PUTS and write.outcome == "done" and write.until < math.inf:
        return any(seen.version > base for seen in write.seen)
    return write.base in (None, base, base + 1)


def _wrong_effect(write: Operation) -> Iterator[str]:
    """Yield acknowledgements that don't match the request."""
    is_known = write.base is not None or write.kind in CREATES
    version = (write.base or 0) + 1 if is_known else None
    for seen in write.seen:
        is_ours = write.kind not in (*CREATES, *PUTS, *EDITS) or seen.phone == write.key
        if not is_ours or version not in (None, seen.version):
            yield f"{write.label} returned another version: {seen}"
    if write.kind in (*CREATES, *PUTS) and [seen.email for seen in write.seen] != write.emails:
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
