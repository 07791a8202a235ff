"""A removed customer stays away, and an erasure leaves nothing."""

from collections.abc import Iterator

from load.chaos.facts import Facts, Shown
from load.chaos.history import REMOVALS


def resurrected(facts: Facts) -> Iterator[str]:
    """Yield customers that were shown after their erasure, or their deletion without a restore."""
    for shown in facts.shown:
        if shown.seen.state == "erased":
            continue
        for removal in facts.changes[shown.seen.id]:
            is_over = removal.outcome == "done" and removal.ended < shown.began
            if (
                removal.kind in REMOVALS
                and is_over
                and _is_removed(facts, shown, removal.kind, removal.began)
            ):
                yield f"{shown.by} showed {shown.seen} after {removal.label}"


def _is_removed(facts: Facts, shown: Shown, kind: str, began: float) -> bool:
    """Return whether the version can't exist after an acknowledged removal."""
    if kind != "delete":
        return True
    return shown.seen.is_live and not facts.may_be_restored(shown.seen.id, began, shown.ended)


def half_erased(facts: Facts) -> Iterator[str]:
    """Yield erased customers of which data remains."""
    if facts.final:
        for customer, columns in facts.final.leftovers.items():
            yield f"{customer} is erased, and still has {', '.join(columns)}"
