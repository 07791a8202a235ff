"""`apply` maps the domain of a stage that `chalice deploy` has deployed."""

import pytest

from infrastructure.applying import Gateway
from infrastructure.failures import Failure
from tests.infrastructure.stubbed import Aws

NAME = "api.example.com"
MAPPED = {"basePath": "crm", "restApiId": "abc", "stage": "dev"}


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def gateway(aws: Aws, said: list[str]) -> Gateway:
    return Gateway(aws.client("apigateway"), "abc", said.append)


@pytest.mark.parametrize(("path", "sent"), [("crm", "crm"), (None, "(none)")])
def test_domain_is_mapped(
    aws: Aws, gateway: Gateway, said: list[str], path: str | None, sent: str
) -> None:
    aws.says("apigateway", "get_base_path_mappings", {"items": [{"basePath": "other"}]})
    created = {"domainName": NAME, "basePath": sent, "restApiId": "abc", "stage": "dev"}
    aws.says("apigateway", "create_base_path_mapping", {}, created)

    assert gateway.map_domain(NAME, path, "dev")

    aws.check_all_were_called()
    assert said == [f"{NAME} ({sent}): mapped"]


def test_existing_mapping_is_kept(aws: Aws, gateway: Gateway) -> None:
    aws.says("apigateway", "get_base_path_mappings", {"items": [MAPPED]})
    assert not gateway.map_domain(NAME, "crm", "dev")


@pytest.mark.parametrize("other", [{"restApiId": "xyz"}, {"stage": "prod"}])
def test_mapping_of_another_api_is_not_taken_over(
    aws: Aws, gateway: Gateway, other: dict[str, str]
) -> None:
    aws.says("apigateway", "get_base_path_mappings", {"items": [MAPPED | other]})
    with pytest.raises(Failure, match=r"api\.example\.com \(crm\) belongs to the stage"):
        gateway.map_domain(NAME, "crm", "dev")


def test_missing_domain_is_an_error(aws: Aws, gateway: Gateway) -> None:
    aws.denies("apigateway", "get_base_path_mappings", "NotFoundException")
    with pytest.raises(Failure, match=r"no domain api\.example\.com: run `provision`"):
        gateway.map_domain(NAME, "crm", "dev")


@pytest.mark.parametrize(("is_off", "word"), [(True, "off"), (False, "on")])
def test_default_address_is_switched(
    aws: Aws, gateway: Gateway, said: list[str], word: str, *, is_off: bool
) -> None:
    aws.says("apigateway", "get_rest_api", {"disableExecuteApiEndpoint": not is_off})
    value = str(is_off).lower()
    patch = [{"op": "replace", "path": "/disableExecuteApiEndpoint", "value": value}]
    changed = {"restApiId": "abc", "patchOperations": patch}
    aws.says("apigateway", "update_rest_api", {}, changed)

    assert gateway.set_default_address(is_off=is_off)

    aws.check_all_were_called()
    assert said == [f"the default address is {word}"]


def test_default_address_is_unchanged(aws: Aws, gateway: Gateway) -> None:
    aws.says("apigateway", "get_rest_api", {})  # AWS omits false
    assert not gateway.set_default_address(is_off=False)
