"""Whoever follows the feed of changes has a copy of the database at the end."""

from collections.abc import Iterator

from load.chaos.facts import Facts
from load.chaos.history import Seen


def differs(facts: Facts) -> Iterator[str]:
    """Yield customers that the copy lacks, or has in another version or state."""
    if facts.final is None or facts.final.mirror is None:
        return
    mirror = facts.final.mirror
    stored = {seen.id: _in_feed(seen) for seen in facts.final.stored}
    for customer in stored.keys() | mirror.keys():
        if mirror.get(customer) != stored.get(customer):
            yield f"the mirror has {mirror.get(customer)}, stored is {stored.get(customer)}"


def _in_feed(stored: Seen) -> Seen:
    """Return the customer as the feed shows it: without its content, unless it is live."""
    return stored if stored.is_live else Seen(stored.id, stored.version, state=stored.state)
