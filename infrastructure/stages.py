"""The deployed stages and their differences.

To add or remove a stage, change STAGES and run `make stages`: docs/deploying.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from infrastructure.failures import Failure

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / ".chalice" / "config.json"
LOCAL = "local"
DATA_API, MYSQL, MYSQL_PASSWORD = BACKENDS = ("data_api", "mysql", "mysql_password")
"""How functions reach the database: docs/backends.md. Only `mysql` logs in without a password."""
FUNCTIONS = ("api_handler", "authorize", "purge_customers", "relay_events")
"""Chalice's names of the functions in app.py."""
PYTHON = "3.13"
"""The functions' Python version, regardless of this process's version: decision 0020."""
RUNTIME = f"python{PYTHON}"
"""Lambda's name of the version."""
CLIENT_SHARE = 0.1
"""The share of a stage's rate that one client may use."""


@dataclass(frozen=True)
class Domain:
    """The domain of a stage: docs/deploying.md, Custom domain."""

    name: str
    """Such as api.example.com. The default address of the API is off."""
    base_path: str = ""
    """First segment of the API's paths, such as crm, or ""."""
    hosted_zone: str = ""
    """Id of the hosted zone in Route 53 that gets the records, or "" for another DNS server."""
    certificate: str = ""
    """ARN of a certificate in ACM, or "": ACM then issues one through the hosted zone."""
    truststore: str = ""
    """For mutual TLS: s3://bucket/key of the certificates that sign those of clients."""
    truststore_version: str = ""
    """Version of this object."""

    @property
    def url(self) -> str:
        return f"https://{self.name}/{self.base_path}".rstrip("/")


@dataclass(frozen=True)
class Stage:
    """A stage's limits: capacities in ACU (about 2 GiB each), rates in requests per second.

    `seconds_until_pause` is None if the database never pauses; otherwise `min_capacity` must be 0.
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
    concurrency: int | None
    """Reserved for the functions, unless config.json reserves others; None reserves nothing."""
    log_retention_days: int
    audit_days: int
    """Retention of the audit trail, which survives the stage: docs/operating.md."""
    monthly_budget: int
    """US dollars. A forecast above it sends an email; nothing limits the costs but the capacity."""
    expects_traffic: bool
    """Whether 15 minutes without a request page the on-call engineer."""
    deployment: str
    """CodeDeploy's configuration: how traffic shifts to a new version."""
    copy_vault: str
    """ARN of a backup vault elsewhere that receives copies of backups, or "": docs/restoring.md."""
    account: str
    """The only AWS account that the stage may be in, or "" for any."""
    snap_start: bool
    """Whether the functions that clients wait for use SnapStart: docs/snapstart.md."""
    backend: str
    """One of BACKENDS."""
    limit_by: Literal["token", "caller"] = "token"
    """The unit that has a limit of CLIENT_SHARE: docs/deploying.md, Limits per client.

    `token`: the firewall blocks a token that sends more. Every caller of the issuer may call.
    `caller`: API Gateway throttles each subject of tokens. An operator has to admit each one.
    """
    domain: Domain | None = None

    def stack(self, part: str) -> str:
        """Return the name of a stack; `part` is one of commands.PARTS."""
        return f"customers-{self.name}-{part}"

    def lambda_name(self, function: str) -> str:
        """Return a function's name in Lambda.

        Both deployment methods use Chalice's name, so a stage can't use both by mistake.
        """
        own = "" if function == "api_handler" else f"-{function}"
        return f"customers-{self.name}{own}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the stage's resources, by which AWS allocates costs: docs/costs.md."""
        return {"project": "customers", "stage": self.name}

    @property
    def has_proxy(self) -> bool:
        """Whether the functions that use the database run in its network, and use RDS Proxy."""
        return self.backend != DATA_API

    @property
    def has_events(self) -> bool:
        """Whether the stage has an event bus. The relay would keep a database from pausing."""
        return self.seconds_until_pause is None

    @property
    def event_bus(self) -> str:
        """The name of the event bus."""
        return f"customers-{self.name}"

    @property
    def lambda_names(self) -> list[str]:
        return [self.lambda_name(function) for function in FUNCTIONS]


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
            audit_days=7,
            monthly_budget=50,
            expects_traffic=False,
            deployment="AllAtOnce",
            copy_vault="",
            account="",
            snap_start=False,
            backend=DATA_API,
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
            audit_days=30,
            monthly_budget=150,
            expects_traffic=False,
            deployment="Canary10Percent5Minutes",
            copy_vault="",
            account="",
            snap_start=False,
            backend=DATA_API,
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
            concurrency=400,
            log_retention_days=90,
            audit_days=365,
            monthly_budget=500,
            expects_traffic=True,
            deployment="Canary10Percent5Minutes",
            copy_vault="",
            account="",
            snap_start=False,
            backend=DATA_API,
        ),
    )
}


def named(name: str) -> Stage:
    """Return the stage of that name. Raises Failure, which suggests the closest name."""
    if name not in STAGES:
        raise Failure(f"Unknown stage {name!r}. {suggest(name, STAGES)}")
    check_backend(STAGES[name])
    return STAGES[name]


def check_backend(stage: Stage) -> None:
    """Raise Failure if the stage's backend is unknown, or contradicts its other settings."""
    where = f"infrastructure/stages.py, {stage.name}"
    if stage.backend not in BACKENDS:
        raise Failure(
            f"{where}: unknown backend {stage.backend!r}. {suggest(stage.backend, BACKENDS)}"
        )
    if stage.has_proxy and stage.seconds_until_pause is not None:
        raise Failure(
            f"{where}: with backend={stage.backend!r}, RDS Proxy keeps connections open, so the"
            f" database never pauses. Set min_capacity=0.5 and seconds_until_pause=None, or"
            f" backend={DATA_API!r}."
        )


def suggest(word: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests the known word closest to `word`."""
    known = sorted(known)
    if near := get_close_matches(word, known, n=1, cutoff=0.5):
        return f"Did you mean {near[0]!r}?"
    return f"Use one of: {', '.join(known)}."


def policy_file(stage: Stage, function: str) -> str:
    """Return the name of the function's policy file in .chalice."""
    return f"policy-{stage.lambda_name(function).removeprefix('customers-')}.json"
