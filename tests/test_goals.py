"""The report of `make bench` about the goals of performance."""

import json

import pytest

from benchmarks import budget, goals

BASE = {"cold": 1_000.0, "get": 5.0, "list": 30.0, "create": 5.0}
COSTS: dict[str, float] = {
    name: cost
    for name, cost in json.loads(budget.FILE.read_text()).items()
    if not isinstance(cost, str)
}


def test_every_operation_and_function_is_listed() -> None:
    rows = [line.split(" | ")[0].lstrip("| ") for line in goals.report(COSTS, BASE).splitlines()]

    assert {"get", *budget.OPERATIONS, *goals.FUNCTIONS.values()} <= set(rows)
    assert goals.FUNCTIONS.keys() == budget.OTHERS.keys()


@pytest.mark.parametrize(
    ("name", "cost", "row"),
    [
        ("cold batch", 220_000_000, "| worst cold start (batch), ratio | 0.220 | 0.220 | pass |"),
        ("cold list", 231_000_000, "| worst cold start (list), ratio | 0.231 | 0.220 | **fail** |"),
        ("cold token", 200_000_000, "| authorizer cold, million | 200 | 200 | pass |"),
        ("cold token", 300_000_000, "| authorizer cold, million | 300 | 200 | **fail** |"),
        ("cold", 100_000_000, "| new token and get, million | 250 | 340 | pass |"),
        ("get", 1_000_000, "| warm get, ratio | 0.200 | 0.190 | **fail** |"),
        ("list", 1_500_000, "| warm list of 50, ratio | 0.050 | 0.075 | pass |"),
    ],
)
def test_value_is_compared_with_its_goal(name: str, cost: int, row: str) -> None:
    batches = dict.fromkeys(["cold batch instructions", "cold patch batch instructions"], 200e6)
    own = {"cold token instructions": 150e6, **batches, f"{name} instructions": cost}
    report = goals.report(COSTS | own, BASE)

    assert row in report.splitlines()
