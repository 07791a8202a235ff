"""Properties of the functions that depend on a stage's settings."""

from dataclasses import replace

import pytest

from infrastructure import template
from infrastructure.stages import STAGES, Stage


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
