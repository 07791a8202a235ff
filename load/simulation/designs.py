"""Designs of the service, as a ladder of steps. Each step includes all previous ones."""

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
    """The limits of a design: requests per second, environments, ACU of an instance.

    Rate, burst and environments apply to each region. Each region has `shards`, which are separate
    clusters; tenants are distributed evenly over all of them. `readers` serve the reads of a shard.
    With `is_cached`, the gateway caches some reads. `plan_rate` limits one API key.
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
    spare_instances: int = PROD.instances - 1
    """Standby instances, as large as the writer, for a failover."""

    @property
    def cells(self) -> int:
        """The number of parts that share only the gateway and the environments of their region."""
        return self.shards * self.regions

    @property
    def instances(self) -> int:
        """The instances of all clusters. Readers serve as standby, too."""
        return self.cells * (1 + max(self.readers, self.spare_instances))


DEPLOYED = Design(
    rate=PROD.rate,
    burst=PROD.burst,
    concurrency=PROD.concurrency,
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
    "prod as it is": DEPLOYED,
    "what an account has": QUOTAS,
    "quotas raised by AWS": ASKED,
    "mysql by RDS Proxy": PROXY,
    "15 readers": READERS,
    "gateway's cache": CACHED,
    "8 shards, 4 readers each": SHARDED,
    "4 regions of 4 shards": REGIONS,
}
"""The ladder. Shards and regions do without the cache, because it would store personal data."""

EXPLAINED: Mapping[str, str] = {
    "prod as it is": "`infrastructure/stages.py`: 2,000 a second, 400 environments, up to 64 ACU",
    "what an account has": "10,000 a second, burst 5,000, 1,000 environments, up to 256 ACU",
    "quotas raised by AWS": "150,000 a second, 25,000 environments: AWS has to agree",
    "mysql by RDS Proxy": "`DATABASE_URL`, in the VPC: milliseconds instead of a hundred of them",
    "15 readers": "the most of a cluster; reads go to the reader endpoint, and may be behind",
    "gateway's cache": "of reads, with `Authorization` in the key; answers may be stale",
    "8 shards, 4 readers each": "a cluster for each eighth of the tenants, without the cache",
    "4 regions of 4 shards": "the same 16 ways, each region with quotas of its own",
}
