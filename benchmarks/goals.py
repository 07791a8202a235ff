"""Compare the package with the goals of performance: a part of `make bench`.

The costs are those of `make budget`, which measures the unpacked package with both functions. The
ratios refer to a cold start of the handwritten handler with boto3, or to its further requests.
"""

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.budget import OPERATIONS
from benchmarks.meter import Costs
from benchmarks.results import table

MILLION = 1e-6
FUNCTIONS = {
    "purge": "purge",
    "relay": "relay of 100 events",
    "token": "authorizer: a new token, RS256",
}


class Value(NamedTuple):
    """A value that should not exceed its maximum."""

    name: str
    now: float
    maximum: float
    digits: int

    @property
    def row(self) -> list[str]:
        verdict = "pass" if self.now <= self.maximum else "**fail**"
        return [self.name, *(f"{n:.{self.digits}f}" for n in (self.now, self.maximum)), verdict]


def report(costs: Mapping[str, float], base: Costs) -> str:
    """Return the cold starts of all operations and functions, and all values with a goal.

    `costs` are those of `budget.measure`; `base` has million instructions of bare boto3.
    """
    colds = {"get": costs["cold instructions"] * MILLION}
    for kind in (*OPERATIONS, *FUNCTIONS):
        colds[kind] = costs[f"cold {kind} instructions"] * MILLION
    rows = [
        [FUNCTIONS.get(kind, kind), f"{cold:.0f}", f"{cold / base['cold']:.2f}"]
        for kind, cold in colds.items()
    ]
    return "\n".join(
        [
            table(["function, request", "million instructions", "ratio"], rows),
            "",
            table(["value", "now", "goal", ""], [value.row for value in goals(costs, colds, base)]),
        ]
    )


def goals(costs: Mapping[str, float], colds: Mapping[str, float], base: Costs) -> list[Value]:
    """Return the values that have a goal. `colds` are in million instructions."""
    token = colds["token"]
    worst = max((kind for kind in colds if kind != "token"), key=colds.__getitem__)
    warm = {
        kind: costs[f"{kind} instructions"] * MILLION / base[kind]
        for kind in ("get", "list", "create")
    }
    package, layer = (
        costs[f"bytes of the {name}"] * MILLION for name in ("package", "authorizer's layer")
    )
    return [
        Value(f"worst cold start ({worst}), ratio", colds[worst] / base["cold"], 0.22, 3),
        Value("authorizer cold, million", token, 200, 0),
        Value("new token and get, million", token + colds["get"], 340, 0),
        Value("new token and list with a query, million", token + colds["list"], 370, 0),
        Value("warm get, ratio", warm["get"], 0.19, 3),
        Value("warm list of 50, ratio", warm["list"], 0.075, 3),
        Value("warm create, ratio", warm["create"], 0.24, 3),
        Value("package of the function, MB", package, 0.8, 2),
        Value("layer of the authorizer, MB", layer, 3, 2),
    ]
