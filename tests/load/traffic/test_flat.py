import random

import pytest

from load.traffic import flat
from load.traffic.samples import Sample

HOUR = 3_600


def samples(memory: float = 0.0, latency: float = 0.0, seconds: int = HOUR) -> list[Sample]:
    """Return noisy samples in which one measurement grows by this much per hour."""
    rng = random.Random(7)
    return [
        Sample(
            at=at,
            requests=100,
            faults={},
            values={
                "API: memory, MiB": 100 + memory * at / HOUR + rng.gauss(0, 1),
                "API: files": 40 + rng.choice((0, 1, 2)),
                "latency p50, ms": 50 + latency * at / HOUR + rng.gauss(0, 5),
                "machine: load": 20 * at / HOUR,
            },
        )
        for at in range(0, seconds, 20)
    ]


def grown(measured: list[Sample]) -> list[str]:
    return [trend.name for trend in flat.judge(measured) if not trend.is_flat]


def test_noise_is_flat() -> None:
    assert [trend.name for trend in flat.judge(samples())] == [
        "API: memory, MiB",
        "API: files",
        "latency p50, ms",
    ]
    assert grown(samples()) == []


def test_memory_leak_is_detected() -> None:
    assert grown(samples(memory=10)) == ["API: memory, MiB"]


def test_growing_latency_is_detected() -> None:
    assert grown(samples(latency=30)) == ["latency p50, ms"]


def test_growth_during_warm_up_is_ignored() -> None:
    warming = samples()
    for sample in warming:
        sample["values"]["API: memory, MiB"] -= max(0, 600 - sample["at"])

    memory, *_ = flat.judge(warming)
    assert memory.first == pytest.approx(100, abs=1)
    assert grown(warming) == []


def test_too_few_samples_raise_value_error() -> None:
    with pytest.raises(ValueError, match="ten samples"):
        flat.judge(samples(seconds=100))
    with pytest.raises(ValueError, match="ten samples"):
        flat.judge([])


def test_plot_has_a_line_for_each_measurement() -> None:
    assert flat.plot(samples()).count("<polyline") == 4
