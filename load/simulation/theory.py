"""Closed-form results of queueing theory, to check the simulation against."""


def erlang_b(servers: int, load: float) -> float:
    """Return the share of Poisson arrivals that find all servers busy, if none waits.

    `load` is in Erlang. Holds for every distribution of service times. A. K. Erlang, 1917.
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
    """Return the mean waiting time in an M/M/c queue in seconds, over all customers."""
    return erlang_c(servers, load) * service / (servers - load)


def refused_by_bucket(rate: float, refill: float) -> float:
    """Return the share of requests that a token bucket rejects in the long run."""
    return max(0.0, 1 - refill / rate)


def refused_of_burst(size: int, burst: int) -> int:
    """Return the number of simultaneous requests that a full bucket rejects."""
    return max(0, size - burst)
