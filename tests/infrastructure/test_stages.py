"""Keys that Chalice would ignore in .chalice/config.json are errors, with a suggestion."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infrastructure import stages, template
from infrastructure.failures import Failure
from infrastructure.stages import CONFIG, FUNCTIONS, STAGES, named, read_config, variables


def test_committed_configuration_is_valid() -> None:
    assert read_config()["stages"].keys() == {"local", *STAGES}


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
        for share in (*shares, 0)
    ]
    assert sum(reserved) <= 900


@pytest.mark.parametrize(
    ("word", "suggestion"), [("prd", "prod"), ("stagin", "staging"), ("DEV", None)]
)
def test_misspelt_stage_suggests_the_nearest(word: str, suggestion: str | None) -> None:
    with pytest.raises(Failure) as failure:
        named(word)
    wanted = f"Did you mean {suggestion!r}?" if suggestion else "Use one of: dev, prod, staging."
    assert str(failure.value).endswith(wanted)


@pytest.mark.parametrize(
    ("config", "where", "suggestion"),
    [
        ({"lambda_timout": 28}, "lambda_timout", "lambda_timeout"),
        ({"stages": {"prd": {}}}, "stages.prd", "prod"),
        ({"stages": {"prod": {"log_retention": 9}}}, "stages.prod.log_retention", None),
        (
            {"stages": {"dev": {"lambda_functions": {"api_handlr": {}}}}},
            "stages.dev.lambda_functions.api_handlr",
            "api_handler",
        ),
        (
            {"stages": {"dev": {"environment_variables": {"TOKEN_AUDIANCE": "x"}}}},
            "stages.dev.environment_variables.TOKEN_AUDIANCE",
            "TOKEN_AUDIENCE",
        ),
        (
            {"lambda_functions": {"authorize": {"layer": []}}},
            "lambda_functions.authorize.layer",
            "layers",
        ),
    ],
)
def test_unknown_key_is_an_error(
    tmp_path: Path, config: dict[str, Any], where: str, suggestion: str | None
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    with pytest.raises(Failure) as failure:
        read_config(path)
    assert f"the unknown key {where}." in str(failure.value)
    if suggestion:
        assert f"Did you mean {suggestion!r}?" in str(failure.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"stages": []}'])
def test_invalid_configuration_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(Failure):
        read_config(path)


def test_number_as_a_variable_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"environment_variables": {"RETENTION_DAYS": 30}}')
    with pytest.raises(Failure, match="RETENTION_DAYS is not a string"):
        read_config(path)


def test_known_keys_are_read_by_chalice() -> None:
    from chalice.config import Config

    def is_known(key: str) -> bool:
        return hasattr(
            Config, {"xray": "xray_enabled", "version": "config_file_version"}.get(key, key)
        )

    other = {"stages", "lambda_functions"}
    assert [key for key in stages.FILE_KEYS - other if not is_known(key)] == []


def test_variables_are_merged_over_all_functions() -> None:
    config = {
        "environment_variables": {"STAGE": "no"},
        "stages": {
            "dev": {
                "environment_variables": {"STAGE": "dev"},
                "lambda_functions": {
                    FUNCTIONS[1]: {"environment_variables": {"TOKEN_ISSUER": "https://i"}}
                },
            }
        },
    }
    assert variables(config, STAGES["dev"]) == {"STAGE": "dev", "TOKEN_ISSUER": "https://i"}
