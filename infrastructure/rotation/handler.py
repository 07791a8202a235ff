"""Rotate the application's password, in the four steps of Secrets Manager, without an outage.

Two users alternate: `application` and `application_clone`. A rotation gives the one that is not in
use a new password, then switches the secret to it. The other user keeps its password until the next
rotation, so a request that has read the secret before the switch succeeds.

All SQL goes through the Data API, with the master user's secret. Each step can be repeated.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-lambda-function-overview.html
        https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets_strategies.html
"""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from . import accounts

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
CLONE = "_clone"
PASSWORD_LENGTH = 40
RESUME_ATTEMPTS = 8  # a paused database takes 15 seconds to resume
RESUME_PAUSE_SECONDS = 5.0


class RotationError(Exception):
    """A step can't be completed. The message contains no secret."""


def handle(event: Mapping[str, str], _context: object) -> None:
    """Run one step for Secrets Manager. The environment names the database and the master."""
    import boto3

    database = {
        "resourceArn": os.environ["DATABASE_RESOURCE_ARN"],
        "secretArn": os.environ["DATABASE_MASTER_SECRET_ARN"],
        "database": os.environ["DATABASE_NAME"],
    }
    secrets, data = boto3.client("secretsmanager"), boto3.client("rds-data")
    rotation = Rotation(secrets, data, database, event["SecretId"], event["ClientRequestToken"])
    rotation.check()
    rotation.run(event["Step"])


class Rotation:
    """A rotation of a secret to the version `token`."""

    def __init__(
        self, secrets: Any, data: Any, database: Mapping[str, str], secret: str, token: str
    ) -> None:
        self._secrets, self._data, self._database = secrets, data, database
        self._secret, self._token = secret, token
        own = (self._create, self._set, self._test, self._finish)
        self._steps = dict(zip(STEPS, own, strict=True))

    def check(self) -> None:
        """Raise RotationError unless Secrets Manager has started this rotation."""
        versions = self._secrets.describe_secret(SecretId=self._secret)["VersionIdsToStages"]
        if not {"AWSPENDING", "AWSCURRENT"} & set(versions.get(self._token, ())):
            raise RotationError(f"Secrets Manager has not started a rotation to {self._token}.")

    def run(self, step: str) -> None:
        """Run a step, unless this version is already current. Raises RotationError."""
        if self._current_version() != self._token:
            self._steps[step]()

    def _create(self) -> None:
        """Store the other user with a new password, as the pending version."""
        try:
            self._pending()
        except self._secrets.exceptions.ResourceNotFoundException:
            current = self._value(VersionStage="AWSCURRENT")
            password = self._secrets.get_random_password(
                PasswordLength=PASSWORD_LENGTH, ExcludePunctuation=True
            )["RandomPassword"]
            pending = current | {"username": other(current["username"]), "password": password}
            self._secrets.put_secret_value(
                SecretId=self._secret,
                ClientRequestToken=self._token,
                SecretString=json.dumps(pending),
                VersionStages=["AWSPENDING"],
            )

    def _set(self) -> None:
        """Create the pending version's user, or change its password."""
        pending = self._pending()
        if pending["username"] == self._value(VersionStage="AWSCURRENT")["username"]:
            raise RotationError("The pending version has the user that is in use.")
        plugin = self._rows(accounts.PLUGIN)[0]["plugin"]
        for sql in accounts.statements(
            pending["username"],
            pending["password"],
            accounts.ROWS,
            self._database["database"],
            plugin,
        ):
            self._rows(sql)

    def _test(self) -> None:
        """Check the user's hash and privileges: the Data API can't use a pending version."""
        pending = self._pending()
        stored = self._rows(accounts.STORED, name=pending["username"])
        if not stored or not accounts.is_hash_of(stored[0]["stored_hash"], pending["password"]):
            raise RotationError(f"The user {pending['username']} has another password.")
        rows = self._rows(accounts.PRIVILEGES, account=accounts.account(pending["username"]))
        found = {(row["place"], row["privilege"]) for row in rows} - {("*", "USAGE")}
        if found != {(self._database["database"], privilege) for privilege in accounts.ROWS}:
            raise RotationError(f"The user {pending['username']} has other privileges.")

    def _finish(self) -> None:
        """Switch the secret to the pending version."""
        self._secrets.update_secret_version_stage(
            SecretId=self._secret,
            VersionStage="AWSCURRENT",
            MoveToVersionId=self._token,
            RemoveFromVersionId=self._current_version(),
        )

    def _current_version(self) -> str:
        versions = self._secrets.describe_secret(SecretId=self._secret)["VersionIdsToStages"]
        return next(str(version) for version, stages in versions.items() if "AWSCURRENT" in stages)

    def _pending(self) -> dict[str, str]:
        return self._value(VersionId=self._token, VersionStage="AWSPENDING")

    def _value(self, **version: str) -> dict[str, str]:
        response = self._secrets.get_secret_value(SecretId=self._secret, **version)
        value: dict[str, str] = json.loads(response["SecretString"])
        return value

    def _rows(self, sql: str, **parameters: str) -> list[dict[str, str]]:
        response = self._execute(
            sql,
            [{"name": name, "value": {"stringValue": text}} for name, text in parameters.items()],
        )
        labels = [column["label"] for column in response.get("columnMetadata", [])]
        return [
            {label: _text(field) for label, field in zip(labels, record, strict=True)}
            for record in response.get("records", [])
        ]

    def _execute(self, sql: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
        """Run a statement. While a paused database resumes, it has not been executed."""
        for attempt in range(1, RESUME_ATTEMPTS + 1):
            try:
                response: dict[str, Any] = self._data.execute_statement(
                    **self._database, sql=sql, parameters=parameters, includeResultMetadata=True
                )
            except self._data.exceptions.DatabaseResumingException:
                if attempt == RESUME_ATTEMPTS:
                    raise
                time.sleep(RESUME_PAUSE_SECONDS)
            else:
                break
        return response


def other(user: str) -> str:
    """Return the user that alternates with this one."""
    return user.removesuffix(CLONE) if user.endswith(CLONE) else user + CLONE


def _text(field: Mapping[str, Any]) -> str:
    """Return a column's text; MySQL stores some names and hashes as binary text."""
    value = next(iter(field.values()))
    return value.decode() if isinstance(value, bytes) else str(value)
