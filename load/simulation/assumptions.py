"""Input values of the simulation, each with its source.

Values that AWS documents, or that this project's code defines, are constants. Unmeasured
values are fields of `Parameters`, with the bounds between which docs/scaling.md varies them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from chalicelib.database.retries import MAX_ATTEMPTS
from infrastructure.costs import PRICES, Price, Usage

RETRY_AFTER: Mapping[int, float] = {429: 1.0, 500: 1.0, 503: 2.0}
"""Seconds in Retry-After: infrastructure/gateway_responses.py, chalicelib/database/errors.py.

A 500 has no Retry-After. The simulated clients then wait for one second.
"""
FIREWALL_DELAY = 30.0
"""Seconds until a rate rule blocks a client. AWS: "usually, this delay is below 30 seconds".
https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-caveats.html"""
RAMP_ENVIRONMENTS, RAMP_SECONDS = 1_000.0, 10.0
"""Lambda adds at most this many environments to a function in this many seconds.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html"""
ACCOUNT_RATE, ACCOUNT_BURST = 10_000, 5_000
"""Default quota of an account in a region: requests per second, and burst.
https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""
ACCOUNT_CONCURRENCY = 1_000
"""Default quota of an account in a region; source: the Lambda page above."""
HIGHEST_ACU = 256.0
"""Maximum of one instance. https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.html"""

PROXY = PRICES["proxy"]
CACHE = Price(3.80, "hour of API Gateway's largest cache", "unchecked")


@dataclass(frozen=True)
class Operation:
    """One kind of request: its number of statements, and the database's work for each of them.

    `work` is relative to a get. Its values are the medians of one client in docs/growth.md, with
    ten million customers. tests/test_statements.py asserts the number of statements.
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
    """An unmeasured value, and its plausible bounds."""

    value: float
    low: float
    high: float
    unit: str
    source: str = "assumed"


def assumed(*values: Any) -> Any:
    """Return a dataclass field with an assumed value as its default."""
    assumption = Assumption(*values)
    return field(default=assumption.value, metadata={"assumption": assumption})


@dataclass(frozen=True)
class Parameters:
    """The values of a run. Each is assumed, unless a scenario sets it."""

    data_api_ms: float = assumed(
        105, 30, 200, "ms, median of a Data API call", "one blog: warm function, Java, PostgreSQL"
    )
    data_api_spread: float = assumed(
        0.73,
        0.4,
        1.0,
        "standard deviation of the logarithm",
        "same blog: fits p90 271 ms, p99 572 ms",
    )
    mysql_ms: float = assumed(
        3, 1, 10, "ms, median of a statement through RDS Proxy", "one blog: 2 to 3 ms, psycopg2"
    )
    mysql_spread: float = assumed(0.5, 0.3, 0.8, "standard deviation of the logarithm")
    per_acu: float = assumed(
        Usage.per_acu, 25, 400, "statements per second of one ACU", "assumed, as in docs/costs.md"
    )
    vcpu_per_acu: float = assumed(
        0.25, 0.125, 0.5, "processors of one ACU", "assumed: 2 per 16 GiB, like Aurora's r classes"
    )
    scaling_target: float = assumed(0.7, 0.5, 0.9, "of capacity: above this, Aurora scales up")
    scaling_lag: float = assumed(5, 1, 30, "s of load before Aurora scales up")
    scaling_doubling: float = assumed(15, 5, 60, "s for capacity to double")
    scaling_halving: float = assumed(300, 60, 900, "s for idle capacity to halve")
    connections: float = assumed(2_000, 500, 5_000, "concurrent statements per database instance")
    handler_ms: float = assumed(
        5,
        2,
        15,
        "ms of the function's own work",
        "docs/performance.md at 0.29 of a core, rounded up",
    )
    gateway_ms: float = assumed(10, 3, 30, "ms of gateway and network inside AWS")
    cold_ms: float = assumed(
        225, 150, 400, "ms, median of a cold start", "one page: p50 150 to 300 ms, Python"
    )
    cold_spread: float = assumed(
        0.38, 0.2, 0.6, "standard deviation of the logarithm", "same page: p99 400 to 700 ms"
    )
    idle_seconds: float = assumed(300, 60, 900, "s until Lambda removes an idle environment")
    write_share: float = assumed(0.2, 0.05, 0.5, "of requests; half create, half patch")
    list_share: float = assumed(0.25, 0.0, 0.6, "of reads")
    cached_share: float = assumed(0.5, 0.2, 0.9, "of reads, in steps with a cache")
    client_attempts: float = assumed(3, 1, 5, "attempts of a client at each request")
    client_jitter: float = assumed(
        1.0, 0.0, 2.0, "of Retry-After: maximum random delay added to it"
    )
    function_attempts: float = assumed(
        MAX_ATTEMPTS,
        1,
        5,
        "attempts of the function at each statement",
        "chalicelib/database/retries.py",
    )

    @property
    def mix(self) -> Mapping[Operation, float]:
        """The share of each operation among the requests."""
        reads, writes = 1 - self.write_share, self.write_share
        return {
            GET: reads * (1 - self.list_share),
            LIST: reads * self.list_share,
            CREATE: writes / 2,
            PATCH: writes / 2,
        }

    @property
    def statements(self) -> float:
        """Mean number of statements per request."""
        return sum(share * each.statements for each, share in self.mix.items())


ASSUMPTIONS: Mapping[str, Assumption] = {
    each.name: each.metadata["assumption"] for each in fields(Parameters)
}
