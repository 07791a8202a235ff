"""Acknowledged writes are stored, once, and no other write overwrites them."""

from collections import defaultdict
from collections.abc import Collection, Iterator

from load.chaos.facts import Facts
from load.chaos.history import CHANGES, CREATES, ERASURES, EXTERNAL, PUTS, REMOVALS


def lost(facts: Facts) -> Iterator[str]:
    """Yield customers that were acknowledged, but do not exist at the end."""
    if facts.final is None:
        return
    stored = {seen.id for seen in facts.final.stored}
    for operation in facts.done((*CREATES, *PUTS)):
        for seen in operation.seen:
            if seen.id not in stored:
                yield f"{operation.label} was acknowledged as {seen.id}, which does not exist"


def duplicated(facts: Facts) -> Iterator[str]:
    """Yield each create that inserted more than one customer, and each PUT that changed one twice.

    An erasure also erases the key, so a late attempt may then create the customer again. A deletion
    frees the external id, so a PUT may then create another customer with it.
    """
    ids_by_email: dict[str, set[str]] = defaultdict(set)
    for seen, *_ in facts.durable:
        if seen.email:
            ids_by_email[seen.email].add(seen.id)
    for email, ids in ids_by_email.items():
        ends = REMOVALS if email.startswith(EXTERNAL) else ERASURES
        if len([one for one in ids if not _may_have_had(facts, one, ends)]) > 1:
            yield f"{email} was created {len(ids)} times: {', '.join(sorted(ids))}"
    for (customer, version), keys in facts.contents.items():
        for key in keys & facts.contents.get((customer, version + 1), set()):
            if key in facts.by_key and facts.by_key[key].kind in PUTS:
                yield f"{key} wrote versions {version} and {version + 1} of {customer}"


def _may_have_had(facts: Facts, customer: str, kinds: Collection[str]) -> bool:
    return any(
        change.kind in kinds and change.outcome != "refused" for change in facts.changes[customer]
    )


def lost_updates(facts: Facts) -> Iterator[str]:
    """Yield acknowledged changes that were overwritten or do not exist."""
    yield from _outdated(facts)
    for (customer, version), contents in facts.contents.items():
        if len(contents) > 1:
            yield f"version {version} of {customer} was shown as {', '.join(sorted(contents))}"
    yield from _vanished_versions(facts)
    yield from _restored_contents(facts)


def _outdated(facts: Facts) -> Iterator[str]:
    """Yield changes of a version that was known to be outdated, or that another change wrote."""
    writers: dict[tuple[str, int], set[str]] = defaultdict(set)
    for operation in facts.done((*PUTS, *CHANGES)):
        if operation.kind == "restore" and operation.base is None:
            continue  # it also succeeds if the customer is not deleted
        for seen in operation.seen:
            writers[seen.id, seen.version].add(operation.key)
            if seen.version <= (known := facts.known_before(seen.id, operation.began)):
                yield f"{operation.label} wrote {seen}, when version {known} was known"
    for (customer, version), keys in writers.items():
        if len(keys) > 1:
            yield f"version {version} of {customer} was acknowledged to {', '.join(sorted(keys))}"


def _vanished_versions(facts: Facts) -> Iterator[str]:
    if facts.final is None:
        return
    for seen in facts.final.stored:
        _, versions = facts.known.get(seen.id, ([], [0]))
        if versions[-1] > seen.version:
            yield f"{seen.id} had version {versions[-1]}, but has version {seen.version} at the end"


def _restored_contents(facts: Facts) -> Iterator[str]:
    """Yield restores that returned another content than the customer had before its deletion."""
    for operation in facts.done(("restore",)):
        for seen in operation.seen:
            before = facts.contents.get((seen.id, (operation.base or 0) - 1), {seen.phone})
            if operation.base and seen.phone not in before:
                yield f"{operation.label} returned {seen}, and before the deletion was {before}"
