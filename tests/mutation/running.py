"""Run tests on mutants: a pytest plugin that forks a process for each mutant.

The parent process collects the tests and starts the database, once, and runs no test. For each
mutant, a child exchanges the code of the functions that differ, and runs the tests that execute
the mutant's lines until one fails. A fork costs milliseconds; a new pytest costs seconds.
"""

import gc
import importlib
import itertools
import os
import pkgutil
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import _lru_cache_wrapper, partial
from pathlib import Path
from types import FunctionType
from typing import Any

import botocore.session
import coverage
import pytest
from tqdm import tqdm

import chalicelib
from tests import tokens
from tests.mutation import processes
from tests.mutation.executions import Executions
from tests.mutation.mutants import ROOT, Mutant, codes
from tests.mutation.results import KILLED, SURVIVED
from tests.servers import serve_data_api, serve_database

MAX_TEST_SECONDS = 60.0
"""Duration of the tests of one mutant, as measured."""
BATCH = 300
"""Number of tests that are measured before the record is written."""
SLACK = 10
SLACK_SECONDS = 30.0
"""How much longer than measured the tests may take: the machine may be busier than then."""

Report = Callable[[Mutant, str, str], None]
"""Receives each mutant, the outcome, and the test that noticed the fault."""


class Runner:
    """The plugin. `mutants` are tried in turn, and each outcome is given to `report`.

    `record` is the file of the executions. Afterwards, `doubtful` has the tests that noticed a
    fault and also fail without one.
    """

    def __init__(self, mutants: Sequence[Mutant], record: Path, report: Report) -> None:
        self.doubtful: set[str] = set()
        self._mutants = mutants
        self._record = record
        self._report = report
        self._shared: dict[str, object] = {}
        self._items: dict[str, pytest.Item] = {}
        self._failed = ""
        self._kills: Counter[tuple[str, str]] = Counter()

    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> object:
        """Return the parent's servers to the tests."""
        value = self._shared.get(fixturedef.argname)
        if value is not None:
            fixturedef.cached_result = (value, fixturedef.cache_key(request), None)
        return value

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.config.pluginmanager.unregister(name="terminalreporter")
        self._items = {item.nodeid: item for item in session.items}
        for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
            importlib.import_module(module.name)
        factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
        directory = factory.mktemp("mutation")
        with ExitStack() as servers:
            database = servers.enter_context(serve_database(directory))
            url = servers.enter_context(serve_data_api(database, directory))
            self._shared = {"database_server": database, "data_api": url}
            self._measure()
            self._try_all()
            self._check()
        return True

    def _measure(self) -> None:
        """Run the tests of which is not known what they execute, in a child."""
        known = Executions(self._record)
        missing = [item for name, item in self._items.items() if name not in known]
        with tqdm(missing, "measure", unit=" tests", smoothing=0.02) as progress:
            for start in range(0, len(missing), BATCH):
                batch = missing[start : start + BATCH]
                if left_out := processes.run(partial(self._record_executions, batch)):
                    progress.write(f"left out, because they fail without a mutant: {left_out}")
                progress.update(len(batch))

    def _record_executions(self, items: Sequence[pytest.Item]) -> str:
        """Run tests under coverage, each with its own context; return what failed."""
        os.environ["COVERAGE_CORE"] = "ctrace"  # the other one has no contexts
        include = [f"{ROOT}/chalicelib/*"]
        measuring = coverage.Coverage(data_file=None, config_file=False, include=include)
        seconds: dict[str, float] = {}
        failures = []
        measuring.start()
        _shorten_hypothesis()
        caches = _caches()
        for item, following in zip(items, [*items[1:], None], strict=True):
            _clear(caches)
            measuring.switch_context(item.nodeid)
            start = time.perf_counter()
            if failed := self._run_one(item, following):
                failures.append(failed)
            else:
                seconds[item.nodeid] = time.perf_counter() - start
        measuring.stop()
        with warnings.catch_warnings(action="ignore"):  # not every test executes a package
            Executions(self._record).add(seconds, measuring.get_data())
        return ", ".join(failures)

    def _try_all(self) -> None:
        executions, functions, caches = Executions(self._record), _functions(), _caches()
        _warm_up()
        _clear(caches)
        gc.freeze()  # the collector would write to each object, and so copy all memory
        for mutant in tqdm(self._mutants, "mutate", unit=" mutants", smoothing=0.02):
            tests = self._choose(mutant, executions)
            limit = SLACK * sum(map(executions.seconds, tests)) + SLACK_SECONDS
            test = self._try(mutant, functions[mutant.path], tests, limit) if tests else ""
            self._kills[mutant.path, test] += 1
            self._report(mutant, KILLED if test else SURVIVED, test)

    def _choose(self, mutant: Mutant, executions: Executions) -> list[str]:
        """Return the tests to run: those that killed others of the file, then focused ones."""
        names = set().union(*(executions.tests(mutant.path, line) for line in mutant.lines))
        focused = sorted(names & self._items.keys(), key=lambda name: (executions.size(name), name))
        spent = itertools.accumulate(map(executions.seconds, focused))
        chosen = [
            name
            for name, total in zip(focused, spent, strict=True)
            if total <= MAX_TEST_SECONDS or name == focused[0]
        ]
        return sorted(chosen, key=lambda name: -self._kills[mutant.path, name])

    def _try(
        self, mutant: Mutant, functions: Sequence[FunctionType], tests: list[str], limit: float
    ) -> str:
        """Return the test that noticed the fault, or an empty text."""

        def work() -> str:
            install(mutant, functions)
            return self._run([self._items[name] for name in tests])

        return processes.run(work, limit)

    def _check(self) -> None:
        """Find the tests that killed mutants and fail on the unchanged code, too."""
        for name in {name for _, name in self._kills if name in self._items}:
            if processes.run(partial(self._run, [self._items[name]])):
                self.doubtful.add(name)

    def _run(self, items: Sequence[pytest.Item]) -> str:
        """Run tests until one fails; return the failed one."""
        _shorten_hypothesis()
        each = zip(items, [*items[1:], None], strict=True)
        failed = next(filter(None, itertools.starmap(self._run_one, each)), "")
        items[0].session._setupstate.teardown_exact(None)  # stop what fixtures have started
        return failed

    def _run_one(self, item: pytest.Item, following: pytest.Item | None) -> str:
        """Run a test; return its name if it fails."""
        self._failed = ""
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return self._failed


def install(mutant: Mutant, functions: Iterable[FunctionType]) -> None:
    """Exchange the code of the functions, which are all of the mutant's file, for the mutant's."""
    mutated = {(code.co_qualname, code.co_firstlineno): code for code in codes(mutant.compile())}
    for function in functions:
        code = mutated.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if code and len(code.co_freevars) == len(function.__code__.co_freevars):
            function.__code__ = code


def _warm_up() -> None:
    """Do once what each child would do: make the issuer's keys, and read the API's description."""
    tokens.issuer()
    botocore.session.get_session().create_client("rds-data", "eu-west-1")


def _shorten_hypothesis() -> None:
    """Stop at the first failure: the example that fails need not be small."""
    import hypothesis  # after pytest, which wants to load it itself

    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutation", database=None, derandomize=True, phases=phases)
    hypothesis.settings.load_profile("mutation")


def _functions() -> dict[str, list[FunctionType]]:
    """Return the functions of the package by file, decorated and nested ones, too."""
    found = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(str(ROOT)):
            found[os.path.relpath(each.__code__.co_filename, ROOT)].append(each)
    return found


def _caches() -> list["_lru_cache_wrapper[Any]"]:
    """Return the package's functions with a cache."""
    return [
        each
        for each in gc.get_objects()
        if isinstance(each, _lru_cache_wrapper) and each.__module__.startswith("chalicelib.")
    ]


def _clear(caches: Iterable["_lru_cache_wrapper[Any]"]) -> None:
    """Make each test execute the functions, not only the first one that calls them."""
    for cached in caches:
        cached.cache_clear()
