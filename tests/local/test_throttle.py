import pytest

from local.throttle import Throttle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_throttle_allows_a_burst_then_the_rate() -> None:
    clock = Clock()
    throttle = Throttle(2, 5, clock)

    assert [throttle.lets_pass() for _ in range(7)] == [True] * 5 + [False] * 2
    clock.now = 0.4
    assert not throttle.lets_pass()
    clock.now = 0.5
    assert [throttle.lets_pass() for _ in range(2)] == [True, False]


def test_pause_refills_at_most_a_burst() -> None:
    clock = Clock()
    throttle = Throttle(100, 3, clock)
    clock.now = 60.0

    assert [throttle.lets_pass() for _ in range(4)] == [True] * 3 + [False]


@pytest.mark.parametrize("text", ["50", "50/", "0/1", "1/0", "-1/5", "1.5/2", "a/b", "1/2/3"])
def test_invalid_throttle_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="THROTTLE must be rate/burst"):
        Throttle.parse(text)


def test_empty_setting_means_no_throttle() -> None:
    assert Throttle.parse("") is None
