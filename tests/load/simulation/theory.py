"""Closed formulas of queueing theory, for comparison with the simulation."""


def erlang_b(servers: int, load: float) -> float:
    """Return the share of Poisson arrivals that find all servers busy, without a queue.

    `load` is in Erlang. Service times may have any distribution. A. K. Erlang, 1917.
    """
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Return the probability of waiting in an M/M/c queue. `load`, in Erlang, is below `servers`.

    L. Kleinrock, Queueing Systems 1, 1975.
    """
    blocked = erlang_b(servers, load)
    return blocked / (1 - load / servers * (1 - blocked))


def mean_wait(servers: int, load: float, service: float) -> float:
    """Return the mean wait in an M/M/c queue in seconds, over all customers."""
    return erlang_c(servers, load) * service / (servers - load)


def refused_by_bucket(rate: float, refill: float) -> float:
    """Return the long-term share of requests that a token bucket rejects."""
    return max(0.0, 1 - refill / rate)


def refused_of_burst(size: int, burst: int) -> int:
    """Return how many of `size` simultaneous requests a full bucket rejects."""
    return max(0, size - burst)
