"""A removed customer stays away, and an erasure leaves nothing."""

from collections.abc import Iterator

from load.chaos.facts import Facts, Shown
from load.chaos.history import ERASURES, REMOVALS, Operation


def resurrected(facts: Facts) -> Iterator[str]:
    """Yield customers that were shown after their erasure, or their deletion without a restore."""
    for shown in facts.shown:
        if shown.seen.state == "erased":
            continue
        for removal in facts.changes[shown.seen.id]:
            if removal.kind in REMOVALS and _is_removed(facts, shown, removal):
                yield f"{shown.by} showed {shown.seen} after {removal.label}"


def _is_removed(facts: Facts, shown: Shown, removal: Operation) -> bool:
    """Return whether the removal was acknowledged before, so that the version can't exist."""
    if removal.outcome != "done" or removal.ended >= shown.began:
        return False
    if removal.kind in ERASURES:
        return True
    customer = shown.seen.id
    return shown.seen.is_live and not facts.may_be_restored(customer, removal.began, shown.ended)


def half_erased(facts: Facts) -> Iterator[str]:
    """Yield erased customers of which data remains."""
    if facts.final:
        for customer, columns in facts.final.leftovers.items():
            yield f"{customer} is erased, and still has {', '.join(columns)}"
