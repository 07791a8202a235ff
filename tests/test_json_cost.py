"""The benchmark of the database's JSON compares two ways to the same response."""

import json
import re
import subprocess
import sys
from uuid import UUID

import pytest

from benchmarks import columns, json_cost
from benchmarks.backends import KNOWN
from benchmarks.events import CUSTOMER_ID
from benchmarks.json_cost import Costs, Figures
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.http import resources
from local import engines, seed
from tests.recorded import Recorded

PRINT_STATEMENTS = """
from benchmarks import json_cost, with_columns
for kind in json_cost.READS:
    print(json_cost.statements(kind)[1].sql)
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", json_cost.READS)
def test_columns_and_json_become_the_same_customers(database: Recorded, kind: str) -> None:
    seed.load(database, 60)
    database.execute(KNOWN, id=UUID(CUSTOMER_ID).bytes)
    plain, own = json_cost.statements(kind)

    texts = columns.read_texts(plain.run(database)), resources.read_texts(own.run(database))

    from_columns, from_json = (json.loads(f"[{text}]") for text in texts)
    assert from_columns == from_json
    assert len(from_json) == (51 if kind == "list" else 1)
    assert from_json[0].keys() == set(CUSTOMERS.names)


def test_measured_app_selects_columns() -> None:
    """Otherwise the benchmark would compare the service with itself."""
    command = [sys.executable, "-c", PRINT_STATEMENTS]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    expected = [json_cost.statements(kind)[0].sql for kind in json_cost.READS]
    assert printed.stdout.splitlines() == expected
    assert "CONCAT" not in printed.stdout


def test_report_compares_what_json_costs_and_saves() -> None:
    database = dict.fromkeys(json_cost.READS, Costs(100, 300, 200))
    function = dict.fromkeys(json_cost.READS, Costs(1500, 501, -1000))

    saved = dict.fromkeys(json_cost.READS, 0.5)

    results = json_cost.report(Figures(database, function, saved), "MySQL 9.7")

    assert "| get | 100 | 300 | 200 | 1,500 | 501 | 1,000 | 5.0 | 0.50 |" in results
    assert "MySQL 9.7" in results


def test_results_replace_those_of_the_same_engine() -> None:
    page = "A\n<!-- make bench, ENGINE={} -->\n<!-- end -->\n"
    empty = page.format("mariadb") + page.format("mysql")

    full = json_cost.replace(json_cost.replace(empty, "mariadb", "old"), "mysql", "other")
    full = json_cost.replace(full, "mariadb", "new")

    expected = [text.replace("\n<!-- end", "\n{}\n<!-- end") for text in (page, page)]
    assert full == expected[0].format("mariadb", "new") + expected[1].format("mysql", "other")


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_page_has_the_results_of_each_engine(engine: str) -> None:
    page = json_cost.PAGE.read_text()

    (figures,) = re.findall(json_cost.FIGURES.format(engine), page, re.DOTALL)

    assert f"\n{engine} " in figures.lower()
    assert all(f"\n| {name} |" in figures for name in json_cost.NAMES.values())
