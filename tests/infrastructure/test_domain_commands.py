"""The commands for a stage with a domain, and for one that limits callers."""

from collections.abc import Mapping
from dataclasses import replace
from unittest.mock import Mock

import pytest

from infrastructure import checking, commands, interpreters, smoke
from infrastructure.changes import Change, Template
from infrastructure.failures import Failure
from infrastructure.parameters import FROM_DATABASE, FROM_NETWORK, SHOWN
from infrastructure.run import Run
from infrastructure.stacks import Stack
from infrastructure.stages import PYTHON, STAGES, Domain

ARN = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
DOMAIN = Domain("api.example.com", base_path="crm", certificate=ARN)
DEV = replace(STAGES["dev"], domain=DOMAIN)
OUTPUTS = dict.fromkeys((*FROM_DATABASE, *FROM_NETWORK, *SHOWN, "ClusterIdentifier"), "x")
OUTPUTS |= {"Target": "d-1.execute-api.eu-west-1.amazonaws.com", "EndpointURL": DOMAIN.url}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(checking, "require", Mock())
    monkeypatch.setattr(checking, "find", Mock(return_value=[]))
    monkeypatch.setattr(Run, "outputs", lambda *_: OUTPUTS)
    return []


@pytest.fixture
def updated(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, str]]:
    """Return the parameters with which each stack was updated, in order."""
    found: dict[str, Mapping[str, str]] = {}
    monkeypatch.setattr(
        Stack, "update", lambda stack, _, values, __: found.update({stack.name: values})
    )
    monkeypatch.setattr(Template, "parameters", lambda *_: {})
    return found


def provision(domain: Domain | None, said: list[str]) -> None:
    commands.provision(Run(Mock(), replace(DEV, domain=domain), say=said.append))


def test_domain_is_created_before_the_api(
    said: list[str], updated: dict[str, Mapping[str, str]]
) -> None:
    provision(DOMAIN, said)

    assert list(updated)[-1] == "customers-dev-domain"
    assert updated["customers-dev-domain"] == {
        "DomainName": "api.example.com",
        "HostedZoneId": "",
        "CertificateArn": ARN,
        "TruststoreUri": "",
        "TruststoreVersion": "",
    }
    record = f"CNAME {OUTPUTS['Target']}"
    assert said[-1] == f"Create a DNS record for api.example.com: {record}"


@pytest.mark.usefixtures("updated")
def test_zone_gets_the_record_by_itself(said: list[str]) -> None:
    provision(replace(DOMAIN, hosted_zone="Z1ABC"), said)
    assert "CNAME" not in said[-1]


def test_stage_without_a_domain_has_no_stack_for_it(
    said: list[str], updated: dict[str, Mapping[str, str]]
) -> None:
    provision(None, said)
    assert "customers-dev-domain" not in updated
    assert "customers-dev-operations" in updated


def test_api_is_not_deployed_before_its_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFormation would fail at the mapping, after the functions were changed."""
    monkeypatch.setattr(checking, "require", Mock())
    monkeypatch.setattr(commands, "_refuse_both", Mock())
    monkeypatch.setattr(Stack, "status", None)
    monkeypatch.setattr(commands, "_packaged", lambda _: pytest.fail("it was packaged"))
    with pytest.raises(Failure, match=r"customers-dev-domain does not exist .*provision"):
        commands.deploy(Run(Mock(), DEV, bucket="own"))


@pytest.mark.parametrize(("exists", "domain"), [(True, None), (False, DOMAIN)])
def test_domain_is_deleted_after_the_mapping_in_the_apis_stack(
    monkeypatch: pytest.MonkeyPatch, domain: Domain | None, *, exists: bool
) -> None:
    deleted: list[str] = []
    monkeypatch.setattr(Stack, "exists", exists)
    monkeypatch.setattr(Stack, "delete", lambda stack: deleted.append(stack.name))
    monkeypatch.setattr(commands, "_refuse_remaining", Mock())
    commands.destroy(Run(Mock(), replace(DEV, domain=domain), is_agreed=True))

    parts = [name.removeprefix("customers-dev-") for name in deleted if "-bus" not in name]
    assert parts == ["dashboard", "operations", "api", "domain", "database", "network"]


def test_smoke_test_and_status_use_the_domain(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    """Also after `chalice deploy`, whose own address is closed."""
    ran = Mock()
    monkeypatch.setattr(smoke, "run", ran)
    monkeypatch.setattr(Stack, "status", None)
    deployed = {"rest_api": {"rest_api_url": "https://abc.execute-api.eu-west-1.amazonaws.com/api"}}
    monkeypatch.setattr(commands, "_deployed", lambda _: deployed)
    run = Run(Mock(), DEV, say=said.append, token=lambda: "t", certificate="client.pem")
    commands.live(run)
    commands.status(run)

    ran.assert_called_once_with("https://api.example.com/crm", "t", run.say, "client.pem")
    assert said[-1] == "https://api.example.com/crm (by `chalice deploy`)"


def test_removal_of_a_domain_must_be_confirmed_by_name() -> None:
    """Its DNS target changes, so clients lose their address until DNS caches expire."""
    assert Change("Remove", "Domain", "AWS::ApiGateway::DomainName", replaced=False).loses_state


def test_limits_of_callers_are_not_dropped_by_chalice_deploy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Stack, "status", None)
    monkeypatch.setattr(interpreters, "running", lambda: PYTHON)
    with pytest.raises(Failure, match="`chalice deploy` creates no usage plan: use `deploy`"):
        commands.bind(Run(Mock(), replace(DEV, limit_by="caller")))
