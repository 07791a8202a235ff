import random
import statistics
from itertools import pairwise

from load.traffic.arrivals import Phase, arrivals


def test_arrivals_match_the_rate() -> None:
    phases = [Phase("ramp", 100, 0, 50), Phase("steady", 100, 50, 50)]

    drawn = list(arrivals(phases, random.Random(7)))

    assert drawn == sorted(drawn)
    assert 199 < drawn[-1].due < 200
    counted = [arrival.phase for arrival in drawn]
    assert abs(counted.count("ramp") - 2_500) < 4 * 2_500**0.5
    assert abs(counted.count("steady") - 5_000) < 4 * 5_000**0.5


def test_arrival_gaps_are_exponential() -> None:
    """The standard deviation of an exponential distribution equals its mean."""
    dues = [a.due for a in arrivals([Phase("steady", 500, 20, 20)], random.Random(7))]
    pauses = [after - before for before, after in pairwise(dues)]

    assert min(pauses) > 0
    assert 0.95 < statistics.stdev(pauses) / statistics.mean(pauses) < 1.05


def test_ramp_is_linear() -> None:
    dues = [a.due for a in arrivals([Phase("ramp", 100, 0, 100)], random.Random(7))]

    first_half = sum(due < 50 for due in dues)

    assert 0.23 < first_half / len(dues) < 0.27


def test_equal_seeds_give_equal_arrivals() -> None:
    def run(seed: int) -> list[tuple[float, str]]:
        return list(arrivals([Phase("steady", 10, 10, 10)], random.Random(seed)))

    assert run(1) == run(1) != run(2)
