"""Metrics in Prometheus's format: requests, their durations, and lost log lines.

Each process writes its numbers to files in PROMETHEUS_MULTIPROC_DIR, of which the supervisor
publishes the sums. Sources: https://prometheus.github.io/client_python/multiprocess/
"""

import os
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("http_requests", "Responses", ["method", "route", "status"])
DURATION = Histogram(
    "http_request_duration_seconds",
    "Time from a request's head to its response",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
REJECTED = Counter("http_requests_rejected", "429 because too many requests were in progress")
LOST_LINES = Counter("log_lines_lost", "Log lines that could not be written")


@lru_cache(maxsize=1_000)
def _children(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status), DURATION.labels(method, route)


def record(method: str, route: str, status: int, seconds: float) -> None:
    """Count a response. There must be a limited number of methods and routes."""
    requests, duration = _children(method, route, status)
    requests.inc()
    duration.observe(seconds)


def publish(directory: str, port: int) -> None:
    """Serve the sums of all processes on this machine. Raises OSError if the port is in use."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
    try:
        start_http_server(port, "127.0.0.1", registry)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise OSError(f"can't listen on 127.0.0.1:{port}: {reason}") from None
