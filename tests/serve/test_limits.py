"""Rate limits of clients, which all processes share."""

from pathlib import Path

import pytest

from serve import limits
from serve.limits import Limits, Rate


@pytest.fixture
def path(tmp_path: Path) -> Path:
    limits.create(tmp_path / "limits")
    return tmp_path / "limits"


def test_burst_passes_and_then_the_rate(path: Path) -> None:
    now = 1000.0
    own = Limits(path, Rate(2, 5), lambda: now)

    assert [own.allows("ada") for _ in range(7)] == [True] * 5 + [False] * 2
    now += 0.5
    assert [own.allows("ada") for _ in range(2)] == [True, False]
    now += 60
    assert [own.allows("ada") for _ in range(6)] == [True] * 5 + [False]


def test_processes_share_the_limit_of_a_client(path: Path) -> None:
    one, other = (Limits(path, Rate(1, 4), lambda: 1000.0) for _ in range(2))

    assert [own.allows("ada") for own in (one, other) * 3] == [True] * 4 + [False] * 2


def test_clients_have_limits_of_their_own(path: Path) -> None:
    own = Limits(path, Rate(1, 1), lambda: 1000.0)

    assert own.allows("ada")
    assert not own.allows("ada")
    assert own.allows("grace")


def test_positions_depend_on_a_key_that_clients_do_not_know(tmp_path: Path) -> None:
    """Otherwise, a client could choose a name that shares another client's limit."""
    keys = set()
    for number in range(2):
        limits.create(tmp_path / str(number))
        keys.add(Limits(tmp_path / str(number), Rate(1, 1))._key)
    assert len(keys) == 2
