"""`GET /health?deep=true` is anonymous, so it costs at most one statement per second."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

import app
from chalicelib.database import Database
from chalicelib.database.errors import DatabaseUnavailable, StatementNotBegun
from chalicelib.database.health import RESULT_SECONDS, Health
from chalicelib.database.retries import ANSWER_SECONDS
from chalicelib.deadlines import Deadline
from chalicelib.http import routing
from tests.api import Api, assert_problem
from tests.recorded import Recorded

CALLERS = 8
LOST = 2013  # MySQL: the connection was lost during a query
PATH = "/health?deep=true"


class Pinged:
    """A database that counts checks, fails while `is_down`, and waits for `release`."""

    def __init__(self, *, is_down: bool = False) -> None:
        self.count = 0
        self.is_down = is_down
        self.entered, self.release = threading.Event(), threading.Event()
        self.release.set()

    def ping(self) -> None:
        self.count += 1
        self.entered.set()
        assert self.release.wait(30)
        if self.is_down:
            raise DatabaseUnavailable("the connection was lost", LOST)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def health(database: Pinged, clock: Clock | None = None) -> Health:
    return Health(cast("Database", database), clock or Clock())


@pytest.mark.parametrize("is_down", [False, True])
def test_result_is_used_for_one_second(*, is_down: bool) -> None:
    database, clock = Pinged(is_down=is_down), Clock()
    checked = health(database, clock)

    outcomes = []
    for now in (100, 100 + RESULT_SECONDS - 0.001, 100 + RESULT_SECONDS, 102.5):
        clock.now = now
        outcomes.append((_fails(checked), database.count))

    assert outcomes == [(is_down, 1), (is_down, 1), (is_down, 2), (is_down, 3)]


def _fails(checked: Health) -> bool:
    try:
        checked.check()
    except DatabaseUnavailable as error:
        return (error.code, error.retry_after) == (LOST, 2)
    return False


def test_recovery_is_noticed_after_one_second() -> None:
    database, clock = Pinged(is_down=True), Clock()
    checked = health(database, clock)
    assert _fails(checked)

    database.is_down = False

    assert _fails(checked)
    clock.now += RESULT_SECONDS
    assert not _fails(checked)


@pytest.mark.parametrize("is_down", [False, True])
def test_concurrent_callers_share_one_check(*, is_down: bool) -> None:
    database = Pinged(is_down=is_down)
    database.release.clear()
    checked = health(database)

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(_fails, checked) for _ in range(CALLERS)]
        assert database.entered.wait(30)
        database.release.set()

    assert [call.result() for call in calls] == [is_down] * CALLERS
    assert database.count == 1


def test_caller_does_not_wait_for_another_check_beyond_its_deadline() -> None:
    database = Pinged()
    database.release.clear()
    checked = health(database)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(checked.check)
        assert database.entered.wait(30)
        with Deadline(ANSWER_SECONDS), pytest.raises(StatementNotBegun, match="has not ended"):
            checked.check()
        database.release.set()
        first.result()

    checked.check()
    assert database.count == 1


def test_many_requests_run_one_statement(api: Api, database: Recorded) -> None:
    bodies = [api.get(PATH).json_body for _ in range(3)]

    assert bodies == [{"status": "ok", "database": "ok"}] * 3
    assert len(database.statements) == 1


def test_cached_failure_is_the_same_problem(broken_api: Api) -> None:
    answers = [broken_api.get(PATH) for _ in range(2)]

    for answer in answers:
        assert_problem(answer, 503, "service-unavailable")
    assert [answer.headers["Retry-After"] for answer in answers] == ["2", "2"]


def test_check_can_be_turned_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Database:
        pytest.fail("the service connected to its database")

    monkeypatch.setattr(app, "database", fail)
    monkeypatch.setenv("DEEP_HEALTH", "off")
    routing.settings.cache_clear()

    answer = api.get(PATH)

    assert (answer.status_code, answer.json_body["database"]) == (200, "not-checked")
    assert api.get("/health?deep=false").json_body == {"status": "ok"}
