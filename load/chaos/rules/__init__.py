"""The rules of the checker, one function each, which yields one line per violation."""

from collections.abc import Callable, Iterator, Mapping

from load.chaos.facts import Facts
from load.chaos.rules.erasures import half_erased, resurrected
from load.chaos.rules.events import disordered, unsent, wrong
from load.chaos.rules.feed import differs
from load.chaos.rules.partial import partial
from load.chaos.rules.reads import stale
from load.chaos.rules.unexpected import unexpected
from load.chaos.rules.writes import duplicated, lost, lost_updates

RULES: Mapping[str, Callable[[Facts], Iterator[str]]] = {
    "lost": lost,
    "duplicated": duplicated,
    "partial": partial,
    "unexpected": unexpected,
    "stale": stale,
    "lost updates": lost_updates,
    "resurrected": resurrected,
    "half-erased": half_erased,
    "mirror": differs,
    "unsent events": unsent,
    "disordered events": disordered,
    "wrong events": wrong,
}
