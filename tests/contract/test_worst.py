"""The cost of the most expensive requests is bounded, so no client can keep the service busy.

The cost is the minimum processor time of a few runs, divided by that of a plain request in the same
process. The ratio doesn't depend on the speed and load of the machine. Counting calls or lines
would not work, because normalizing a text in quadratic time is one call.

`pytest tests/contract/test_worst.py -s` prints all rows of the table in docs/security.md.
"""

import sys
import time

import pytest

from tests.api import Api
from tests.contract.worst import CASES, PLAIN, Sent

MAX_RATIO = 30  # to the cost of a plain request: 90 ms if that takes 3 ms
MAX_RATIO_OF_A_BATCH = 100  # 100 customers in one request, and 1 MiB


def cost(api: Api, sent: Sent, runs: int) -> tuple[float, int]:
    """Return the processor time in seconds, and the status."""
    took = []
    for _ in range(runs):
        start = time.process_time()
        status = api.request(sent.method, sent.path, sent.body, sent.headers).status_code
        took.append(time.process_time() - start)
    return min(took), status


@pytest.mark.parametrize("name", CASES)
def test_cost_is_bounded(api: Api, name: str) -> None:
    sent = CASES[name]
    cost(api, sent, 1)  # imports modules
    usual, _ = cost(api, PLAIN, 15)

    own, status = cost(api, sent, 3)

    times = own / usual
    sys.stdout.write(f"| {name} | {status} | {own * 1000:.1f} ms | {times:.1f} |\n")
    assert status < 500
    assert times < (MAX_RATIO_OF_A_BATCH if sent.path.endswith("/batch") else MAX_RATIO)


def test_quadratic_cost_is_detected(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test counts a long text once for each of its characters.

    Normalizing combining marks is quadratic in Python 3.11.7, but not in Debian's 3.11.2.
    """
    from chalicelib.http import fields

    monkeypatch.setattr(fields, "MAX_DECOMPOSITION", 1_000)
    monkeypatch.setattr(fields, "_has_too_many_marks", lambda text: sum(map(text.count, text)) < 0)
    usual, _ = cost(api, PLAIN, 15)

    own, _ = cost(api, CASES["a text of combining characters"], 1)

    assert own / usual > 2 * MAX_RATIO
