"""cfn-lint finds no error in our templates, and checkov finds only the listed exceptions.

tests/infrastructure/rules.py checks what both miss.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "infrastructure").glob("*.yaml"))
# Checkov has no check for dashboards and saved queries, the only types of the other template.
CHECKED = [path for path in TEMPLATES if path.name != "dashboard.yaml"]
TOOLS = Path(sys.executable).parent
CHECKOV = ROOT / ".venv" / "audit" / "bin" / "checkov"
REGIONS = ["eu-west-1", "us-east-1"]

# Checks of checkov that a resource fails, each with the reason for the exception.
EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "network.yaml": {
        "CKV_AWS_158 FlowLogs": "addresses within a network of two subnets are no secret,"
        " and CloudWatch encrypts them with its own key",
    },
    "database.yaml": {
        "CKV_AWS_118 Writer": "operators can't change the operating system of a serverless"
        " instance; ACUUtilization and the slow query log show the load",
        "CKV_AWS_118 Reader": "same as the writer, which it replaces",
    },
    "audit.yaml": {
        "CKV_AWS_18 Trail": "only one role can write to it, and CloudTrail logs who changes it;"
        " a second bucket for its log would need a log, too",
    },
    "bus.yaml": {
        "CKV_AWS_27 DeadLetters": "SQS encrypts it (SqsManagedSseEnabled, which checkov ignores),"
        " and EventBridge could not use AWS's managed key",
    },
    "pipeline.yaml": {
        "CKV_AWS_18 Artefacts": "only three roles can write to it, and CloudTrail logs what they"
        " do; a second bucket for its log would need a log, too",
    },
    "pipeline-stage.yaml": {
        "CKV_AWS_111 Boundary": "X-Ray supports no resources, and the network interfaces of a"
        " function in a VPC have no ARN in advance",
    },
}


def _findings(template: Path) -> list[str]:
    """Return cfn-lint's findings, as `file:line:column:line:column:rule:text`."""
    command = [str(TOOLS / "cfn-lint"), "--format", "parseable", "--include-checks", "I"]
    command += ["--regions", *REGIONS, "--template", str(template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr
    assert bool(done.returncode) == bool(done.stdout)
    return done.stdout.splitlines()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_has_no_findings(template: Path) -> None:
    assert _findings(template) == []


def _failed_checks(template: Path) -> list[str]:
    """Return the checks that fail in checkov, each with its resource."""
    command = [str(CHECKOV), "--framework", "cloudformation", "--skip-download", "--output", "json"]
    done = subprocess.run(
        [*command, "--compact", "--file", template.name],
        cwd=template.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0, done.stderr
    assert report["summary"]["passed"] + report["summary"]["failed"] > 0
    failed = report["results"]["failed_checks"]
    return sorted(f"{item['check_id']} {item['resource'].rpartition('.')[2]}" for item in failed)


@pytest.mark.parametrize("template", CHECKED, ids=lambda path: path.name)
def test_checkov_finds_only_exceptions(template: Path) -> None:
    assert _failed_checks(template) == sorted(EXCEPTIONS.get(template.name, {}))


def test_checkov_detects_faults(tmp_path: Path) -> None:
    faults = {
        "CKV_AWS_96 Cluster": ("StorageEncrypted: true", "StorageEncrypted: false"),
        "CKV_AWS_162 Cluster": (
            "EnableIAMDatabaseAuthentication: true",
            "EnableIAMDatabaseAuthentication: false",
        ),
        "CKV_AWS_7 Key": ("EnableKeyRotation: true", "EnableKeyRotation: false"),
    }
    text = (ROOT / "infrastructure" / "database.yaml").read_text()
    for right, wrong in faults.values():
        assert right in text
        text = text.replace(right, wrong)
    template = tmp_path / "database.yaml"
    template.write_text(text)

    assert faults.keys() <= set(_failed_checks(template))


def test_exceptions_are_listed_only_here_with_reasons() -> None:
    for rules in EXCEPTIONS.values():
        assert all(len(reason.split()) > 3 for reason in rules.values())
    for template in TEMPLATES:
        text = template.read_text()
        assert "cfn-lint" not in text
        assert "ignore_checks" not in text
        assert "checkov:skip" not in text


def test_cfn_lint_detects_faults(tmp_path: Path) -> None:
    faults = {
        "E1010": ("KmsKeyId: !GetAtt Key.Arn", "KmsKeyId: !GetAtt Kay.Arn"),
        "E3002": ("RetentionInDays:", "RetentionDays:"),
        "E3006": ("Type: AWS::XRay::Group\n", "Type: AWS::XRay::Groups\n"),
        "E3030": ("Operator: LessThanThreshold", "Operator: LessThan"),
    }
    text = (ROOT / "infrastructure" / "operations.yaml").read_text()
    for right, wrong in faults.values():
        assert right in text
        text = text.replace(right, wrong)
    template = tmp_path / "operations.yaml"
    template.write_text(text)

    assert faults.keys() <= {found.split(":")[5] for found in _findings(template)}
