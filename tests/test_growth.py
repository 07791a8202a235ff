"""The benchmarks of growth: all requests between sizes, and pages of the feed between places."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from benchmarks import servers
from benchmarks.growth import feed, filling, keys, plans
from benchmarks.growth.__main__ import too_high
from benchmarks.growth.feed import Case, Costs
from benchmarks.growth.measuring import Measured, sample
from benchmarks.growth.requests import AND, GROWING, REQUESTS
from chalicelib.http import feed as pages
from chalicelib.http import values
from local.database_server import DatabaseServer

SIZE = 20_000
INDEX = "ix_customers_changed"
COUNTS = [
    "SELECT COUNT(*) FROM customers",
    "SELECT COUNT(*) FROM customers WHERE deleted_at IS NOT NULL",
]
COUNT_UPDATED = """
SELECT COUNT(*) FROM customers
WHERE changed_at <> FROM_UNIXTIME(CONV(LEFT(HEX(id), 12), 16, 10) / 1000)
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseServer]:
    for name in ("PATTERNS", "CHUNK"):
        monkeypatch.setattr(filling, name, 1_000)
    with servers.database(tmp_path) as running:
        yield running


@pytest.mark.exhaustive
def test_late_updates_are_a_percentage_and_near_the_end(server: DatabaseServer) -> None:
    for updated in (0, 10):
        url = filling.fill(server.url, [SIZE], INDEX, updated)[SIZE]
        first, middle, last = (case.count_updated() for case in feed.cases(updated, SIZE, url))

        assert filling.fetch(url, COUNT_UPDATED) == ((SIZE * updated // 100,),)
        assert first < middle < last if updated else first == middle == last == 0


@pytest.mark.exhaustive
def test_places_are_the_beginning_the_middle_and_the_end(server: DatabaseServer) -> None:
    url = filling.fill(server.url, [SIZE], INDEX, 0)[SIZE]

    first, middle, last = (_numbers(case) for case in feed.cases(0, SIZE, url))

    assert [page[0] for page in first[:3]] == [0, 501, 1_001]
    assert [page[0] for page in middle[:3]] == [10_001, 10_501, 11_001]
    assert [page[-1] for page in last[-2:]] == [SIZE - 501, SIZE - 1]
    assert [len(page) for page in first + middle + last] == [pages.LIMIT] * (3 * feed.PAGES)


@pytest.mark.exhaustive
def test_pages_of_customers_that_were_all_updated_are_scattered_everywhere(
    server: DatabaseServer,
) -> None:
    url = filling.fill(server.url, [SIZE], INDEX, filling.ALL)[SIZE]

    for case in feed.cases(filling.ALL, SIZE, url):
        assert case.count_updated() == pages.LIMIT
        assert all(max(page) - min(page) > 0.8 * SIZE for page in _numbers(case))


def _numbers(case: Case) -> list[list[int]]:
    """Return the numbers of the customers of each page, in the order of their creation."""
    found: list[Any] = [call(case.database) for call in case.calls()]
    return [[_number(row["hex_id"]) for row in page.rows] for page in found]


def _number(hex_id: str) -> int:
    milliseconds = values.created_at(UUID(hex_id)).timestamp() * 1000 - filling.FIRST
    return round(milliseconds * SIZE / (filling.LAST - filling.FIRST))


@pytest.mark.parametrize(
    ("without", "with_updates", "is_flat"),
    [
        ([Costs(102, 5, 2.0), Costs(102, 5, 2.2)], [Costs(102, 7, 3.0), Costs(102, 7, 3.3)], True),
        ([Costs(102, 5, 2.0), Costs(102, 6, 2.0)], [Costs(102, 5, 3.0)], False),
        ([Costs(102, 5, 2.0), Costs(102, 5, 2.3)], [Costs(102, 5, 3.0)], False),
        ([Costs(102, 5, 2.0)], [Costs(102, 5, 3.0), Costs(102, 5, 3.4)], False),
        ([Costs(102, 5, 2.0), Costs(103, 5, 2.0)], [Costs(102, 5, 3.0)], False),
    ],
    ids=["flat", "slow place", "expensive place", "expensive updates", "more entries"],
)
def test_pages_are_compared_with_those_of_the_same_database(
    without: list[Costs], with_updates: list[Costs], *, is_flat: bool
) -> None:
    larger = [Costs(102, 10, 6.0), Costs(102, 10, 6.0)]
    costs = {(0, SIZE): without, (10, SIZE): with_updates, (0, 2 * SIZE): larger}
    results = [
        (Case(updated, size, "first", database=None, cursors=[]), cost)  # type: ignore[arg-type]
        for (updated, size), of_pages in costs.items()
        for cost in of_pages
    ]

    assert feed.is_flat(results) == is_flat


@pytest.mark.exhaustive
def test_requests_leave_as_many_customers_as_there_were(server: DatabaseServer) -> None:
    url = filling.fill(server.url, [SIZE])[SIZE]
    sampled = sample(url)

    for name, prepare in (REQUESTS | GROWING).items():
        explained = plans.explain(prepare, sampled)

        assert len(explained) == len(name.split(AND)), name
        assert [filling.fetch(url, sql) for sql in COUNTS] == [((SIZE,),), ((SIZE // 50,),)], name


@pytest.mark.exhaustive
def test_depth_of_an_index_grows_with_the_table(server: DatabaseServer) -> None:
    sizes = [1_000, SIZE]
    filling.fill(server.url, sizes)

    small, large = (keys.read(server, filling.database_name(size)) for size in sizes)

    assert small["PRIMARY"].depth < large["PRIMARY"].depth
    assert small["PRIMARY"].size < large["PRIMARY"].size
    assert list(small) == list(large)


def test_growth_is_too_high_above_the_ratio_except_for_lists_that_read_all() -> None:
    growing = next(iter(GROWING))
    results = {
        name: {size: Measured([2 * ratio if size else 2], []) for size in (0, 1)}
        for name, ratio in (("get", 1.1), ("erase", 1.2), (growing, 9))
    }

    assert too_high(results, 1.1) == ["erase"]
    assert too_high(results, 1.2) == []
