"""However a request is built, it costs little: no client can have the service work for long.

Costs are this process's processor time, the least of a few runs, beside that of a plain request in
the same process: a ratio, so that neither a slow machine nor a busy one matters. Counting calls or
lines would not do: a text that takes the square of the time to normalize is one call.

`pytest tests/contract/test_worst.py -s` prints what docs/security.md has a table of.
"""

import sys
import time

import pytest

from tests.api import Api
from tests.contract.worst import CASES, PLAIN, Sent

MOST = 30  # times what a plain request costs: under 100 ms, where that takes 3
MOST_OF_A_BATCH = 100  # 100 customers in one request, and 1 MiB


def cost(api: Api, sent: Sent, runs: int) -> tuple[float, int]:
    """Return seconds of processor, and the status."""
    took = []
    for _ in range(runs):
        start = time.process_time()
        status = api.request(sent.method, sent.path, sent.body, sent.headers).status_code
        took.append(time.process_time() - start)
    return min(took), status


@pytest.mark.parametrize("name", CASES)
def test_it_costs_little(api: Api, name: str) -> None:
    sent = CASES[name]
    cost(api, sent, 1)  # what is imported once
    usual, _ = cost(api, PLAIN, 15)

    own, status = cost(api, sent, 3)

    times = own / usual
    sys.stdout.write(f"| {name} | {status} | {own * 1000:.1f} ms | {times:.1f} |\n")
    assert status < 500
    assert times < (MOST_OF_A_BATCH if sent.path.endswith("/batch") else MOST)


def test_what_takes_the_square_of_the_time_would_be_seen(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text of any length, read once for each of its characters.

    As to normalize marks did: Python 3.11.7 takes the square of the time, Debian's 3.11.2 does not.
    """
    from chalicelib.http import fields

    monkeypatch.setattr(fields, "MAX_DECOMPOSITION", 1_000)
    monkeypatch.setattr(
        fields, "_longest_run_of_marks", lambda text: sum(map(text.count, text)) and 0
    )
    usual, _ = cost(api, PLAIN, 15)

    own, _ = cost(api, CASES["a text of combining characters"], 1)

    assert own / usual > 2 * MOST
