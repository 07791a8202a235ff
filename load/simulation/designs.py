"""What can be changed about the service, as steps: each has all those before it."""

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
    """What bounds the service: requests a second, environments, ACU of an instance.

    Rate, burst and environments are those of a region; each region has as many `shards`, which are
    clusters of their own: tenants are spread evenly over all of them. `readers` take the reads of
    a shard. With `is_cached` the gateway answers some reads by itself; `plan_rate` is what one API
    key may take.
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
    """Instances that take no requests, as large as the writer, for when it fails."""

    @property
    def cells(self) -> int:
        """Parts that share nothing but the gateway and the environments of their region."""
        return self.shards * self.regions

    @property
    def instances(self) -> int:
        """Of all clusters; a reader takes over as a spare does."""
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
"""The ladder. Shards and regions leave the cache out again: it would keep personal data."""

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
