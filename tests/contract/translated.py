"""The template after SAM's transform, as CloudFormation receives it."""

import json
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

JSONObject = dict[str, Any]

REGION = "eu-west-1"
ACCOUNT = "123456789012"
PARAMETERS = {
    "DatabaseResourceArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:customers-prod",
    "DatabaseSecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:application-AbCdEf",
    "DatabaseMasterSecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!cluster-1",
    "DatabaseKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd",
    "CursorKeySecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:cursor-key-AbCdEf",
    "DatabaseUrl": "mysql://functions@proxy.example.com/customers?auth=iam",
    "DatabaseUserArn": f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:prx-1/functions",
    "FunctionSubnets": "subnet-1,subnet-2",
    "FunctionSecurityGroup": "sg-1",
    "TokenIssuer": "https://issuer.example.com",
    "TokenAudience": "customers",
}
# SAM asks IAM for the ARNs of AWS's own policies
OF_AWS = ("AWSCodeDeployRoleForLambda",)


def translate(template: Path, **parameters: str) -> JSONObject:
    """Apply SAM's transform to a packaged template, with values of its parameters."""
    managed = {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in OF_AWS}
    translator = Translator(managed, Parser(), None, boto3.Session(region_name=REGION))
    document = uploaded(json.loads(template.read_text()))
    translated: JSONObject = translator.translate(document, PARAMETERS | parameters)
    return translated


def uploaded(value: Any) -> Any:
    """Return the template with its archives in a bucket, like `deploy` uploads them."""
    if isinstance(value, dict):
        return {name: uploaded(element) for name, element in value.items()}
    if isinstance(value, list):
        return [uploaded(item) for item in value]
    is_archive = isinstance(value, str) and value.endswith(".zip")
    return f"s3://bucket/{value}" if is_archive else value
