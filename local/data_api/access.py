"""Access checks: the key that signs a request, and the ARNs of clusters and secrets.

Each check is optional. As in AWS, the signature is checked before the body is read. The message for
an unknown cluster is AWS's; the one for an unknown secret is from the Data API's first version.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api.troubleshooting.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request

from .errors import HttpEndpointNotEnabledException, SecretsErrorException
from .requests import Fields
from .signatures import Key, verify

KEY_ID = "DATA_API_ACCESS_KEY_ID"
SECRET_KEY = "DATA_API_SECRET_ACCESS_KEY"  # noqa: S105


class AccessError(Exception):
    """The environment has only half of a key."""


@dataclass(frozen=True)
class Access:
    """The access checks. Values that are not set are not checked."""

    key: Key | None = None
    resource_arns: frozenset[str] = frozenset()
    secret_arns: frozenset[str] = frozenset()

    @classmethod
    def parse(
        cls, environ: Mapping[str, str], resource_arns: list[str], secret_arns: list[str]
    ) -> Self:
        """Read the key from the environment. Raises AccessError if half of it is missing."""
        key = Key(environ.get(KEY_ID, ""), environ.get(SECRET_KEY, ""))
        if bool(key.id) != bool(key.secret):
            raise AccessError(f"set both {KEY_ID} and {SECRET_KEY}, or neither")
        return cls(key if key.id else None, frozenset(resource_arns), frozenset(secret_arns))

    def check_signature(self, request: Request, body: bytes) -> None:
        """Raise AWS's error if the request is not signed with the key, if there is one."""
        if self.key:
            verify(request, body, self.key, self._regions)

    @property
    def _regions(self) -> frozenset[str]:
        """The regions of the clusters, `arn:aws:rds:REGION:...`."""
        return frozenset(part for arn in self.resource_arns for part in arn.split(":")[3:4])

    def check_arns(self, fields: Fields) -> None:
        """Raise HttpEndpointNotEnabledException or SecretsErrorException for an unknown ARN."""
        resource, secret = fields["resourceArn"], fields["secretArn"]
        if self.resource_arns and resource not in self.resource_arns:
            raise HttpEndpointNotEnabledException(
                f"HttpEndpoint is not enabled for resource {resource}"
            )
        if self.secret_arns and secret not in self.secret_arns:
            raise SecretsErrorException(
                f"Error fetching secret {secret} : Secrets Manager can't find the specified secret."
            )


EVERYONE = Access()
