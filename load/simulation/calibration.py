"""Compare the simulation of the local stack with measurements of it.

The queue is the same as in the simulation of AWS. The gateway is one Python process, so one server.
The inputs were measured with single requests: the duration of each, and the gateway's CPU time in
it. The outputs are compared with loads that were measured afterwards.
"""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import simpy

from load.simulation.figures import percentile
from load.simulation.plan import Effort
from load.simulation.queues import Process, Station

TURNS = 4
"""Number of parts of a request's work, between which other requests run.

The gateway's event loop reads the request, a thread calls the Data API and builds the response, and
the loop writes it.
"""
COMPARED = ("throughput", "utilization", "p50", "p95")
HIGHEST_ERROR = 0.3
"""Maximum error of throughput and utilization. Beyond this, extrapolation is not justified."""

Sample = Sequence[float]


def predicted(
    samples: Sequence[Sample], rate: float, seconds: float, rng: random.Random
) -> dict[str, float]:
    """Simulate one gateway under Poisson arrivals."""
    env = simpy.Environment()
    station, took = Station(env, 1), list[float]()

    def request(sample: Sample) -> Process:
        start, (all_of_it, worked) = env.now, sample
        yield env.timeout(max(0.0, all_of_it - worked))
        for _ in range(TURNS):
            yield station.submit(worked / TURNS)
        took.append(env.now - start)

    def arrivals() -> Process:
        while env.now < seconds:
            env.process(request(rng.choice(samples)))
            yield env.timeout(rng.expovariate(rate))

    env.process(arrivals())
    env.run()
    ordered = sorted(took)
    return {
        "throughput": len(took) / env.now,
        "utilization": station.started / env.now,
        "p50": percentile(ordered, 0.5),
        "p95": percentile(ordered, 0.95),
    }


def compared(measured: Path, seed: str, effort: Effort) -> dict[str, Any]:
    """Return the medians of each rate, measured and simulated, and the simulation's error.

    Raises ValueError if the error is too high.
    """
    data = json.loads(measured.read_text())
    rows = {share: _row(data, share, seed, effort) for share in data["loads"]}
    for share, row in rows.items():
        for name in ("throughput", "utilization"):
            if abs(row[name]["error"]) > HIGHEST_ERROR:
                error = f"{name} is {row[name]['error']:+.0%} off at {share} of capacity"
                raise ValueError(f"{measured}: {error}; measure again, or fix the model")
    return {"machine": data["machine"], "samples": len(data["samples"]), "rates": rows}


def _row(data: Mapping[str, Any], share: str, seed: str, effort: Effort) -> dict[str, Any]:
    loads, rng = data["loads"][share], random.Random(f"{seed} calibration {share}")
    simulated = [
        predicted(data["samples"], load["sent"], data["seconds"], rng)
        for load in loads
        for _ in range(effort.seeds)
    ]
    row: dict[str, Any] = {"rounds": len(loads), "rate": median(load["sent"] for load in loads)}
    for name in COMPARED:
        seen = median(load[name] for load in loads)
        simulated_value = median(item[name] for item in simulated)
        row[name] = {
            "measured": seen,
            "simulated": simulated_value,
            "error": simulated_value / seen - 1,
        }
    return row
