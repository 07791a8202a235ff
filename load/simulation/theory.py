"""What queueing theory says in closed form, to hold the simulation to."""


def erlang_b(servers: int, load: float) -> float:
    """Return the share of Poisson arrivals that find all servers busy, where nobody waits.

    `load` is in Erlang. It holds whatever the distribution of service times is. A. K. Erlang, 1917.
    """
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Return the probability to wait in an M/M/c queue; `load`, in Erlang, is less than servers.

    L. Kleinrock, Queueing Systems 1, 1975.
    """
    blocked = erlang_b(servers, load)
    return blocked / (1 - load / servers * (1 - blocked))


def mean_wait(servers: int, load: float, service: float) -> float:
    """Return the mean seconds to wait in an M/M/c queue, of those who do not wait, too."""
    return erlang_c(servers, load) * service / (servers - load)


def refused_by_bucket(rate: float, refill: float) -> float:
    """Return the share that a bucket refuses in the long run: what is more than it refills."""
    return max(0.0, 1 - refill / rate)


def refused_of_burst(size: int, burst: int) -> int:
    """Return how many of requests that come at one moment a full bucket refuses."""
    return max(0, size - burst)
