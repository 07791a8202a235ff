"""A write of several customers takes effect for all of them, or for none."""

from collections.abc import Iterator

from load.chaos.facts import Facts
from load.chaos.history import CREATES, REMOVALS, Operation


def partial(facts: Facts) -> Iterator[str]:
    """Yield writes of several customers of which only a part took effect."""
    if facts.final is None:
        return
    ids = {seen.id for seen in facts.final.stored}
    emails = {seen.email for seen in facts.final.stored}
    latest = {seen.id: seen.version for seen in facts.final.stored}
    for write in facts.writes:
        if write.kind in CREATES:
            acknowledged = {seen.email for seen in write.seen if seen.id in ids}  # some are erased
            effects = [email in emails | acknowledged for email in write.emails]
        else:
            effects = [
                effect
                for part in write.parts
                if (effect := _effect(facts, part, latest)) is not None
            ]
        if any(effects) and not all(effects):
            yield f"{write.label} was applied partly: {sum(effects)} of {len(effects)}"


def _effect(facts: Facts, part: Operation, latest: dict[str, int]) -> bool | None:
    """Return whether the part took effect, or None if nothing shows this."""
    customer, version = str(part.customer), (part.base or 0) + 1
    if latest.get(customer, 0) < version:
        return False
    contents = facts.contents.get((customer, version), set())
    wanted = "deleted" if part.kind == "delete" else part.key
    if contents - {wanted}:
        return False
    is_unclear = part.kind == "delete" and _has_rival(facts, part)
    return True if contents and not is_unclear else None


def _has_rival(facts: Facts, delete: Operation) -> bool:
    """Return whether another removal may have written the same version."""
    return any(
        other.kind in REMOVALS and other.outcome != "refused" and other.base in (None, delete.base)
        for other in facts.changes[str(delete.customer)]
        if other is not delete
    )
