"""The clock of the API in a chaos run."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.http import values
from load.chaos.api import move_clock

HOUR = 3_600


@pytest.fixture
def difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the file of the clock's difference. The clock is right again after the test."""
    for module, name in ((time, "time"), (time, "time_ns"), (values, "datetime")):
        monkeypatch.setattr(module, name, getattr(module, name))
    move_clock(tmp_path / "clock")
    yield tmp_path / "clock"
    monkeypatch.undo()


def clocks() -> list[float]:
    """Return the seconds since 1970 of each clock that the service reads."""
    created = values.created_at(values.new_id())
    return [time.time(), values.now().timestamp(), created.timestamp()]


@pytest.mark.parametrize("seconds", [-HOUR, 0, HOUR])
def test_every_clock_of_the_service_is_moved(difference: Path, seconds: int) -> None:
    right = clocks()
    difference.write_text(str(seconds))
    assert [round((moved - was) / HOUR) for moved, was in zip(clocks(), right, strict=True)] == [
        seconds // HOUR
    ] * 3


def test_clock_is_right_before_it_is_moved(difference: Path) -> None:
    right = time.time()
    difference.write_text("")
    assert abs(clocks()[0] - right) < HOUR / 2
