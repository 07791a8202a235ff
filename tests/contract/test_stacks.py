"""Creating, changing and rolling back stacks with moto's CloudFormation and Lambda."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from infrastructure import releases
from infrastructure.changes import Change, Template
from infrastructure.failures import Failure
from infrastructure.stacks import Stack
from infrastructure.stages import RUNTIME
from tests.contract.aws import moto


@pytest.fixture(scope="module", autouse=True)
def _aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with moto(tmp_path_factory.mktemp("stacks")):
        yield


def template(resources: dict[str, Any], **parameters: Any) -> Template:
    return Template(json.dumps({"Parameters": parameters, "Resources": resources}))


def bucket(name: str) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}


def topic(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}}


class Operator:
    """Confirms or declines changes, and records questions and messages."""

    def __init__(self, *, confirms: bool = True) -> None:
        self.confirms = confirms
        self.asked: list[Change] = []
        self.heard: list[str] = []

    def confirm(self, changes: list[Change]) -> bool:
        self.asked = changes
        return self.confirms

    def stack(self, name: str) -> Stack:
        return Stack(boto3.client("cloudformation"), name, self.heard.append, pause=0.01)


def test_stack_is_created_changed_and_deleted() -> None:
    operator = Operator()
    stack = operator.stack("life")
    first, second = {"A": topic("a")}, {"A": topic("a"), "B": topic("b")}

    assert stack.update(template(first), {}, operator.confirm)
    assert stack.status == "CREATE_COMPLETE"
    assert [str(item).split() for item in operator.asked] == [["add", "A", "AWS::SNS::Topic"]]
    assert any("CREATE_COMPLETE" in line for line in operator.heard)
    assert stack.update(template(second), {}, operator.confirm)
    assert [name for _, name, _ in stack.resources()] == ["A", "B"]
    assert stack.update(template(second), {}, operator.confirm)
    assert operator.heard[-1] == "life: nothing to change"
    stack.delete()
    assert stack.status in {None, "DELETE_COMPLETE"}


def test_declined_change_is_not_made() -> None:
    operator = Operator(confirms=False)
    stack = operator.stack("refused")

    assert not stack.update(template({"A": topic("r")}), {}, operator.confirm)

    assert boto3.client("sns").list_topics()["Topics"] == []
    assert operator.heard[-1] == "refused: unchanged"


def test_change_set_is_deleted_if_confirmation_fails() -> None:
    def interrupted(_: list[Change]) -> bool:
        raise KeyboardInterrupt

    stack = Operator().stack("interrupted")
    with pytest.raises(KeyboardInterrupt):
        stack.update(template({"A": topic("i")}), {}, interrupted)

    client = boto3.client("cloudformation")
    found = client.list_change_sets(StackName="interrupted")["Summaries"]  # moto: of all stacks
    assert [item for item in found if item["StackName"] == "interrupted"] == []


def test_loss_of_a_bucket_is_reported() -> None:
    operator = Operator()
    stack = operator.stack("stateful")
    stack.update(template({"A": bucket("a-1"), "B": topic("s")}), {}, operator.confirm)
    assert not any(change.loses_state for change in operator.asked)

    operator.confirms = False
    stack.update(template({"B": topic("s")}), {}, operator.confirm)
    assert [change.name for change in operator.asked if change.loses_state] == ["A"]
    stack.update(template({"A": bucket("a-2"), "B": topic("s")}), {}, operator.confirm)
    assert [change.name for change in operator.asked if change.loses_state] == ["A"]


def test_parameters_are_checked_and_kept() -> None:
    operator = Operator()
    stack = operator.stack("parameters")
    named = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Name"}}}
    declared = {"Name": {"Type": "String"}}

    with pytest.raises(Failure, match=r"needs a value for Name: add `--set Name=\.\.\.`"):
        stack.update(template({"A": named}, **declared), {}, operator.confirm)
    with pytest.raises(Failure, match=r"no parameter 'Nam'\. Did you mean 'Name'\?"):
        stack.update(template({"A": named}, **declared), {"Nam": "n"}, operator.confirm)
    assert stack.status is None
    stack.update(template({"A": named}, **declared), {"Name": "n"}, operator.confirm)
    both = template({"A": named, "B": topic("n-2")}, **declared)
    stack.update(both, {}, operator.confirm)

    assert {"n", "n-2"} <= {item["TopicArn"].rpartition(":")[2] for item in topics()}


def test_values_of_a_declined_change_are_not_kept() -> None:
    """The remaining stack never had these values, so AWS rejects `UsePreviousValue`."""
    operator = Operator(confirms=False)
    stack = operator.stack("refused-first")
    declared = template({"A": topic("refused")}, Name={"Type": "String"})
    stack.update(declared, {"Name": "n"}, operator.confirm)

    assert not stack.exists
    with pytest.raises(Failure, match="needs a value for Name"):
        stack.update(declared, {}, operator.confirm)


def topics() -> Any:
    return boto3.client("sns").list_topics()["Topics"]


def test_outputs_of_missing_stack_are_an_error() -> None:
    with pytest.raises(Failure, match="The stack nowhere does not exist"):
        Operator().stack("nowhere").outputs()


def test_too_long_template_is_an_error() -> None:
    operator = Operator()
    long = template({f"Topic{number}": topic(f"t{number}") for number in range(1_000)})
    with pytest.raises(Failure, match="upload it to a bucket"):
        operator.stack("long").update(long, {}, operator.confirm)


def test_package_is_uploaded_once_and_named_by_its_template(tmp_path: Path) -> None:
    boto3.client("s3").create_bucket(
        Bucket="artefacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    (tmp_path / "deployment.zip").write_bytes(b"code")
    topics = {f"Topic{number}": topic(f"u{number}") for number in range(3)}
    document = {"Metadata": {"Code": "./deployment.zip"}, "Resources": topics}
    (tmp_path / "sam.json").write_text(json.dumps(document))
    said: list[str] = []

    found = releases.upload(boto3.client("s3"), "artefacts", tmp_path, said.append)
    assert len(said) == 2
    assert releases.upload(boto3.client("s3"), "artefacts", tmp_path, said.append) == found
    assert len(said) == 2

    key = found.url.partition("/artefacts/")[2]
    text = boto3.client("s3").get_object(Bucket="artefacts", Key=key)["Body"].read().decode()
    assert "s3://artefacts/customers/" in text
    assert "deployment.zip" not in text


FUNCTIONS = ["customers-dev", "customers-dev-authorize"]


@pytest.fixture
def versions() -> Iterator[Any]:
    """Create two functions with two versions each, of which the second is live."""
    client = boto3.client("lambda")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = boto3.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument=trust)
    for name in FUNCTIONS:
        client.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Role=role["Role"]["Arn"],
            Handler="app.app",
            Code={"ZipFile": archive("one")},
            Publish=True,
        )
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        client.update_function_code(FunctionName=name, ZipFile=archive("two"), Publish=True)
        client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    yield client
    for name in FUNCTIONS:
        client.delete_function(FunctionName=name)
    boto3.client("iam").delete_role(RoleName="any")


def archive(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("app.py", text)
    return content.getvalue()


def live(client: Any) -> list[str]:
    return [releases.live_version(client, name) for name in FUNCTIONS]


def test_rollback_moves_every_function_to_the_previous_version(versions: Any) -> None:
    stack = Operator().stack("none")
    assert live(versions) == ["2", "2"]

    releases.roll_back(versions, stack, FUNCTIONS, print)
    assert live(versions) == ["1", "1"]

    with pytest.raises(Failure, match="customers-dev has no version before 1"):
        releases.roll_back(versions, stack, FUNCTIONS, print)


def test_rollback_skips_a_rejected_release(versions: Any) -> None:
    """The rejected versions still exist, but never served a request."""
    before = releases.live_versions(versions, [*FUNCTIONS, "no-function"])
    for name in FUNCTIONS:
        for text in ("refused", "good"):
            code = versions.update_function_code(
                FunctionName=name, ZipFile=archive(text), Publish=True
            )
        versions.update_alias(FunctionName=name, Name="live", FunctionVersion=code["Version"])
    releases.remember(versions, before)
    assert live(versions) == ["4", "4"]

    releases.roll_back(versions, Operator().stack("none"), FUNCTIONS, print)

    assert live(versions) == ["2", "2"]


def test_rollback_moves_all_functions_or_none(versions: Any) -> None:
    versions.update_alias(FunctionName=FUNCTIONS[1], Name="live", FunctionVersion="1")

    with pytest.raises(Failure, match="customers-dev-authorize has no version before 1"):
        releases.roll_back(versions, Operator().stack("none"), FUNCTIONS, print)

    assert live(versions) == ["2", "1"]


def test_deployment_after_a_rollback_moves_aliases_forward(versions: Any) -> None:
    class Made(Stack):
        def resources(self) -> list[tuple[str, str, str]]:
            arn = "arn:aws:lambda:eu-west-1:123456789012:function"
            return [("AWS::Lambda::Version", name, f"{arn}:{name}:2") for name in FUNCTIONS]

    stack = Made(boto3.client("cloudformation"), "none")
    releases.roll_back(versions, stack, FUNCTIONS, print)
    said: list[str] = []

    releases.catch_up(versions, stack, said.append)
    assert live(versions) == ["2", "2"]
    releases.catch_up(versions, stack, said.append)
    assert len(said) == 2
