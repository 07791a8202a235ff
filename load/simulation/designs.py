"""Designs of the service, as steps. Each step includes all previous steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from infrastructure.stages import STAGES
from load.simulation.assumptions import (
    ACCOUNT_BURST,
    ACCOUNT_CONCURRENCY,
    ACCOUNT_RATE,
    HIGHEST_ACU,
)

PROD = STAGES["prod"]


@dataclass(frozen=True)
class Design:
    """Limits of the service.

    `rate` (requests per second), `burst` and `concurrency` (environments) apply to a region.
    `min_acu` and `max_acu` apply to a database instance. Each region has `shards` clusters, and
    tenants are spread evenly over all clusters. `readers` serve the reads of a shard. With
    `is_cached`, the gateway responds to some reads itself. `plan_rate` and
    `token_rate` limit one client: by a usage plan, or by a rule of the firewall.
    """

    rate: float
    burst: float
    concurrency: float
    min_acu: float
    max_acu: float
    backend: Literal["data_api", "mysql"] = "data_api"
    readers: int = 0
    is_cached: bool = False
    shards: int = 1
    regions: int = 1
    plan_rate: float | None = None
    token_rate: float | None = None
    spare_instances: int = PROD.instances - 1
    """Standby instances, as large as the writer."""

    @property
    def cells(self) -> int:
        """Number of parts that share only the gateway and the environments of their region."""
        return self.shards * self.regions

    @property
    def instances(self) -> int:
        """Instances of all clusters. If there are readers, one of them replaces a failed writer."""
        return self.cells * (1 + max(self.readers, self.spare_instances))


DEPLOYED = Design(
    rate=PROD.rate,
    burst=PROD.burst,
    concurrency=PROD.concurrency or ACCOUNT_CONCURRENCY,
    min_acu=PROD.min_capacity,
    max_acu=PROD.max_capacity,
)
QUOTAS = replace(
    DEPLOYED,
    rate=ACCOUNT_RATE,
    burst=ACCOUNT_BURST,
    concurrency=ACCOUNT_CONCURRENCY,
    max_acu=HIGHEST_ACU,
)
ASKED = replace(QUOTAS, rate=150_000, burst=75_000, concurrency=25_000)
PROXY = replace(ASKED, backend="mysql")
READERS = replace(PROXY, readers=15)
CACHED = replace(READERS, is_cached=True)
SHARDED = replace(READERS, shards=8, readers=4)
REGIONS = replace(SHARDED, shards=4, regions=4, rate=37_500, burst=18_750)

STEPS: Mapping[str, Design] = {
    "prod as deployed": DEPLOYED,
    "default quotas": QUOTAS,
    "raised quotas": ASKED,
    "mysql through RDS Proxy": PROXY,
    "15 readers": READERS,
    "gateway cache": CACHED,
    "8 shards, 4 readers each": SHARDED,
    "4 regions, 4 shards each": REGIONS,
}
"""The ladder. Shards and regions have no cache, because a cache would store personal data."""

EXPLAINED: Mapping[str, str] = {
    "prod as deployed": "`infrastructure/stages.py`: 2,000 requests per second, 400 environments, "
    "up to 64 ACU",
    "default quotas": "10,000 requests per second, burst 5,000, 1,000 environments, up to 256 ACU",
    "raised quotas": "150,000 requests per second, 25,000 environments; AWS must approve",
    "mysql through RDS Proxy": "`DATABASE_URL`, in the VPC: a statement takes milliseconds instead "
    "of about a hundred",
    "15 readers": "the maximum of a cluster; reads go to the reader endpoint and may be stale",
    "gateway cache": "caches reads, with `Authorization` in the cache key; responses may be stale",
    "8 shards, 4 readers each": "one cluster for each eighth of the tenants; no cache",
    "4 regions, 4 shards each": "16 shards; each region has its own quotas",
}
