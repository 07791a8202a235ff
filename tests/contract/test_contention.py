"""Fifty threads compete for the same idempotency keys, email addresses and customers."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.database import Database
from tests.api import Api

THREADS, ACTIONS = 50, 40
KEYS = [f"contended-key-{number}" for number in range(5)]
EMAILS = [f"contended{number}@example.com" for number in range(5)]
EXPECTED = {200, 201, 204, 404, 409, 412, 503}

Answers = Counter[tuple[str, int]]


class Competitor:
    """A client that increments a counter in a shared customer, creates, deletes and restores."""

    def __init__(self, counters: list[str], others: list[str], seed: int) -> None:
        self._api, self._chance = Api(), random.Random(seed)  # noqa: S311
        self._counters, self._others, self._name = counters, others, str(seed)
        self.answers: Answers = Counter()
        self.increments: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    def run(self) -> None:
        actions = (self.create, self.increment, self.delete, self.restore)
        for _ in range(ACTIONS):
            action = self._chance.choice(actions)
            self.answers[action.__name__, action()] += 1

    def create(self) -> int:
        return create(self._api, self._chance.choice(KEYS))

    def increment(self) -> int:
        path = self._chance.choice(self._counters)
        read = self._api.get(path)
        if read.status_code != 200:
            return read.status_code
        count = int(read.json_body["metadata"]["count"])
        # The name makes the requests differ: equal ones of one caller are retries of one request.
        change = {"metadata": {"count": str(count + 1), "by": self._name}}
        status = self._api.patch(path, change, if_match=read.headers["ETag"]).status_code
        self.increments[path] += status == 200
        self.unknown[path] += status == 503
        return status

    def delete(self) -> int:
        return self._api.delete(self._chance.choice(self._others)).status_code

    def restore(self) -> int:
        return self._api.post(self._chance.choice(self._others) + "/restore").status_code


def create(api: Api, key: str) -> int:
    customer = {"email": EMAILS[KEYS.index(key)], "given_name": "Ada"}
    return api.post("/customers", customer, idempotency_key=key).status_code


@pytest.mark.slow
def test_competing_writes_lose_and_duplicate_nothing(api: Api, migrated: Database) -> None:
    shared = {"given_name": "Ada", "metadata": {"count": "0"}}
    new = [shared | {"email": f"shared{number}@example.com"} for number in range(6)]
    paths = [api.post("/customers", customer).headers["Location"] for customer in new]
    counters, others = paths[:3], paths[3:]
    competitors = [Competitor(counters, others, seed) for seed in range(THREADS)]
    start = threading.Barrier(THREADS)

    def compete(competitor: Competitor) -> None:
        start.wait()
        competitor.run()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(compete, competitors))

    answers = sum((competitor.answers for competitor in competitors), Answers())
    assert {status for _, status in answers} <= EXPECTED
    for path in counters:
        counted = int(api.get(path).json_body["metadata"]["count"])
        applied = sum(competitor.increments[path] for competitor in competitors)
        unknown = sum(competitor.unknown[path] for competitor in competitors)
        assert applied > 0
        assert applied <= counted <= applied + unknown
    assert [create(api, key) for key in KEYS] == [201] * len(KEYS)  # all replayed, or some are new
    live = migrated.fetch_all(
        "SELECT email_key, COUNT(*) AS customers FROM customers"
        " WHERE email_key LIKE 'contended%' GROUP BY email_key"
    )
    assert [(row["email_key"], row["customers"]) for row in live] == [(e, 1) for e in EMAILS]
