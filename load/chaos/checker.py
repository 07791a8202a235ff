"""Check a history and the final data against the guarantees. Pure functions without I/O.

The guarantees (docs/decisions/0008, 0028, 0032): each acknowledged customer exists, exactly once;
each version is written by one write, based on the version that the write named; no read returns
less than was known before the read began; an erasure leaves nothing, for good; whoever follows the
feed misses nothing; each version has its event, in order. `rules` has one rule for each way to
violate them. A response that no rule explains is a violation, too: `unexpected`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from load.chaos.facts import Facts, Final
from load.chaos.history import BULK, CREATES, EDITS, ERASURES, PUTS, Fault, Operation
from load.chaos.rules import RULES


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


def check(
    operations: Sequence[Operation], final: Final | None, crashes: Sequence[Fault] = ()
) -> Verdict:
    """Check the operations, in any order, and the final data against every rule.

    `crashes` are the faults that ended the database's process.
    """
    facts = Facts(operations, final, crashes)
    breaches = {name: list(rule(facts)) for name, rule in RULES.items()}
    return Verdict(_counts(facts), breaches, final is not None)


def _counts(facts: Facts) -> dict[str, int]:
    counted = Counter(write.outcome for write in facts.writes)
    done = Counter(write.kind for write in facts.writes if write.outcome == "done")
    unknown = [write for write in facts.writes if write.outcome == "unknown"]
    return {
        "acknowledged": counted["done"],
        "refused": counted["refused"],
        "unknown": counted["unknown"],
        "recovered": sum(1 for write in unknown if _is_found(facts, write)),
        "repeated": sum(1 for write in facts.writes if len(write.attempts) > 1),
        "restored": done["restore"],
        "erased": sum(done[kind] for kind in ERASURES),
        "of several": sum(done[kind] for kind in BULK),
        "by external id": sum(done[kind] for kind in PUTS),
        "reads": sum(1 for _ in facts.done(("read", "list"))),
        "pages of the feed": sum(1 for _ in facts.done(("changes",))),
        "events": len(facts.events),
        "repeated events": len(facts.events) - len({event["id"] for event in facts.events}),
    }


def _is_found(facts: Facts, write: Operation) -> bool:
    if write.items:
        return any(_is_found(facts, part) for part in write.parts)
    if write.kind in (*CREATES, *PUTS, *EDITS):
        return write.key in facts.found_keys
    state = {"delete": "deleted", "restore": "live"}.get(write.kind, "erased")
    return (write.customer, (write.base or 0) + 1, state) in facts.found_states
