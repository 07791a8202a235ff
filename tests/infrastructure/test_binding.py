"""`bind` writes settings that Chalice reads, atomically, and changes nothing else."""

import json
import shutil
from pathlib import Path

import pytest
from chalice.config import Config

from infrastructure import binding
from infrastructure.config import read_config
from infrastructure.failures import Failure
from infrastructure.stages import CONFIG, STAGES

DEV = STAGES["dev"]
OUTPUTS = {
    "ClusterArn": "arn:aws:rds:eu-west-1:123456789012:cluster:customers-dev",
    "ApplicationSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a",
    "DatabaseName": "customers",
    "KeyArn": "arn:aws:kms:eu-west-1:123456789012:key/k",
}
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:customers-dev-"
LAYERS = {"tracing": f"{LAYER}tracing:1", "authorizer": f"{LAYER}authorizer:1"}
KEY = "k" * 64


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return Path(shutil.copy(CONFIG, tmp_path))


def test_file_keeps_its_formatting() -> None:
    assert binding.dumps(json.loads(CONFIG.read_text())) + "\n" == CONFIG.read_text()


def test_chalice_reads_what_was_bound(config: Path) -> None:
    binding.write_bound(config, DEV, OUTPUTS, KEY, LAYERS)
    read = read_config(config)
    api, authorize, purge = (
        Config("dev", name, {}, read, {})
        for name in ("api_handler", "authorize", "purge_customers")
    )

    assert api.environment_variables["CURSOR_KEY"] == KEY
    assert "CURSOR_KEY" not in purge.environment_variables
    assert purge.environment_variables["DATABASE_RESOURCE_ARN"] == OUTPUTS["ClusterArn"]
    assert authorize.environment_variables == {"STAGE": "dev", "DEEP_HEALTH": "off"}
    assert authorize.layers == [f"{LAYER}tracing:1", f"{LAYER}authorizer:1"]
    assert api.layers == [f"{LAYER}tracing:1"]
    for function in (api, authorize, purge):
        assert (config.parent / function.iam_policy_file).exists()
    assert OUTPUTS["ClusterArn"] in (config.parent / api.iam_policy_file).read_text()
    assert "rds-data" not in (config.parent / authorize.iam_policy_file).read_text()


def test_bind_is_idempotent_and_keeps_other_stages(config: Path) -> None:
    before = read_config(config)
    binding.write_bound(config, DEV, OUTPUTS, KEY, LAYERS)
    once = config.read_text()
    binding.write_bound(config, DEV, OUTPUTS, KEY, LAYERS)

    assert config.read_text() == once
    assert config.stat().st_mode & 0o777 == 0o600
    after = read_config(config)
    assert after["stages"]["prod"] == before["stages"]["prod"]
    assert after["stages"]["dev"]["log_retention_in_days"] == 7
    assert not list(config.parent.glob(".*"))


def test_invalid_configuration_is_not_changed(config: Path) -> None:
    config.write_text('{"stage": {}}')
    with pytest.raises(Failure, match="Did you mean 'stages'"):
        binding.write_bound(config, DEV, OUTPUTS, KEY, LAYERS)
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]
