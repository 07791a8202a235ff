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

Sample = Sequence[float]


def predicted(
    single: Mapping[str, Any], load: Mapping[str, float], seconds: float, chance: random.Random
) -> dict[str, float]:
    """Simulate one gateway under a Poisson process of the load's rate, for so many seconds.

    Other programs had the processors meanwhile, as `slowness` says of each load: it is taken from
    what single requests took, and put onto what is simulated.
    """
    env = simpy.Environment()
    station = Station(env, 1 / load["slowness"])
    took: list[float] = []

    def request(sample: Sample) -> Process:
        start, (all_of_it, worked) = env.now, sample
        elsewhere = max(0.0, all_of_it / single["slowness"] - worked)
        yield env.timeout(elsewhere * load["slowness"])
        for _ in range(TURNS):
            yield station.submit(worked / TURNS)
        took.append(env.now - start)

    def arrivals() -> Process:
        while env.now < seconds:
            env.process(request(chance.choice(single["samples"])))
            yield env.timeout(chance.expovariate(load["sent"]))

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
    """Return medians over the rounds of each rate, measured and simulated, and the error."""
    data = json.loads(measured.read_text())
    shares = [load["share"] for load in data["rounds"][0]["loads"]]
    rows = {f"{share:g}": _row(data, at, seed, effort) for at, share in enumerate(shares)}
    return {"machine": data["machine"], "rounds": len(data["rounds"]), "rates": rows}


def _row(data: Mapping[str, Any], at: int, seed: str, effort: Effort) -> dict[str, Any]:
    rounds = [(each, each["loads"][at]) for each in data["rounds"]]
    chance = random.Random(f"{seed} calibration {at}")
    simulated = [
        predicted(single, load, data["seconds"], chance)
        for single, load in rounds
        for _ in range(effort.fewer)
    ]
    row: dict[str, Any] = {"rate": median(load["sent"] for _, load in rounds)}
    for name in COMPARED:
        seen = median(load[name] for _, load in rounds)
        said = median(each[name] for each in simulated)
        row[name] = {"measured": seen, "simulated": said, "error": said / seen - 1}
    return row
