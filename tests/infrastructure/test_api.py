"""The API in the template: what depends on the stage's settings."""

from dataclasses import replace

from infrastructure.config import read_config
from infrastructure.stages import STAGES, Domain
from tests.infrastructure.plan import Plan

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
    template = Plan(read_config(), DEV).template
    body = template["RestAPI"]["Properties"]["DefinitionBody"]

    assert "api_key" not in str(body["securityDefinitions"])
    assert "x-amazon-apigateway-api-key-source" not in body
    assert template["UsagePlan"]["Properties"]["ApiStages"] == [
        {"ApiId": {"Ref": "RestAPI"}, "Stage": {"Ref": "RestAPI.Stage"}}
    ]


def test_mapping_of_the_domain_waits_for_the_stage() -> None:
    """`Ref: RestAPI.Stage` is the stage's resource, so CloudFormation creates the stage first."""
    plan = Plan(read_config(), replace(DEV, domain=Domain("api.example.com", base_path="crm")))
    (mapping,) = [
        each["Properties"]
        for each in plan.template.values()
        if each["Type"] == "AWS::ApiGateway::BasePathMapping"
    ]

    assert mapping == {
        "DomainName": "api.example.com",
        "BasePath": "crm",
        "RestApiId": {"Ref": "RestAPI"},
        "Stage": {"Ref": "RestAPI.Stage"},
    }
    assert plan.template["RestAPI"]["Properties"]["DisableExecuteApiEndpoint"] is True
    assert plan.document["Outputs"]["EndpointURL"] == {"Value": "https://api.example.com/crm"}


def test_domain_without_a_base_path_is_mapped_as_a_whole() -> None:
    plan = Plan(read_config(), replace(DEV, domain=Domain("api.example.com")))

    assert "BasePath" not in plan.template["BasePathMapping"]["Properties"]
    assert plan.document["Outputs"]["EndpointURL"] == {"Value": "https://api.example.com"}


def test_default_address_stays_open_without_a_domain() -> None:
    plan = Plan(read_config(), DEV)

    assert "BasePathMapping" not in plan.template
    assert "DisableExecuteApiEndpoint" not in plan.template["RestAPI"]["Properties"]
    assert "execute-api" in str(plan.document["Outputs"]["EndpointURL"])
