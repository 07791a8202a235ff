"""The stages, and their names."""

import re
from dataclasses import replace
from typing import Any, cast

import pytest

from infrastructure import template
from infrastructure.failures import Failure
from infrastructure.stages import BACKENDS, CONFIG, STAGES, Stage, check_backend, named


def test_no_bound_value_is_committed() -> None:
    """`bind` writes the cursor key, and ARNs with an account, to these files."""
    assert "arn:aws" not in CONFIG.read_text()
    for path in CONFIG.parent.glob("*.json"):
        is_bound = "CURSOR_KEY" in path.read_text() or re.search(r":\d{12}:", path.read_text())
        assert not is_bound, f"don't commit what `bind` wrote into {path}: git checkout .chalice"


def test_stages_reserve_at_most_the_accounts_concurrency() -> None:
    """Lambda requires 100 of an account's 1,000 to remain unreserved."""
    shares = [function.concurrency for function in template.FUNCTIONS.values()]
    reserved = [
        max(1, int(stage.concurrency * share))
        for stage in STAGES.values()
        if stage.concurrency is not None
        for share in (*shares, 0)
    ]
    assert sum(reserved) <= 900


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
    wanted = f"Did you mean {suggestion!r}?" if suggestion else "Use one of: dev, prod, staging."
    assert str(failure.value).endswith(wanted)
