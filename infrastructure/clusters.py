"""The clusters of a stage during a restore: the current, the restored and the replaced one.

Functions, policies, alarms and stacks refer to the cluster `customers-<stage>` by its name. So a
switch renames: the current cluster becomes `customers-<stage>-replaced`, and the restored one,
until then `customers-<stage>-restored`, gets its name. Their instances swap names, too, so that
the database's stack owns the restored ones. A switch back does the same in the other direction.

Each step first looks at what exists, so a command that was interrupted continues.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-restore-snapshot.html
        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-pitr.html
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from botocore.exceptions import ClientError

from infrastructure.failures import Failure, code_of
from infrastructure.stages import Stage

RESTORED = "restored"
REPLACED = "replaced"
LATEST = "latest"
PAUSE_SECONDS = 10.0
MAX_SECONDS = 3_600.0
ENGINE = "aurora-mysql"
LOGS = ["audit", "error", "slowquery"]  # as in database.yaml
CERTIFICATE = "rds-ca-rsa2048-g1"
BROKEN = ("failed", "inaccessible", "incompatible", "stopped")
"""How the names of those statuses begin in which AWS rejects changes, and which don't pass."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Backup:
    """What to restore: a snapshot, or the cluster's state at a time (None: the latest one)."""

    snapshot: str | None = None
    time: datetime | None = None

    @classmethod
    def parse(cls, to: str | None, snapshot: str | None) -> Self:
        """Parse the command's options, of which exactly one is given. Raises Failure."""
        if snapshot:
            return cls(snapshot=snapshot)
        if to == LATEST:
            return cls()
        try:
            parsed = datetime.fromisoformat(to or "")
        except ValueError:
            parsed = None
        if parsed is None or parsed.tzinfo is None:
            raise Failure(
                f"--to {to!r} is no time with a zone: use for example 2026-11-28T02:15:00Z, or"
                f" {LATEST!r} for the latest moment that AWS can restore."
            )
        return cls(time=parsed)

    def __str__(self) -> str:
        if self.snapshot:
            return f"snapshot {self.snapshot}"
        return self.time.isoformat() if self.time else LATEST


class Clusters:
    """The clusters of a stage: the current one, the restored one, and the replaced one."""

    def __init__(self, client: Any, stage: Stage, say: Say = print) -> None:
        self._client = client
        self._stage = stage
        self._say = say
        self.name = f"customers-{stage.name}"

    def find(self, suffix: str = "") -> dict[str, Any] | None:
        """Return AWS's description of a cluster, or None if it does not exist."""
        try:
            found = self._client.describe_db_clusters(DBClusterIdentifier=self._named(suffix))
        except ClientError as error:
            if code_of(error) == "DBClusterNotFoundFault":
                return None
            raise
        return dict(found["DBClusters"][0])

    def restore(
        self, backup: Backup, security_group: str, key: str, homes: Sequence[str]
    ) -> dict[str, Any]:
        """Create the restored cluster, unless it exists, and complete it; return its description.

        `homes` are the names of the stage's instances. Raises Failure, ClientError.
        """
        found = self.find(RESTORED)
        if found is None:
            self._create(backup, security_group)
        elif (made := _tags(found).get("backup")) != str(backup):
            raise Failure(
                f"{self._named(RESTORED)} already exists, restored from {made or 'something else'}."
                f" Use it with `restore --stage {self._stage.name} --switch`, or delete it first:"
                " docs/restoring.md, Clean up."
            )
        self._await(RESTORED)
        writer, *readers = [f"{home}-{RESTORED}" for home in homes]
        self._create_instance(writer, 0)
        self._await_instance(writer)
        for tier, reader in enumerate(readers, 1):
            self._create_instance(reader, tier)  # a standby, for which nothing waits
        self._configure(key)
        return self._await(RESTORED, lambda cluster: bool(_master_secret(cluster)))

    def swap(self, incoming: str, aside: str, homes: Sequence[str]) -> None:
        """Rename the cluster `incoming` to the stage's name, and the current one to `aside`.

        Raises Failure, before any change, if there is nothing to switch to.
        """
        is_ready, is_moved = bool(self.find(incoming)), bool(self.find(aside))
        current = self.find()
        self._check(incoming, aside, is_ready=is_ready, is_moved=is_moved, current=current)
        if is_ready and current:
            self._set_logs(is_on=False)
            self._rename("", aside)
        if is_ready:
            self._rename(incoming, "")
        self._open_data_api("")
        self._set_logs(is_on=True)
        self._rename_instances(homes, incoming, aside)

    def _check(
        self,
        incoming: str,
        aside: str,
        *,
        is_ready: bool,
        is_moved: bool,
        current: dict[str, Any] | None,
    ) -> None:
        """Raise Failure if a switch can't begin, or be continued after an interruption."""
        if not is_ready and not (current and is_moved):
            raise Failure(
                f"{self._named(incoming)} does not exist, so there is nothing to switch to:"
                f" `restore --stage {self._stage.name} --to TIME` creates a restored cluster."
            )
        if is_ready and is_moved and current:
            raise Failure(
                f"{self._named(aside)} still exists from an earlier restore, so the current cluster"
                " can't get this name. Delete it first: docs/restoring.md, Clean up."
            )

    def _create(self, backup: Backup, security_group: str) -> None:
        stage, tags = self._stage, {"project": "customers", "backup": str(backup)}
        settings: dict[str, Any] = {
            "DBClusterIdentifier": self._named(RESTORED),
            "DBSubnetGroupName": self.name,
            "DBClusterParameterGroupName": self.name,
            "VpcSecurityGroupIds": [security_group],  # otherwise AWS uses the network's default
            "EnableIAMDatabaseAuthentication": True,
            "CopyTagsToSnapshot": True,
            "DeletionProtection": stage.is_protected,
            "ServerlessV2ScalingConfiguration": _scaling(stage),
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        self._say(f"{self._named(RESTORED)}: restoring {backup}")
        if backup.snapshot:
            self._client.restore_db_cluster_from_snapshot(
                SnapshotIdentifier=backup.snapshot, Engine=ENGINE, **settings
            )
            return
        when = {"RestoreToTime": backup.time} if backup.time else {"UseLatestRestorableTime": True}
        self._client.restore_db_cluster_to_point_in_time(
            SourceDBClusterIdentifier=self.name, **when, **settings
        )

    def _create_instance(self, name: str, tier: int) -> None:
        """Create an instance, unless it exists. The first one of a cluster becomes the writer."""
        if self._find_instance(name) is None:
            self._client.create_db_instance(
                DBInstanceIdentifier=name,
                DBClusterIdentifier=self._named(RESTORED),
                DBInstanceClass="db.serverless",
                Engine=ENGINE,
                PubliclyAccessible=False,
                AutoMinorVersionUpgrade=False,
                CACertificateIdentifier=CERTIFICATE,
                PromotionTier=tier,
            )

    def _configure(self, key: str) -> None:
        """Set what a restore can't: the Data API, backups, and a password that RDS manages."""
        self._open_data_api(RESTORED)
        cluster = self._await(RESTORED)
        if not _master_secret(cluster):
            self._client.modify_db_cluster(
                DBClusterIdentifier=self._named(RESTORED),
                BackupRetentionPeriod=self._stage.backup_days,
                ManageMasterUserPassword=True,
                MasterUserSecretKmsKeyId=key,
                ApplyImmediately=True,
            )

    def _open_data_api(self, suffix: str) -> None:
        cluster = self._await(suffix)
        if not cluster.get("HttpEndpointEnabled"):
            self._client.enable_http_endpoint(ResourceArn=cluster["DBClusterArn"])
            self._await(suffix, lambda found: bool(found.get("HttpEndpointEnabled")))

    def _set_logs(self, *, is_on: bool) -> None:
        """Export the current cluster's logs, or not: the other names have no log groups."""
        exported = set(self._await("").get("EnabledCloudwatchLogsExports", []))
        wanted = sorted(set(LOGS) - exported) if is_on else sorted(exported)
        if wanted:
            kind = "EnableLogTypes" if is_on else "DisableLogTypes"
            self._client.modify_db_cluster(
                DBClusterIdentifier=self.name,
                CloudwatchLogsExportConfiguration={kind: wanted},
                ApplyImmediately=True,
            )
            self._await("")

    def _rename(self, before: str, after: str) -> None:
        self._await(before)
        self._say(f"{self._named(before)} becomes {self._named(after)}")
        self._client.modify_db_cluster(
            DBClusterIdentifier=self._named(before),
            NewDBClusterIdentifier=self._named(after),
            ApplyImmediately=True,
        )
        self._await(after)

    def _rename_instances(self, homes: Sequence[str], incoming: str, aside: str) -> None:
        """Swap the names of the instances. Each one reboots: the reader first, then the writer."""
        for home in reversed(homes):
            found = self._find_instance(home)
            if found and found["DBClusterIdentifier"] == self._named(aside):
                self._rename_instance(home, f"{home}-{aside}")
            if self._find_instance(f"{home}-{incoming}"):
                self._rename_instance(f"{home}-{incoming}", home)

    def _rename_instance(self, before: str, after: str) -> None:
        self._await_instance(before)
        self._client.modify_db_instance(
            DBInstanceIdentifier=before, NewDBInstanceIdentifier=after, ApplyImmediately=True
        )
        self._await_instance(after)

    def _find_instance(self, name: str) -> dict[str, Any] | None:
        try:
            found = self._client.describe_db_instances(DBInstanceIdentifier=name)
        except ClientError as error:
            if code_of(error) == "DBInstanceNotFound":
                return None
            raise
        return dict(found["DBInstances"][0])

    def _await(
        self, suffix: str, is_done: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        return self._poll(
            self._named(suffix),
            lambda: self.find(suffix),
            lambda found: found["Status"] == "available" and is_done(found),
        )

    def _await_instance(self, name: str) -> None:
        self._poll(
            name,
            lambda: self._find_instance(name),
            lambda found: found["DBInstanceStatus"] == "available",
        )

    def _poll(
        self,
        name: str,
        find: Callable[[], dict[str, Any] | None],
        is_done: Callable[[dict[str, Any]], bool],
    ) -> dict[str, Any]:
        """Wait until something exists and is done. Raises Failure after an hour."""
        deadline = time.monotonic() + MAX_SECONDS
        while True:
            found = find()
            if found and is_done(found):
                return found
            status = str((found or {}).get("Status") or (found or {}).get("DBInstanceStatus"))
            if status.startswith(BROKEN):
                raise Failure(
                    f"{name} is {status}, and AWS can't change it: docs/restoring.md, A broken"
                    " cluster."
                )
            if time.monotonic() > deadline:
                raise Failure(
                    f"{name} has not become available within an hour: look at its events in the RDS"
                    " console. The same command continues where this one stopped."
                )
            time.sleep(PAUSE_SECONDS)

    def _named(self, suffix: str) -> str:
        return f"{self.name}-{suffix}" if suffix else self.name


def master_secret(cluster: Mapping[str, Any] | None) -> str | None:
    """Return the ARN of the master user's secret, if RDS manages one."""
    secret = (cluster or {}).get("MasterUserSecret") or {}
    return str(secret["SecretArn"]) if secret.get("SecretArn") else None


def _master_secret(cluster: Mapping[str, Any]) -> str | None:
    """Return the secret only if it can be used."""
    is_active = (cluster.get("MasterUserSecret") or {}).get("SecretStatus") == "active"
    return master_secret(cluster) if is_active else None


def _tags(cluster: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in cluster.get("TagList", [])}


def _scaling(stage: Stage) -> dict[str, Any]:
    limits: dict[str, Any] = {"MinCapacity": stage.min_capacity, "MaxCapacity": stage.max_capacity}
    if stage.seconds_until_pause is not None:
        limits["SecondsUntilAutoPause"] = stage.seconds_until_pause
    return limits
