"""CloudFormation would take our templates, as far as cfn-lint can tell, and checkov finds no hole.

What both let pass, tests/infrastructure/rules.py looks for.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "infrastructure").glob("*.yaml"))
TOOLS = Path(sys.executable).parent
CHECKOV = ROOT / ".venv" / "audit" / "bin" / "checkov"
REGIONS = ["eu-west-1", "us-east-1"]

# Checks of checkov that a resource of a template does not pass, each with the reason.
SUPPRESSED: Mapping[str, Mapping[str, str]] = {
    "network.yaml": {
        "CKV_AWS_158 FlowLogs": "addresses within a network of two subnets are no secret,"
        " and CloudWatch encrypts them by a key of its own",
    },
    "database.yaml": {
        "CKV_AWS_118 Writer": "nobody can do anything about the operating system of a serverless"
        " instance; ACUUtilization and the slow query log tell of load",
        "CKV_AWS_118 Reader": "as of the writer, whose place it takes",
    },
    "pipeline.yaml": {
        "CKV_AWS_18 Artefacts": "who may write into it are three roles, and CloudTrail has what"
        " they did; a second bucket for its log would want the same of itself",
        "CKV_AWS_111 BoundaryDev": "X-Ray takes no resource, and what ec2 makes for a function in"
        " a VPC has no name before",
        "CKV_AWS_111 BoundaryStaging": "as of the boundary of dev",
        "CKV_AWS_111 BoundaryProd": "as of the boundary of dev",
    },
}


def _findings(template: Path) -> list[str]:
    """Return what cfn-lint finds, each as `file:line:column:line:column:rule:text`."""
    command = [str(TOOLS / "cfn-lint"), "--format", "parseable", "--include-checks", "I"]
    command += ["--regions", *REGIONS, "--template", str(template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr
    assert bool(done.returncode) == bool(done.stdout)
    return done.stdout.splitlines()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_has_no_findings(template: Path) -> None:
    assert _findings(template) == []


def _holes(template: Path) -> list[str]:
    """Return what checkov finds, each as its check and the resource."""
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
    assert report["summary"]["passed"] > 0
    failed = report["results"]["failed_checks"]
    return sorted(f"{item['check_id']} {item['resource'].rpartition('.')[2]}" for item in failed)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_has_no_holes_but_those_with_a_reason(template: Path) -> None:
    assert _holes(template) == sorted(SUPPRESSED.get(template.name, {}))


def test_checkov_sees_holes(tmp_path: Path) -> None:
    holes = {
        "CKV_AWS_96 Cluster": ("StorageEncrypted: true", "StorageEncrypted: false"),
        "CKV_AWS_162 Cluster": (
            "EnableIAMDatabaseAuthentication: true",
            "EnableIAMDatabaseAuthentication: false",
        ),
        "CKV_AWS_7 Key": ("EnableKeyRotation: true", "EnableKeyRotation: false"),
    }
    text = (ROOT / "infrastructure" / "database.yaml").read_text()
    for right, wrong in holes.values():
        assert right in text
        text = text.replace(right, wrong)
    template = tmp_path / "database.yaml"
    template.write_text(text)

    assert holes.keys() <= set(_holes(template))


def test_rules_are_ignored_here_only_and_for_a_reason() -> None:
    for rules in SUPPRESSED.values():
        assert all(len(reason.split()) > 3 for reason in rules.values())
    for template in TEMPLATES:
        text = template.read_text()
        assert "cfn-lint" not in text
        assert "ignore_checks" not in text
        assert "checkov:skip" not in text


def test_linter_sees_faults(tmp_path: Path) -> None:
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
