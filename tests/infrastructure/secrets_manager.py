"""Secrets Manager's client for one secret, in memory: versions and their stages."""

import json
import secrets
from typing import Any

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:customers-prod/application-AbCdEf"


class SecretsManager:
    """The part of boto3's client that a rotation uses."""

    class exceptions:  # noqa: N801 (boto3's name)
        class ResourceNotFoundException(Exception):
            """The version does not exist, or does not have the stage."""

    def __init__(self, value: dict[str, str]) -> None:
        self._values = {"first": json.dumps(value)}
        self.stages: dict[str, set[str]] = {"first": {"AWSCURRENT"}}

    @property
    def current(self) -> dict[str, str]:
        """The value that GetSecretValue returns to a function."""
        value: dict[str, str] = json.loads(
            self.get_secret_value(SecretId=ARN, VersionStage="AWSCURRENT")["SecretString"]
        )
        return value

    def begin(self, token: str) -> None:
        """Begin a rotation as RotateSecret does: with a pending version without a value."""
        self.stages[token] = {"AWSPENDING"}

    def describe_secret(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803
        assert SecretId == ARN
        return {"VersionIdsToStages": {name: sorted(found) for name, found in self.stages.items()}}

    def get_secret_value(
        self,
        *,
        SecretId: str,  # noqa: N803
        VersionId: str | None = None,  # noqa: N803
        VersionStage: str,  # noqa: N803
    ) -> dict[str, str]:
        assert SecretId == ARN
        for version, stages in list(self.stages.items()):
            is_version = VersionId in {None, version} and VersionStage in stages
            if is_version and version in self._values:
                return {"SecretString": self._values[version]}
        raise self.exceptions.ResourceNotFoundException

    def put_secret_value(
        self,
        *,
        SecretId: str,  # noqa: N803
        ClientRequestToken: str,  # noqa: N803
        SecretString: str,  # noqa: N803
        VersionStages: list[str],  # noqa: N803
    ) -> None:
        assert SecretId == ARN
        assert ClientRequestToken not in self._values
        self._values[ClientRequestToken] = SecretString
        self.stages[ClientRequestToken] = set(VersionStages)

    def update_secret_version_stage(
        self,
        *,
        SecretId: str,  # noqa: N803
        VersionStage: str,  # noqa: N803
        MoveToVersionId: str,  # noqa: N803
        RemoveFromVersionId: str,  # noqa: N803
    ) -> None:
        assert SecretId == ARN
        assert VersionStage in self.stages[RemoveFromVersionId]
        self.stages[MoveToVersionId].add(VersionStage)
        self.stages[RemoveFromVersionId].remove(VersionStage)

    def get_random_password(
        self,
        *,
        PasswordLength: int,  # noqa: N803
        ExcludePunctuation: bool,  # noqa: N803
    ) -> dict[str, str]:
        assert ExcludePunctuation
        return {"RandomPassword": secrets.token_hex(PasswordLength)[:PasswordLength]}
