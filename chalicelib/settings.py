"""What the service is told by its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

LOCAL_DATA_API = "http://127.0.0.1:8001"
LOCAL_RESOURCE_ARN = "arn:aws:rds:us-east-1:000000000000:cluster:customers-local"
LOCAL_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:customers-local"  # noqa: S105


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what to do."""


@dataclass(frozen=True)
class Settings:
    """Where the database is.

    `database_url` (`mysql://user:password@host:port/database`) chooses PyMySQL; without it the
    RDS Data API is used, with `resource_arn`, `secret_arn` and `database_name`. `endpoint_url`
    is the Data API's address where it is not AWS's own.
    """

    resource_arn: str = LOCAL_RESOURCE_ARN
    secret_arn: str = LOCAL_SECRET_ARN
    database_name: str = "customers"
    endpoint_url: str | None = None
    database_url: str | None = field(default=None, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; outside Lambda what is missing means the local stack.

        Raises SettingsError when a Lambda function lacks one.
        """
        if database_url := environ.get("DATABASE_URL"):
            return cls(database_url=database_url)
        if "DATABASE_RESOURCE_ARN" not in environ and "AWS_LAMBDA_FUNCTION_NAME" not in environ:
            return cls(endpoint_url=environ.get("AWS_ENDPOINT_URL_RDS_DATA", LOCAL_DATA_API))
        return cls(
            resource_arn=_required(environ, "DATABASE_RESOURCE_ARN"),
            secret_arn=_required(environ, "DATABASE_SECRET_ARN"),
            database_name=environ.get("DATABASE_NAME", "customers"),
            endpoint_url=environ.get("AWS_ENDPOINT_URL_RDS_DATA"),
        )

    @property
    def is_local(self) -> bool:
        """Whether this is the local stack, which wants no AWS credentials."""
        return self.resource_arn == LOCAL_RESOURCE_ARN


def _required(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    raise SettingsError(
        f"The environment variable {name} is not set: "
        "set it for this stage in .chalice/config.json, under environment_variables."
    )
