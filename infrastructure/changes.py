"""The target of a stack (a template), and the changes to reach it."""

import re
from dataclasses import dataclass
from typing import Any, Self

from infrastructure.failures import Failure

MAX_TEMPLATE_BYTES = 51_200  # bytes; longer templates must be in a bucket

# Resources that contain data, or that clients know by name.
STATEFUL = (
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::RestApi",
    "AWS::Cognito::",
    "AWS::DynamoDB::",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
)


# A name that depends on the stage and on nothing else.
_NAME = re.compile(r"^( +\w*Name: )!Sub ([^\s$]*\$\{Stage\}[^\s$]*)$", re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """A change of a resource. `replaced` is also true if CloudFormation can't tell yet."""

    action: str
    name: str
    kind: str
    replaced: bool

    @property
    def loses_state(self) -> bool:
        return self.kind.startswith(STATEFUL) and (self.replaced or self.action == "Remove")

    def __str__(self) -> str:
        suffix = " (replaced)" if self.replaced else ""
        return f"{self.action.lower():8} {self.name}  {self.kind}{suffix}"


@dataclass(frozen=True)
class Template:
    """A template: its text, or its URL in a bucket if it is too long."""

    body: str = ""
    url: str = ""

    @classmethod
    def of_stage(cls, text: str, stage: str) -> Self:
        """Return a template in which the names of a stage's resources are literals.

        Some resources outlive their stack. When the stack is created again, CloudFormation imports
        them, but only those whose names contain no function: to CloudFormation, the parameter
        Stage could have any value.
        """
        return cls(_NAME.sub(lambda name: name[1] + name[2].replace("${Stage}", stage), text))

    def parameters(self, client: Any) -> dict[str, dict[str, Any]]:
        """Return the template's parameters, by name."""
        declared = client.get_template_summary(**self.arguments())["Parameters"]
        return {parameter["ParameterKey"]: parameter for parameter in declared}

    def arguments(self) -> dict[str, str]:
        """Return the template's arguments for CloudFormation. Raises Failure if it is too long."""
        if not self.url and len(self.body.encode()) > MAX_TEMPLATE_BYTES:
            raise Failure("The template has more than 51,200 bytes: upload it to a bucket.")
        return {"TemplateURL": self.url} if self.url else {"TemplateBody": self.body}
