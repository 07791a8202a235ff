"""Compute the utilization of each limit of a design under a load."""

from math import exp

from load.simulation.assumptions import Parameters
from load.simulation.designs import Design


def call(design: Design, parameters: Parameters) -> tuple[float, float]:
    """Return the median latency of a call to the database, in ms, and its spread."""
    if design.backend == "mysql":
        return parameters.mysql_ms, parameters.mysql_spread
    return parameters.data_api_ms, parameters.data_api_spread


def function_seconds(design: Design, parameters: Parameters) -> float:
    """Return the duration of a function invocation without overload."""
    median, spread = call(design, parameters)
    of_a_call = median * exp(spread**2 / 2)  # the mean of a log-normal time
    served = parameters.vcpu_per_acu / parameters.per_acu / (1 - parameters.scaling_target)
    return (parameters.handler_ms + parameters.statements * of_a_call) / 1000 + (
        parameters.statements * served
    )


def shares_of_work(parameters: Parameters) -> tuple[float, float]:
    """Return the work of reads and of writes per request, in units of a mean statement."""
    work = {each: share * each.statements * each.work for each, share in parameters.mix.items()}
    unit = sum(work.values()) / parameters.statements
    reads = sum(done for each, done in work.items() if each.is_read) / unit
    return reads, parameters.statements - reads


def needs(design: Design, rate: float, parameters: Parameters) -> dict[str, float]:
    """Return the utilization of each limit at a rate per second; above 1 is overload."""
    behind = rate
    if design.is_cached:
        behind = rate * (1 - (1 - parameters.write_share) * parameters.cached_share)
    reads, writes = shares_of_work(parameters)
    environments = behind * function_seconds(design, parameters)
    of_an_instance = design.max_acu * parameters.per_acu * design.cells
    found = {
        "gateway rate": rate / design.regions / design.rate,
        "environments": environments / design.regions / design.concurrency,
    }
    if not design.readers:
        return found | {"writer": behind * (reads + writes) / of_an_instance}
    cached = (behind - rate) / rate if rate else 0.0
    kept = (1 - parameters.write_share + cached) / (1 - parameters.write_share)
    return found | {
        "writer": rate * writes / of_an_instance,
        "readers": rate * kept * reads / design.readers / of_an_instance,
    }
