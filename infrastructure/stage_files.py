"""Write the files of .chalice that describe the stages: `make stages`, after a change of STAGES.

.chalice/config.json gets an entry for each stage, and each function a policy file. Keys that an
entry already has keep their values, such as the token issuer.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

from infrastructure.binding import dumps, merged
from infrastructure.policies import documents
from infrastructure.stages import CONFIG, FUNCTIONS, LOCAL, STAGES, Stage, policy_file

JSONObject = dict[str, Any]


def complete(config: Mapping[str, Any]) -> JSONObject:
    """Return config.json with exactly the stages of STAGES, besides the local one."""
    old = config["stages"]
    deployed = {name: merged(_entry(stage), old.get(name, {})) for name, stage in STAGES.items()}
    return {**config, "stages": {LOCAL: old[LOCAL], **deployed}}


def policy_files() -> dict[str, JSONObject]:
    """Return the policies by their files' names. They apply to any account, until `bind`."""
    return {
        policy_file(stage, function): policy
        for stage in STAGES.values()
        for function, policy in documents(stage).items()
    }


def _entry(stage: Stage) -> JSONObject:
    first, *others = FUNCTIONS
    return {
        "api_gateway_stage": stage.name,
        "environment_variables": {"STAGE": stage.name},
        "iam_policy_file": policy_file(stage, first),
        "lambda_functions": {
            function: {"iam_policy_file": policy_file(stage, function)} for function in others
        },
        "log_retention_in_days": stage.log_retention_days,
        "tags": stage.tags,
    }


def main() -> int:
    """Write the files, and delete the policies of removed stages."""
    policies = policy_files()
    for path in CONFIG.parent.glob("policy-*.json"):
        if path.name not in policies:
            path.unlink()
    for name, policy in policies.items():
        CONFIG.with_name(name).write_text(dumps(policy) + "\n")
    config = complete(json.loads(CONFIG.read_text()))
    CONFIG.write_text(dumps(config) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
