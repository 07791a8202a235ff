import random

import pytest

from load.traffic import flat
from load.traffic.samples import Sample

HOUR = 3_600


def samples(memory: float = 0.0, latency: float = 0.0, seconds: int = HOUR) -> list[Sample]:
    """Return samples of which something grows by so much in an hour, among noise."""
    chance = random.Random(7)
    return [
        Sample(
            at=at,
            requests=100,
            faults={},
            values={
                "API: memory, MiB": 100 + memory * at / HOUR + chance.gauss(0, 1),
                "API: files": 40 + chance.choice((0, 1, 2)),
                "latency p50, ms": 50 + latency * at / HOUR + chance.gauss(0, 5),
                "machine: load": 20 * at / HOUR,
            },
        )
        for at in range(0, seconds, 20)
    ]


def grown(measured: list[Sample]) -> list[str]:
    return [trend.name for trend in flat.judge(measured) if not trend.is_flat]


def test_what_only_trembles_is_flat() -> None:
    assert [trend.name for trend in flat.judge(samples())] == [
        "API: memory, MiB",
        "API: files",
        "latency p50, ms",
    ]
    assert grown(samples()) == []


def test_a_leak_is_found() -> None:
    assert grown(samples(memory=10)) == ["API: memory, MiB"]


def test_slowing_down_is_found() -> None:
    assert grown(samples(latency=30)) == ["latency p50, ms"]


def test_the_warm_up_does_not_count() -> None:
    warming = samples()
    for sample in warming:
        sample["values"]["API: memory, MiB"] -= max(0, 600 - sample["at"])

    memory, *_ = flat.judge(warming)
    assert memory.first == pytest.approx(100, abs=1)
    assert grown(warming) == []


def test_too_few_samples_are_not_judged() -> None:
    with pytest.raises(ValueError, match="ten samples"):
        flat.judge(samples(seconds=100))
    with pytest.raises(ValueError, match="ten samples"):
        flat.judge([])


def test_the_plot_has_a_line_for_each_thing() -> None:
    assert flat.plot(samples()).count("<polyline") == 4
