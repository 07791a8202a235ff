"""Search for expensive requests: `make fuzz ARGS="--costs --runs 300000 --seed 1"`.

The cost of a request is its CPU time, divided by that of the plain request of its size (`plain`).
The search mutates requests that run a new line of code, and the most expensive ones of each
operation. It runs without libFuzzer's instrumentation, which would distort the cost, and without a
database, so that it is fast. It stores the most expensive request of each operation in the folder
`costs`. `tests/contract/test_costs.py` counts the instructions of those in `load/fuzz/worst`.
"""

import json
import logging
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from types import CodeType, SimpleNamespace
from typing import Any, NamedTuple

from tqdm import tqdm

import app
from benchmarks import stub
from chalicelib.database import Row, Value
from chalicelib.database.contract import Database
from chalicelib.observability import logs
from load.fuzz.cases import CUSTOMER, LIVE, Case, seeds, serialize
from load.fuzz.mutation import Mutator
from load.fuzz.plain import operation_of, plain_twin
from load.fuzz.possible import is_possible

CONTEXT = SimpleNamespace(aws_request_id="of-lambda", get_remaining_time_in_millis=lambda: 10**9)
MAX_HEAD = 12_000  # of an event without its body; API Gateway accepts 10,240 bytes of headers
MAX_CHARACTERS = 70_000  # of a body: larger ones take long to search
RUNS = 3  # of a request that seems to be expensive: the fastest counts
KEPT = 8  # expensive requests of each operation to mutate
SEARCHED = (  # what reads a body or a query
    *("post-customers", "post-customers-batch", "put-customers-customer_id"),
    *("patch-customers-customer_id", "get-customers", "get-customers-customer_id"),
)
FROM_EXPENSIVE = 0.7  # share of mutations that begin with one of these


class Found(NamedTuple):
    """A request, and its cost in plain requests."""

    cost: float
    case: Case


class CannedDatabase(Database):
    """A database in which every customer exists, and every write succeeds."""

    def transaction(self) -> Any:
        raise NotImplementedError

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        row = _row(sql)
        return ([row] * int(str(parameters.get("rows", 1))) if row else []), 1

    _run_to_end = _run


@cache
def _row(sql: str) -> Row | None:
    selected = stub.COLUMNS.match(sql)
    if not selected:
        return None
    return {stub.label(name): _value(name) for name in stub.columns(selected[1])}


def _value(column: str) -> Value:
    values: dict[str, Value] = {
        "id": bytes.fromhex(LIVE.replace("-", "")),
        "version": 1,
        "updated_at": datetime(2026, 1, 31, 12, tzinfo=UTC),
        "addresses": "[]",
        "metadata": "{}",
    }
    if stub.label(column) in {"document", "hex_id"}:
        return str(stub.plain(stub.field(column)))
    return values.get(column, CUSTOMER.get(column))


class Search:
    """The state of a search. Each call of `step` runs one mutated request."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)
        self._cases = [case for case in seeds() if case.function == "app"]
        self._mutate = Mutator([*seeds()], sorted(app.app.routes))
        self._plain: dict[tuple[str, int], float] = {}
        self._lines = NewLines()
        self.worst: dict[str, list[Found]] = defaultdict(list)
        for case in list(self._cases):
            self._try(case)

    def step(self) -> None:
        parents = self._cases
        if self._chance.random() < FROM_EXPENSIVE:
            parents = [found.case for found in self.worst[self._chance.choice(SEARCHED)]]
        case = self._mutate(self._chance.choice(parents), self._chance)
        if case.function == "app" and is_possible(case) and _fits(case.event):
            self._try(case)
        else:
            self.step()

    def _try(self, case: Case) -> None:
        name = "-".join(re.findall(r"\w+", " ".join(operation_of(case)))).lower()
        usual = self._usual(name, plain_twin(case))
        cost = seconds(case) / usual
        if self._lines.found():
            self._cases.append(case)
        worst = self.worst[name]
        if len(worst) < KEPT or cost > worst[-1].cost:
            cost = min(cost, *(seconds(case) / usual for _ in range(RUNS - 1)))
            worst.append(Found(cost, case))
            worst.sort(key=lambda found: -found.cost)
            del worst[KEPT:]

    def _usual(self, name: str, plain: Case) -> float:
        """Return the seconds of a plain request, measured once for each size of its body."""
        key = (name, len(plain.event["body"] or ""))
        if key not in self._plain:
            self._plain[key] = min(seconds(plain) for _ in range(2 * RUNS))
        return self._plain[key]


def _fits(event: Mapping[str, Any]) -> bool:
    """Return whether the headers fit into API Gateway, and the body into the search."""
    head = len(json.dumps({**event, "body": None}))
    return head <= MAX_HEAD and len(event["body"] or "") <= MAX_CHARACTERS


class NewLines:
    """Reports whether lines of the service ran for the first time."""

    def __init__(self) -> None:
        self._new = False
        self._once: Any = None
        if sys.version_info >= (3, 12):
            tool, events = sys.monitoring.COVERAGE_ID, sys.monitoring.events
            self._once = sys.monitoring.DISABLE  # reports each line once, which costs nothing
            sys.monitoring.use_tool_id(tool, "costs")
            sys.monitoring.register_callback(tool, events.LINE, self._note)
            sys.monitoring.set_events(tool, events.LINE)

    def _note(self, code: CodeType, _: int) -> Any:
        self._new = self._new or "chalicelib" in code.co_filename
        return self._once

    def found(self) -> bool:
        """Return whether there were new lines since the last call."""
        new, self._new = self._new, False
        return new


def seconds(case: Case) -> float:
    """Return the CPU time of a request."""
    start = time.thread_time()
    app.app(case.event, CONTEXT)
    return time.thread_time() - start


def search(runs: int, seed: int, folder: Path) -> Iterator[str]:
    """Run the search, store the most expensive requests, and yield the lines of a report."""
    app.database = CannedDatabase  # type: ignore[assignment]
    logging.disable()
    logs.configure(app.app.log)
    searching = Search(seed)
    for _ in tqdm(range(runs), desc="searching", unit=" cases", disable=None, mininterval=5):
        searching.step()
    folder.mkdir(parents=True, exist_ok=True)
    yield f"{runs:,} executions, seed {seed}; cost in plain requests of the same size:"
    for name, (found, *_) in sorted(searching.worst.items(), key=lambda item: -item[1][0].cost):
        (folder / f"{name}.json").write_bytes(serialize(found.case))
        yield f"{found.cost:6.1f}  {name}"
