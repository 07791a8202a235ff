"""The API in the template: what depends on the stage's settings."""

from dataclasses import replace

from infrastructure.config import read_config
from infrastructure.stages import STAGES
from tests.infrastructure.test_config import Plan

DEV = STAGES["dev"]


def test_operations_with_a_token_require_the_key_of_the_caller() -> None:
    template = Plan(read_config(), replace(DEV, limit_by="caller")).template
    body = template["RestAPI"]["Properties"]["DefinitionBody"]
    operations = [each for methods in body["paths"].values() for each in methods.values()]
    secured = [operation["security"] for operation in operations if "security" in operation]

    assert body["x-amazon-apigateway-api-key-source"] == "AUTHORIZER"
    assert body["securityDefinitions"]["api_key"]["type"] == "apiKey"
    assert all({"api_key": []} in schemes and {"authorize": []} in schemes for schemes in secured)
    assert 0 < len(secured) < len(operations)  # public operations have no caller


def test_operations_require_no_key_if_the_stage_limits_tokens() -> None:
    template = Plan(read_config()).template
    body = template["RestAPI"]["Properties"]["DefinitionBody"]

    assert "api_key" not in str(body["securityDefinitions"])
    assert "x-amazon-apigateway-api-key-source" not in body
    assert template["UsagePlan"]["Properties"]["ApiStages"] == [
        {"ApiId": {"Ref": "RestAPI"}, "Stage": {"Ref": "RestAPI.Stage"}}
    ]
