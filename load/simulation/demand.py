"""Compute which limit of a design a load reaches first. Pure arithmetic, no simulation."""

from math import exp

from load.simulation.assumptions import Parameters
from load.simulation.designs import Design


def call(design: Design, parameters: Parameters) -> tuple[float, float]:
    """Return the median, in ms, and the spread of the latency between function and database."""
    if design.backend == "mysql":
        return parameters.mysql_ms, parameters.mysql_spread
    return parameters.data_api_ms, parameters.data_api_spread


def function_seconds(design: Design, parameters: Parameters) -> float:
    """Return the duration of a function's request in an unloaded system."""
    median, spread = call(design, parameters)
    of_a_call = median * exp(spread**2 / 2)  # the mean of a log-normal distribution
    served = parameters.vcpu_per_acu / parameters.per_acu / (1 - parameters.scaling_target)
    return (parameters.handler_ms + parameters.statements * of_a_call) / 1000 + (
        parameters.statements * served
    )


def shares_of_work(parameters: Parameters) -> tuple[float, float]:
    """Return the reads and writes of a request, in units of a mean statement's work."""
    work = {
        operation: share * operation.statements * operation.work
        for operation, share in parameters.mix.items()
    }
    unit = sum(work.values()) / parameters.statements
    reads = sum(work_done for operation, work_done in work.items() if operation.is_read) / unit
    return reads, parameters.statements - reads


def needs(design: Design, rate: float, parameters: Parameters) -> dict[str, float]:
    """Return the utilization of each limit at this rate; above 1, the limit is exceeded."""
    behind = rate
    if design.is_cached:
        behind = rate * (1 - (1 - parameters.write_share) * parameters.cached_share)
    reads, writes = shares_of_work(parameters)
    environments = behind * function_seconds(design, parameters)
    of_an_instance = design.max_acu * parameters.per_acu * design.cells
    utilization = {
        "gateway's rate": rate / design.regions / design.rate,
        "environments": environments / design.regions / design.concurrency,
    }
    if not design.readers:
        return utilization | {"writer": behind * (reads + writes) / of_an_instance}
    cached = (behind - rate) / rate if rate else 0.0
    kept = (1 - parameters.write_share + cached) / (1 - parameters.write_share)
    return utilization | {
        "writer": rate * writes / of_an_instance,
        "readers": rate * kept * reads / design.readers / of_an_instance,
    }
