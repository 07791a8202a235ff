"""Send requests to a local gateway, one after the other or as a Poisson process."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from statistics import mean

from load.simulation.assumptions import CREATE, GET, LIST, Parameters
from load.simulation.figures import percentile
from load.traffic.arrivals import Phase, arrivals
from load.traffic.mix import JSON, MERGE_PATCH, Request
from load.traffic.outcomes import Outcome
from load.traffic.sending import Sender, sender
from load.traffic.target import Target

ALONE = 150
"""Number of single requests in each round."""


def worked(target: Target) -> float:
    """Return the CPU seconds of the API's process, from the clock of clock_getcpuclockid."""
    return time.clock_gettime(~target.programs["API"].pid << 3 | 2)


async def requests(sending: Sender, chance: random.Random) -> Iterator[Request]:
    """Return an endless stream of requests in the simulation's mix, for existing customers."""
    first_page = Request("list", "GET", "/customers?limit=100", frozenset({200}))
    page = await sending.response(first_page)
    ids = [customer["id"] for customer in json.loads(page.body)["items"]]
    return _requests(ids, chance)


def _requests(ids: list[str], chance: random.Random) -> Iterator[Request]:
    mix = Parameters().mix
    while True:
        operation = chance.choices(list(mix), list(mix.values()))[0]
        path, unique = f"/customers/{chance.choice(ids)}", chance.getrandbits(64)
        if operation is GET:
            yield Request("get", "GET", path, frozenset({200}))
        elif operation is LIST:
            yield Request("list", "GET", "/customers", frozenset({200}))
        elif operation is CREATE:
            body = json.dumps({"email": f"{unique}@example.com", "given_name": "Ada"}).encode()
            yield Request("create", "POST", "/customers", frozenset({201}), JSON, body)
        else:
            body = json.dumps({"given_name": f"Ada {unique}"}).encode()
            yield Request("patch", "PATCH", path, frozenset({200}), MERGE_PATCH, body)


async def alone(target: Target, chance: random.Random) -> list[tuple[float, float]]:
    """Return duration and CPU seconds of the gateway for each of several single requests."""
    samples = []
    async with sender(target.base_url, target.token) as sending:
        stream = await requests(sending, chance)
        for _ in range(20):  # the first requests of a connection are slower
            await sending.response(next(stream))
        for _ in range(ALONE):
            before, start = worked(target), time.perf_counter()
            await sending.response(next(stream))
            samples.append((time.perf_counter() - start, worked(target) - before))
    return samples


async def open_loop(
    target: Target, rate: float, seconds: float, chance: random.Random
) -> dict[str, float]:
    """Send Poisson traffic regardless of responses; return the measurements."""
    outcomes = list[Outcome]()
    async with sender(target.base_url, target.token) as sending:
        stream, before = await requests(sending, chance), worked(target)
        schedule = arrivals([Phase("steady", seconds, rate, rate)], chance)
        await sending.run(schedule, stream.__next__, outcomes.append, asyncio.Event())
    span = max(outcome.due + outcome.latency for outcome in outcomes)
    latencies = sorted(outcome.latency for outcome in outcomes)
    return {
        "rate": rate,
        "sent": len(outcomes) / seconds,
        "throughput": len(outcomes) / span,
        "utilization": (worked(target) - before) / span,
        "p50": percentile(latencies, 0.5),
        "p95": percentile(latencies, 0.95),
        "errors": mean(bool(outcome.fault) for outcome in outcomes),
    }
