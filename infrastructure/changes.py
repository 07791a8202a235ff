"""What a stack is to be, a template, and what becoming so does to its resources."""

from dataclasses import dataclass
from typing import Any

from infrastructure.failures import Failure

LONGEST_TEMPLATE = 51_200  # bytes, of a template that is not in a bucket

# What is gone for good with the resource, or what clients know it by.
STATEFUL = (
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


@dataclass(frozen=True)
class Change:
    """What happens to a resource; `replaced` is also where CloudFormation can't tell yet."""

    action: str
    name: str
    kind: str
    replaced: bool

    @property
    def loses_state(self) -> bool:
        return self.kind.startswith(STATEFUL) and (self.replaced or self.action == "Remove")

    def __str__(self) -> str:
        mark = " (replaced)" if self.replaced else ""
        return f"{self.action.lower():8} {self.name}  {self.kind}{mark}"


@dataclass(frozen=True)
class Template:
    """A template as text, or in a bucket where it is too long for that."""

    body: str = ""
    url: str = ""

    def parameters(self, client: Any) -> dict[str, dict[str, Any]]:
        """Return what the template declares of its parameters, by their names."""
        declared = client.get_template_summary(**self.arguments())["Parameters"]
        return {parameter["ParameterKey"]: parameter for parameter in declared}

    def arguments(self) -> dict[str, str]:
        """Return what CloudFormation is told of it. Raises Failure if that is too long."""
        if not self.url and len(self.body.encode()) > LONGEST_TEMPLATE:
            raise Failure("The template has more than 51,200 bytes: it has to be in a bucket.")
        return {"TemplateURL": self.url} if self.url else {"TemplateBody": self.body}
