"""Compare a restored database with the current one: what it contains, and what it lacks."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from chalicelib.database import Database, connect
from chalicelib.settings import Settings

STATES = ("live", "deleted", "erased")
MAX_LISTED = 100


@dataclass(frozen=True)
class Facts:
    """The contents of a database, in figures."""

    migration: str
    """The name of the last migration."""
    customers: Mapping[str, int]
    """Numbers of customers, by state."""
    newest: datetime | None
    """The time of the newest change."""

    @classmethod
    def read(cls, database: Database) -> Self:
        """Read the facts. Raises DatabaseError."""
        (last,) = database.fetch_all(
            "SELECT MAX(name) AS name FROM schema_migrations WHERE applied_at IS NOT NULL"
        )
        rows = database.fetch_all("SELECT state, COUNT(*) AS number FROM customers GROUP BY state")
        (newest,) = database.fetch_all("SELECT MAX(updated_at) AS time FROM customers")
        numbers = {str(row["state"]): int(str(row["number"])) for row in rows}
        time = newest["time"]
        return cls(
            str(last["name"]),
            {state: numbers.get(state, 0) for state in STATES},
            time if isinstance(time, datetime) else None,
        )

    def __str__(self) -> str:
        numbers = ", ".join(f"{number} {state}" for state, number in self.customers.items())
        newest = f"{self.newest:%Y-%m-%dT%H:%M:%SZ}" if self.newest else "none"
        return f"customers: {numbers}; newest change: {newest}; schema: {self.migration}"


def find_later_changes(
    current: Database, since: datetime | None, state: str | None = None
) -> list[UUID]:
    """Return the customers that changed after a time, optionally only those in a state.

    A restored database whose newest change is that old lacks these changes. Returns up to
    MAX_LISTED ids, the newest first. Raises DatabaseError.
    """
    condition = "state = :state AND " if state else ""
    rows = current.fetch_all(
        f"SELECT id FROM customers WHERE {condition}updated_at > :since"  # noqa: S608 (constants)
        f" ORDER BY updated_at DESC LIMIT {MAX_LISTED}",
        since=since or datetime(1970, 1, 1, tzinfo=UTC),
        **({"state": state} if state else {}),
    )
    return [UUID(bytes=row["id"]) for row in rows if isinstance(row["id"], bytes)]


def connect_to(outputs: Mapping[str, str]) -> Database:
    """Return the database of the outputs of a database's stack, as the user of migrations."""
    return connect(
        Settings(
            resource_arn=outputs["ClusterArn"],
            secret_arn=outputs["MigrationsSecretArn"],
            database_name=outputs["DatabaseName"],
            endpoint_url=os.environ.get("AWS_ENDPOINT_URL_RDS_DATA"),
        )
    )
