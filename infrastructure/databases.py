"""The users of a stage's database, and its schema.

The master only creates the other users. `migrations` changes the schema. `application` reads and
writes rows; `rotation` alternates it with `application_clone`. Each has its own secret. With the
backend `mysql`, another user logs in with IAM, without a password. All but the master must use
TLS.

Source: https://dev.mysql.com/doc/refman/8.0/en/create-user.html
        https://dev.mysql.com/doc/refman/8.0/en/privileges-provided.html
"""

import json
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import migrations
from chalicelib.database import Database, DatabaseUnavailable, connect
from chalicelib.settings import Settings
from infrastructure.failures import Failure
from infrastructure.rotation import accounts
from infrastructure.rotation.accounts import ROWS
from infrastructure.rotation.handler import STEPS, Rotation, RotationError
from migrations import MigrationError

SCHEMA = ROWS | {"CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"}
RESUME_SECONDS = 90
# CREATE USER accepts no bind parameters, so names must not contain quotes.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_PASSWORD = re.compile(r"[A-Za-z0-9]{16,128}")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Login:
    """A database user with its password, from its secret."""

    name: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, secret: str, arn: str) -> Self:
        """Parse a secret.

        Raises Failure, without the secret's values, if they are not safe in SQL.
        """
        try:
            fields = json.loads(secret)
            name, password = fields["username"], fields["password"]
        except (ValueError, KeyError, TypeError):
            raise Failure(
                f"The secret {arn} is not JSON with username and password: store both."
            ) from None
        if not (_fits(_NAME, name) and _fits(_PASSWORD, password)):
            raise Failure(
                f"The secret {arn} is not safe in SQL: the username may contain letters, digits and"
                " _, the password 16 to 128 letters and digits. Store another, and run it again."
            )
        return cls(name, password)


def migrate(session: Any, outputs: Mapping[str, str], say: Say) -> None:
    """Create or update the users, and apply the pending migrations.

    `outputs` are those of the stage's database stack. Raises Failure, DatabaseError, ClientError.
    """
    secrets = session.client("secretsmanager")

    def login(output: str) -> Login:
        arn = outputs[output]
        return Login.parse(secrets.get_secret_value(SecretId=arn)["SecretString"], arn)

    application, migrator = login("ApplicationSecretArn"), login("MigrationsSecretArn")
    master = _database(outputs, "MasterSecretArn")
    resume(master, say)
    create_users(master, outputs["DatabaseName"], {application: ROWS, migrator: SCHEMA}, say)
    if user := outputs.get("DatabaseUserArn"):
        create_iam_user(master, outputs["DatabaseName"], user.rpartition("/")[2], say)
    apply_migrations(lambda: _database(outputs, "MigrationsSecretArn"), say, finish=False)


def rotate(session: Any, outputs: Mapping[str, str], say: Say) -> None:
    """Change the password of the application's other user, and switch the secret to it.

    Requests succeed meanwhile. Raises Failure, DatabaseError, ClientError.
    """
    resume(_database(outputs, "MasterSecretArn"), say)
    database = {
        "resourceArn": outputs["ClusterArn"],
        "secretArn": outputs["MasterSecretArn"],
        "database": outputs["DatabaseName"],
    }
    secrets, data = session.client("secretsmanager"), session.client("rds-data")
    secret = outputs["ApplicationSecretArn"]
    rotation = Rotation(secrets, data, database, secret, str(uuid.uuid4()))
    for step in STEPS:
        try:
            rotation.run(step)
        except (RotationError, accounts.UnknownPlugin) as error:
            raise Failure(f"The rotation failed, and the old password remains: {error}") from None
        say(f"{step}: done")


def finish(outputs: Mapping[str, str], say: Say) -> None:
    """Complete the data steps: no code runs that leaves their columns empty.

    Also applies pending migrations. Raises Failure, DatabaseError.
    """
    apply_migrations(lambda: _database(outputs, "MigrationsSecretArn"), say, finish=True)


def resume(database: Database, say: Say, seconds: float = RESUME_SECONDS) -> None:
    """Wait until a paused database responds. Raises DatabaseUnavailable after the timeout."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            database.ping()
        except DatabaseUnavailable as error:
            if time.monotonic() > deadline:
                raise
            say(f"the database does not respond yet ({error}): it may be resuming")
            time.sleep(error.retry_after or 1)
        else:
            return


def create_users(
    master: Database, schema: str, users: Mapping[Login, frozenset[str]], say: Say
) -> None:
    """Create each user or reset its password, and grant exactly these privileges on the schema.

    Raises Failure if a user has other privileges, because an operator may have granted them, or if
    the master user's authentication plugin is unknown.
    """
    if not _fits(_NAME, schema):
        raise Failure(f"{schema!r} is not a valid database name: use letters, digits and _.")
    plugin = _plugin(master)
    for login, privileges in users.items():
        for sql in accounts.statements(login.name, login.password, privileges, schema, plugin):
            master.execute(sql)
        _check_privileges(master, schema, login.name, privileges)
        say(f"user {login.name}: {', '.join(sorted(privileges))}")


def create_iam_user(master: Database, schema: str, name: str, say: Say) -> None:
    """Create the user of functions that connect to RDS Proxy. It logs in with IAM only.

    Raises Failure if the user has other privileges than on rows.
    """
    for sql in accounts.identified_statements(name, accounts.IAM, ROWS, schema):
        master.execute(sql)
    _check_privileges(master, schema, name, ROWS)
    say(f"user {name}: {', '.join(sorted(ROWS))}, with IAM")


def apply_migrations(connection: Callable[[], Database], say: Say, *, finish: bool) -> None:
    """Apply the pending migrations. Raises Failure, DatabaseError.

    Without `finish`, data steps stay unfinished, because the previous code is still running.
    """
    try:
        files = migrations.read()
        migrations.apply(connection(), connection(), files, say, finish=finish)
    except MigrationError as error:
        raise Failure(f"A migration failed: {error}") from None
    say(f"the schema is up to date at {files[-1].name}")


def _plugin(master: Database) -> str:
    """Return the master user's authentication plugin. Raises Failure if it is unknown."""
    (row,) = master.fetch_all(accounts.PLUGIN)
    plugin = str(row["plugin"])
    try:
        accounts.hash_for(plugin, "")
    except accounts.UnknownPlugin as error:
        raise Failure(str(error)) from None
    return plugin


def _check_privileges(master: Database, schema: str, name: str, privileges: frozenset[str]) -> None:
    rows = master.fetch_all(accounts.PRIVILEGES, account=accounts.account(name))
    granted_privileges = {(str(row["place"]), str(row["privilege"])) for row in rows} - {
        ("*", "USAGE")
    }
    expected = {(schema, privilege) for privilege in privileges}
    if granted_privileges - expected:
        extra = ", ".join(
            sorted(f"{privilege} on {scope}" for scope, privilege in granted_privileges - expected)
        )
        raise Failure(
            f"The database user {name} has more privileges than it should: {extra}."
            " Revoke them as the master user, and run the command again."
        )
    if expected - granted_privileges:
        raise Failure(
            f"The database user {name} lacks privileges that were just granted: log in as the"
            f" master user and check SHOW GRANTS FOR {accounts.account(name)}."
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
