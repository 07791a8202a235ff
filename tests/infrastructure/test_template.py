"""Properties of the functions that depend on a stage's settings."""

import re
from dataclasses import replace

import pytest

from infrastructure import template
from infrastructure.stages import BACKENDS, STAGES, Stage


def functions(*, snap_start: bool) -> dict[str, template.JSONObject]:
    stage = replace(STAGES["prod"], snap_start=snap_start)
    return {
        name: template._function(stage, name, function)
        for name, function in template.FUNCTIONS.items()
    }


def test_functions_that_clients_wait_for_use_snapstart_if_enabled() -> None:
    """Lambda creates snapshots only of published versions, which the alias selects."""
    made = functions(snap_start=True)
    found = {name: made[name]["SnapStart"] for name in made if "SnapStart" in made[name]}

    published = {"ApplyOn": "PublishedVersions"}
    assert found == {"api_handler": published, "authorize": published}
    assert all(each["AutoPublishAlias"] == "live" for each in made.values())


def test_no_function_uses_snapstart_if_disabled() -> None:
    assert not any("SnapStart" in each for each in functions(snap_start=False).values())


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_functions_are_compatible_with_snapstart(stage: Stage) -> None:
    """Lambda rejects SnapStart with these properties, and with Python before 3.12."""
    for name, function in template.FUNCTIONS.items():
        made = template._function(replace(stage, snap_start=True), name, function)
        unwanted = {"ProvisionedConcurrencyConfig", "FileSystemConfigs", "EphemeralStorage"}
        assert not made.keys() & unwanted
        assert made["Runtime"] not in {"python3.10", "python3.11"}


@pytest.mark.parametrize("backend", ["mysql", "mysql_password"])
def test_only_functions_that_use_the_database_are_in_its_network(backend: str) -> None:
    stage = replace(STAGES["prod"], backend=backend)
    made = {
        name: template._function(stage, name, function)
        for name, function in template.FUNCTIONS.items()
    }
    network = {
        "SubnetIds": {"Ref": "FunctionSubnets"},
        "SecurityGroupIds": [{"Ref": "FunctionSecurityGroup"}],
    }

    assert {name: made[name].get("VpcConfig") for name in made} == {
        "api_handler": network,
        "authorize": None,  # it fetches the issuer's keys from the internet
        "purge_customers": network,
        "relay_events": network,
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_functions_know_exactly_one_backend(backend: str) -> None:
    stage = replace(STAGES["prod"], backend=backend)
    for name, function in template.FUNCTIONS.items():
        settings = template._function(stage, name, function)["Environment"]["Variables"].keys()
        if not function.uses_database:
            assert not [each for each in settings if each.startswith("DATABASE_")]
        elif backend == "data_api":
            assert settings >= set(template.DATA_API)
            assert "DATABASE_URL" not in settings
        else:
            assert "DATABASE_URL" in settings
            assert not settings & set(template.DATA_API)


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_relay_is_off_in_stages_that_pause(stage: Stage) -> None:
    """The relay would keep their database from pausing."""
    bus = template._parameters(stage)["EventBus"]["Default"]
    settings = {
        name: template._function(stage, name, function)["Environment"]["Variables"].keys()
        for name, function in template.FUNCTIONS.items()
    }

    assert bus == (f"customers-{stage.name}" if stage.seconds_until_pause is None else "")
    assert [name for name in settings if "EVENT_BUS" in settings[name]] == ["relay_events"]


def test_every_setting_of_a_function_has_a_parameter() -> None:
    for backend in BACKENDS:
        declared = template._parameters(replace(STAGES["prod"], backend=backend))
        proxied = {"DatabaseUrl", "FunctionSubnets", "FunctionSecurityGroup"}
        assert (proxied <= declared.keys()) == (backend != "data_api")
        assert ("DatabaseUserArn" in declared) == (backend == "mysql")
        assert ("DataApiClient" in declared) == (backend == "data_api")


@pytest.mark.parametrize(
    ("url", "is_accepted"),
    [
        ("mysql://functions@p.example.com/customers?auth=iam", True),
        ("mysql://p.example.com:3307/customers?secret=arn:aws:secretsmanager:r:1:secret:a", True),
        ("mysql://application:password@p.example.com/customers", False),
        ("postgres://p.example.com/customers", False),
        ("", False),
    ],
)
def test_address_with_a_password_is_rejected(url: str, *, is_accepted: bool) -> None:
    """Parameters and variables are readable for everyone who may describe stacks or functions."""
    parameters = template._parameters(replace(STAGES["prod"], backend="mysql"))
    assert bool(re.search(parameters["DatabaseUrl"]["AllowedPattern"], url)) == is_accepted
