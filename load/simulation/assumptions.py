"""Assumptions of the simulation: each value once, with its source and bounds.

Values that AWS documents, or that follow from this project's code, are constants. Values that were
never measured for this service are an `Assumption`; docs/scaling.md varies them within their
bounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

from infrastructure.costs import Price, Usage

TIMEOUT = 29.0
"""API Gateway's integration timeout in seconds: infrastructure/gateway.py."""
READ_TIMEOUT = 24.0
"""The function's timeout for a statement in seconds: chalicelib/database/clients.py."""
RETRY_AFTER: Mapping[int, float] = {429: 1.0, 500: 1.0, 503: 2.0, 504: 1.0}
"""Retry-After in seconds, by status: infrastructure/gateway_responses.py, chalicelib/database.

500 and 504 have no Retry-After; clients are assumed to wait for a second.
"""
RAMP_ENVIRONMENTS, RAMP_SECONDS = 1_000.0, 10.0
"""Environments that Lambda adds to a function, in this number of seconds.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""
ACCOUNT_RATE, ACCOUNT_BURST = 10_000, 5_000
"""Default quota of an account in a region, in requests per second.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""
ACCOUNT_CONCURRENCY = 1_000
"""Default quota of an account in a region, in environments: the same page as for Lambda above."""
HIGHEST_ACU = 256.0
"""Maximum of one instance.

https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.html
"""

PROXY = Price(0.015, "ACU-hour of RDS Proxy", "unchecked")
CACHE = Price(3.80, "hour of API Gateway's largest cache", "unchecked")


@dataclass(frozen=True)
class Operation:
    """One kind of request: its share, its statements, and the database work per statement.

    `work` is relative to a get: medians of one client in docs/growth.md, with ten million
    customers. The numbers of statements are those of tests/test_statements.py.
    """

    name: str
    statements: int
    work: float
    is_read: bool


GET = Operation("get", 1, 1.0, True)
LIST = Operation("list", 1, 5.3, True)
CREATE = Operation("create", 1, 2.0, False)
PATCH = Operation("patch", 2, 1.6, False)


@dataclass(frozen=True)
class Assumption:
    """A value that was never measured for this service, and the bounds of its plausible range."""

    value: float
    low: float
    high: float
    unit: str
    source: str


ASSUMED = "assumed"
ASSUMPTIONS: Mapping[str, Assumption] = {
    "data_api_ms": Assumption(
        105, 30, 200, "ms, median of a Data API call", "one blog: warm function, Java, PostgreSQL"
    ),
    "data_api_spread": Assumption(
        0.73, 0.4, 1.0, "of its logarithm", "the same: p90 271 ms, p99 572 ms fit it"
    ),
    "mysql_ms": Assumption(
        3, 1, 10, "ms, median of a statement through RDS Proxy", "one blog: 2 to 3 ms, psycopg2"
    ),
    "mysql_spread": Assumption(0.5, 0.3, 0.8, "of its logarithm", ASSUMED),
    "per_acu": Assumption(
        Usage.per_acu, 25, 400, "statements a second of one ACU", "assumed, as in docs/costs.md"
    ),
    "vcpu_per_acu": Assumption(
        0.25, 0.125, 0.5, "processors of one ACU", "assumed: 2 of 16 GiB, as Aurora's r classes"
    ),
    "scaling_target": Assumption(0.7, 0.5, 0.9, "of capacity: above it, Aurora adds", ASSUMED),
    "scaling_lag": Assumption(5, 1, 30, "s of load before Aurora adds", ASSUMED),
    "scaling_doubling": Assumption(15, 5, 60, "s in which capacity doubles", ASSUMED),
    "scaling_halving": Assumption(300, 60, 900, "s in which idle capacity halves", ASSUMED),
    "connections": Assumption(2_000, 500, 5_000, "statements at once in a database", ASSUMED),
    "handler_ms": Assumption(
        5, 2, 15, "ms of the function itself", "docs/performance.md at 0.29 of a core, rounded up"
    ),
    "gateway_ms": Assumption(10, 3, 30, "ms of gateway and network within AWS", ASSUMED),
    "cold_ms": Assumption(
        225, 150, 400, "ms, median of a cold start", "one page: p50 150 to 300 ms, Python"
    ),
    "cold_spread": Assumption(0.38, 0.2, 0.6, "of its logarithm", "the same: p99 400 to 700 ms"),
    "idle_seconds": Assumption(300, 60, 900, "s that an idle environment is kept", ASSUMED),
    "write_share": Assumption(0.2, 0.05, 0.5, "of requests; half create, half patch", ASSUMED),
    "list_share": Assumption(0.25, 0.0, 0.6, "of reads", ASSUMED),
    "cached_share": Assumption(0.5, 0.2, 0.9, "of reads, where there is a cache", ASSUMED),
    "client_attempts": Assumption(3, 1, 5, "times that a client sends at most", ASSUMED),
    "client_jitter": Assumption(1.0, 0.0, 2.0, "of Retry-After, at most, added to it", ASSUMED),
    "function_attempts": Assumption(
        1, 1, 3, "times that the function sends a statement", "chalicelib/database/clients.py: once"
    ),
}


@dataclass(frozen=True)
class Parameters:
    """The values of a run, by the names of ASSUMPTIONS.

    Names with `_seconds` are times in seconds.
    """

    data_api_ms: float
    data_api_spread: float
    mysql_ms: float
    mysql_spread: float
    per_acu: float
    vcpu_per_acu: float
    scaling_target: float
    scaling_lag: float
    scaling_doubling: float
    scaling_halving: float
    connections: float
    handler_ms: float
    gateway_ms: float
    cold_ms: float
    cold_spread: float
    idle_seconds: float
    write_share: float
    list_share: float
    cached_share: float
    client_attempts: float
    client_jitter: float
    function_attempts: float

    @classmethod
    def assumed(cls, **others: float) -> Self:
        """Return the assumed values, overridden by the given ones."""
        values = {field.name: ASSUMPTIONS[field.name].value for field in fields(cls)}
        return replace(cls(**values), **others)

    @property
    def mix(self) -> Mapping[Operation, float]:
        """The share of each operation in the requests."""
        reads, writes = 1 - self.write_share, self.write_share
        return {
            GET: reads * (1 - self.list_share),
            LIST: reads * self.list_share,
            CREATE: writes / 2,
            PATCH: writes / 2,
        }

    @property
    def statements(self) -> float:
        """The mean number of statements per request."""
        return sum(share * operation.statements for operation, share in self.mix.items())
