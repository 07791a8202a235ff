"""The users of a stage's database, and its schema.

Three users: the master makes the other two, and does nothing else; `migrations` changes the schema;
`application` reads and writes rows. Each has a secret of its own, and TLS is required of both.

Source: https://dev.mysql.com/doc/refman/8.0/en/create-user.html
        https://dev.mysql.com/doc/refman/8.0/en/privileges-provided.html
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import migrations
from chalicelib.database import Database, DatabaseUnavailable, connect
from chalicelib.settings import Settings
from infrastructure.failures import Failure
from migrations import MigrationError

ROWS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
SCHEMA = ROWS | {"CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"}
RESUME_SECONDS = 90
# CREATE USER takes no parameters: what is put into it must not end its quotes.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_PASSWORD = re.compile(r"[A-Za-z0-9]{16,128}")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Login:
    """A user of the database, as the secret has it."""

    name: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, secret: str, arn: str) -> Self:
        """Read a secret's JSON. Raises Failure, without the secret, if SQL could not hold it."""
        try:
            members = json.loads(secret)
            name, password = members["username"], members["password"]
        except (ValueError, KeyError, TypeError):
            raise Failure(
                f"The secret {arn} is not JSON with username and password: store it so."
            ) from None
        if not (_fits(_NAME, name) and _fits(_PASSWORD, password)):
            raise Failure(
                f"The secret {arn} can't be put into SQL: its username may have letters, digits and"
                " _, its password 16 to 128 letters and digits. Store another, and run it again."
            )
        return cls(name, password)

    @property
    def account(self) -> str:
        return f"'{self.name}'@'%'"


def migrate(session: Any, outputs: Mapping[str, str], say: Say) -> None:
    """Make sure of the users, and bring the schema up to date.

    `outputs` are those of the stage's database stack. Raises Failure, DatabaseError, ClientError.
    """
    secrets = session.client("secretsmanager")

    def login(output: str) -> Login:
        arn = outputs[output]
        return Login.parse(secrets.get_secret_value(SecretId=arn)["SecretString"], arn)

    application, migrator = login("ApplicationSecretArn"), login("MigrationsSecretArn")
    master = _database(outputs, "MasterSecretArn")
    resume(master, say)
    make_users(master, outputs["DatabaseName"], {application: ROWS, migrator: SCHEMA}, say)
    bring_up_to_date(lambda: _database(outputs, "MigrationsSecretArn"), say)


def resume(database: Database, say: Say, seconds: float = RESUME_SECONDS) -> None:
    """Wait until a paused database answers. Raises DatabaseUnavailable if it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            database.ping()
        except DatabaseUnavailable as error:
            if time.monotonic() > deadline:
                raise
            say(f"the database does not answer yet ({error}): it may be resuming")
            time.sleep(error.retry_after or 1)
        else:
            return


def make_users(
    master: Database, schema: str, users: Mapping[Login, frozenset[str]], say: Say
) -> None:
    """Create each user, or give it its password anew, and exactly those privileges on the schema.

    Raises Failure when a user has others: who gave them may have had a reason.
    """
    if not _fits(_NAME, schema):
        raise Failure(f"{schema!r} can't be a database's name: letters, digits and _ only.")
    for login, privileges in users.items():
        identified = f"{login.account} IDENTIFIED BY '{login.password}' REQUIRE SSL"
        master.execute(f"CREATE USER IF NOT EXISTS {identified}")
        master.execute(f"ALTER USER {identified}")
        granted = ", ".join(sorted(privileges))
        master.execute(f"GRANT {granted} ON `{schema}`.* TO {login.account}")
        _check_privileges(master, schema, login, privileges)
        say(f"user {login.name}: {granted}")


def bring_up_to_date(connection: Callable[[], Database], say: Say) -> None:
    """Apply the migrations that are not applied yet. Raises Failure, DatabaseError."""
    try:
        files = migrations.read()
        migrations.apply(connection(), connection(), files, say)
    except MigrationError as error:
        raise Failure(f"The migrations stopped: {error}") from None
    say(f"the schema is up to date at {files[-1].name}")


def _check_privileges(
    master: Database, schema: str, login: Login, privileges: frozenset[str]
) -> None:
    rows = master.fetch_all(
        "SELECT table_schema AS place, privilege_type AS privilege"
        " FROM information_schema.schema_privileges WHERE grantee = :account"
        " UNION ALL SELECT '*', privilege_type"
        " FROM information_schema.user_privileges WHERE grantee = :account",
        account=login.account,
    )
    found = {(str(row["place"]), str(row["privilege"])) for row in rows} - {("*", "USAGE")}
    wanted = {(schema, privilege) for privilege in privileges}
    if found - wanted:
        others = ", ".join(sorted(f"{what} on {place}" for place, what in found - wanted))
        raise Failure(
            f"The database's user {login.name} may do more than it should: {others}."
            " Take it away with REVOKE as the master user, and run the command again."
        )
    if wanted - found:
        raise Failure(
            f"The database's user {login.name} did not get what it was granted: log in as the"
            f" master user and look at SHOW GRANTS FOR {login.account}."
        )


def _database(outputs: Mapping[str, str], secret: str) -> Database:
    return connect(
        Settings(
            resource_arn=outputs["ClusterArn"],
            secret_arn=outputs[secret],
            database_name=outputs["DatabaseName"],
            endpoint_url=os.environ.get("AWS_ENDPOINT_URL_RDS_DATA"),
        )
    )


def _fits(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and bool(pattern.fullmatch(text))
