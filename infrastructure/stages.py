"""The stages that are deployed, and what differs between them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """How a stage is dimensioned: capacities in ACU (about 2 GiB each), rates in requests a second.

    `seconds_until_pause` is None where the database never pauses, which `min_capacity` 0 allows.
    """

    name: str
    min_capacity: float
    max_capacity: float
    seconds_until_pause: int | None
    instances: int
    backup_days: int
    is_protected: bool
    rate: int
    burst: int
    concurrency: int
    log_retention_days: int
    deployment: str
    """CodeDeploy's: how traffic moves to a new version."""

    def stack(self, part: str) -> str:
        """Return the name of one of its stacks: network, database, api or operations."""
        return f"customers-{self.name}-{part}"

    def lambda_name(self, function: str) -> str:
        """Return the name that Lambda knows a function by, whichever way it is deployed.

        It is what Chalice calls it; so a stage can't be deployed in both ways by mistake.
        """
        own = "" if function == "api_handler" else f"-{function}"
        return f"customers-{self.name}{own}"


STAGES: Mapping[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            name="dev",
            min_capacity=0,
            max_capacity=2,
            seconds_until_pause=600,
            instances=1,
            backup_days=1,
            is_protected=False,
            rate=50,
            burst=100,
            concurrency=10,
            log_retention_days=7,
            deployment="AllAtOnce",
        ),
        Stage(
            name="staging",
            min_capacity=0.5,
            max_capacity=8,
            seconds_until_pause=None,
            instances=1,
            backup_days=7,
            is_protected=False,
            rate=500,
            burst=1_000,
            concurrency=100,
            log_retention_days=30,
            deployment="Canary10Percent5Minutes",
        ),
        Stage(
            name="prod",
            min_capacity=0.5,
            max_capacity=64,
            seconds_until_pause=None,
            instances=2,
            backup_days=14,
            is_protected=True,
            rate=2_000,
            burst=4_000,
            concurrency=500,
            log_retention_days=90,
            deployment="Canary10Percent5Minutes",
        ),
    )
}
