"""The stages, and their names."""

import json
import re
from dataclasses import replace
from itertools import permutations
from typing import Any, cast

import pytest

from infrastructure import template
from infrastructure.failures import Failure
from infrastructure.stages import (
    BACKENDS,
    CONFIG,
    LOCAL,
    STAGES,
    Stage,
    check_backend,
    named,
)
from tests.infrastructure.operations import TEMPLATE


def test_no_bound_value_is_committed() -> None:
    """`bind` writes the cursor key, and ARNs with an account, to these files."""
    assert "arn:aws" not in CONFIG.read_text()
    for path in CONFIG.parent.glob("*.json"):
        is_bound = "CURSOR_KEY" in path.read_text() or re.search(r":\d{12}:", path.read_text())
        assert not is_bound, f"don't commit what `bind` wrote into {path}: git checkout .chalice"


@pytest.mark.parametrize("account", {stage.account for stage in STAGES.values()})
def test_stages_reserve_at_most_the_accounts_concurrency(account: str) -> None:
    """Lambda requires 100 of an account's 1,000 to remain unreserved."""
    shares = [function.concurrency for function in template.FUNCTIONS.values()]
    reserved = [
        max(1, int(stage.concurrency * share))
        for stage in STAGES.values()
        if stage.concurrency is not None and stage.account == account
        for share in (*shares, 0)
    ]
    assert sum(reserved) <= 900


def test_names_are_those_that_the_templates_accept() -> None:
    parameters = TEMPLATE.document["Parameters"]
    for name, stage in STAGES.items():
        assert name == stage.name
        assert re.search(parameters["Stage"]["AllowedPattern"], name)


def test_no_name_begins_with_another() -> None:
    """Permissions end with `*`, so those of `dev` would be valid for a stage `devops`, too."""
    names = [*STAGES, LOCAL, "pipeline", "artefacts"]
    assert not [(a, b) for a, b in permutations(names, 2) if a.startswith(b)]


def test_anonymous_clients_keep_no_database_from_pausing() -> None:
    """`/health?deep=true` needs no token, and each statement restarts the time until the pause."""
    stages = json.loads(CONFIG.read_text())["stages"]
    settings = {name: stages[name]["environment_variables"] for name in STAGES}

    is_off = {name: own.get("DEEP_HEALTH", "on") == "off" for name, own in settings.items()}

    assert is_off == {name: stage.min_capacity == 0 for name, stage in STAGES.items()}
    assert any(is_off.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"backend": "mysqll"}, "unknown backend 'mysqll'. Did you mean 'mysql'?"),
        ({"backend": "mysql"}, "the database never pauses. Set min_capacity=0.5"),
        ({"backend": "mysql_password"}, "the database never pauses. Set min_capacity=0.5"),
    ],
)
def test_contradictory_backend_is_rejected(
    change: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast("dict[str, Stage]", STAGES), "dev", replace(STAGES["dev"], **change))
    with pytest.raises(Failure, match=r"^infrastructure/stages\.py, dev: ") as failure:
        named("dev")
    assert said in str(failure.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_stage_that_never_pauses_may_have_any_backend(backend: str) -> None:
    check_backend(replace(STAGES["prod"], backend=backend))


@pytest.mark.parametrize(
    ("word", "suggestion"), [("prd", "prod"), ("stagin", "staging"), ("DEV", None)]
)
def test_misspelt_stage_suggests_the_nearest(word: str, suggestion: str | None) -> None:
    with pytest.raises(Failure) as failure:
        named(word)
    every = ", ".join(sorted(STAGES))
    wanted = f"Did you mean {suggestion!r}?" if suggestion else f"Use one of: {every}."
    assert str(failure.value).endswith(wanted)
