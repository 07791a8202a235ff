"""The restore drill: docs/restoring.md with real rows, from the damage to the clean-up."""

from dataclasses import replace
from uuid import uuid4

from infrastructure import commands
from infrastructure.clusters import REPLACED, RESTORED
from infrastructure.run import Run
from infrastructure.smoke import Client
from tests.rehearsal import checks
from tests.rehearsal.databases import Databases

LOST = "customers with later changes: "
ERASED = "erased since, so erase them again after the switch: "


class Drill:
    """A backup, the customers that are lost after it, and the commands that bring them back."""

    def __init__(self, run: Run, databases: Databases, client: Client) -> None:
        self._run = replace(run, ask=lambda _: run.stage.name)
        self._databases = databases
        self._client = client
        self.restored = ""
        """The contents of the restored database, in the words of `restore`."""

    def damage(self) -> str:
        """Back up; then delete one customer, erase another, and change the password."""
        self._deleted, self._erased = self._create(), self._create()
        self._backup = self._databases.back_up()
        self._client.send(204, "DELETE", f"/customers/{self._deleted}")
        self._client.erase(self._erased)
        commands.rotate(self._run)
        return f"deleted {self._deleted}, erased {self._erased}"

    def restore(self) -> None:
        """Restore the backup. The command must name the lost changes."""
        lines: list[str] = []
        commands.restore(replace(self._run, to=str(self._backup), say=lines.append))
        for line in lines:
            self._run.say(line)
        checks.expect("the lost changes", _ids(lines, LOST), {self._deleted, self._erased})
        checks.expect("the lost erasures", _ids(lines, ERASED), {self._erased})
        (self.restored,) = [line for line in lines if line.startswith("restored: ")]

    def switch(self) -> str:
        """Switch to the restored database, and erase again what it must not contain."""
        commands.restore(replace(self._run, incoming=RESTORED))
        for customer in (self._deleted, self._erased):
            self._client.send(200, "GET", f"/customers/{customer}")
        self._client.erase(self._erased)
        self._client.send(404, "GET", f"/customers/{self._erased}")
        return f"{self._deleted} is back; {self._erased} was back, and is erased again"

    def switch_back(self) -> str:
        """Switch back to the replaced database."""
        commands.restore(replace(self._run, incoming=REPLACED))
        self._client.send(404, "GET", f"/customers/{self._deleted}")
        return f"{self._deleted} is deleted"

    def clean_up(self) -> str:
        """Delete the restored cluster, with the calls of docs/restoring.md."""
        rds, name = self._run.session.client("rds"), f"customers-{self._run.stage.name}-{RESTORED}"
        named = {"DBClusterIdentifier": name}
        rds.modify_db_cluster(**named, DeletionProtection=False, ApplyImmediately=True)
        (cluster,) = rds.describe_db_clusters(**named)["DBClusters"]
        members = [member["DBInstanceIdentifier"] for member in cluster["DBClusterMembers"]]
        for instance in members:
            rds.delete_db_instance(DBInstanceIdentifier=instance)
        rds.delete_db_cluster(**named, FinalDBSnapshotIdentifier=f"{name}-final")
        return f"deleted {', '.join(members)} and {name}"

    def _create(self) -> str:
        email = f"drill.{uuid4()}@example.com"
        response = self._client.send(
            201, "POST", "/customers", {"email": email, "given_name": "Drill"}
        )
        return str(response.json()["id"])


def _ids(lines: list[str], prefix: str) -> set[str]:
    (line,) = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
    return set(line.split(", "))
