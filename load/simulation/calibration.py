"""The simulation of the local stack against what was measured of it.

The queue is the one that the simulation of AWS has; the gateway is one process of Python, so one
server. What goes in was measured of single requests: how long each took, and how much of that the
gateway's processor worked. What comes out is compared with the loads that were measured after it.
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
"""In which a request's work is done, others' between them: the gateway's event loop reads it, a
thread asks the Data API and then makes the answer, and the loop writes it."""
COMPARED = ("throughput", "utilization", "p50", "p95")
HIGHEST_ERROR = 0.3
"""Of throughput and utilization: what is further off is not to be extrapolated from."""

Sample = Sequence[float]


def predicted(
    samples: Sequence[Sample], rate: float, seconds: float, chance: random.Random
) -> dict[str, float]:
    """Simulate one gateway under a Poisson process for so many seconds."""
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
            env.process(request(chance.choice(samples)))
            yield env.timeout(chance.expovariate(rate))

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
    """Return medians of each rate, measured and simulated, and the error of what was simulated.

    Raises ValueError where it is too high.
    """
    data = json.loads(measured.read_text())
    rows = {share: _row(data, share, seed, effort) for share in data["loads"]}
    for share, row in rows.items():
        for name in ("throughput", "utilization"):
            if abs(row[name]["error"]) > HIGHEST_ERROR:
                error = f"{name} is {row[name]['error']:+.0%} off at {share} of capacity"
                raise ValueError(f"{measured}: {error}; measure again, or mend the model")
    return {"machine": data["machine"], "samples": len(data["samples"]), "rates": rows}


def _row(data: Mapping[str, Any], share: str, seed: str, effort: Effort) -> dict[str, Any]:
    loads, chance = data["loads"][share], random.Random(f"{seed} calibration {share}")
    simulated = [
        predicted(data["samples"], load["sent"], data["seconds"], chance)
        for load in loads
        for _ in range(effort.seeds)
    ]
    row: dict[str, Any] = {"rounds": len(loads), "rate": median(load["sent"] for load in loads)}
    for name in COMPARED:
        seen = median(load[name] for load in loads)
        said = median(item[name] for item in simulated)
        row[name] = {"measured": seen, "simulated": said, "error": said / seen - 1}
    return row
