"""Reads a CloudFormation template as CloudFormation does: functions, parameters and conditions.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml

REGION = "eu-west-1"
ACCOUNT = "123456789012"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}
VARIABLE = re.compile(r"\$\{([^!}]+)\}")

# A separate class, because these functions are not part of general YAML.
Loader = type("Loader", (yaml.SafeLoader,), {})


def _function(loader: Any, name: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_scalar(node)
    if name == "GetAtt":
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


Loader.add_multi_constructor("!", _function)  # type: ignore[attr-defined]


class Template:
    """A template with parameter values. `change` modifies it before it is evaluated."""

    def __init__(
        self,
        path: Path,
        values: Mapping[str, str],
        change: Callable[[dict[str, Any]], object] = lambda _: None,
    ) -> None:
        document: dict[str, Any] = yaml.load(path.read_text(), Loader)  # noqa: S506 (is safe)
        change(document)
        self._read(document, values)

    @classmethod
    def of(cls, document: dict[str, Any], values: Mapping[str, str]) -> Self:
        """Return a template that was already parsed."""
        template = cls.__new__(cls)
        template._read(document, values)
        return template

    def _read(self, document: dict[str, Any], values: Mapping[str, str]) -> None:
        self.document = document
        self.values = {
            name: values.get(name, parameter.get("Default"))
            for name, parameter in document.get("Parameters", {}).items()
        }

    @cached_property
    def resources(self) -> dict[str, Any]:
        """The resources; `refusals` first, because invalid values may break functions."""
        return {
            name: self.resolve(resource)
            for name, resource in self.document["Resources"].items()
            if self.holds(resource.get("Condition"))
        }

    def of_type(self, resource_type: str) -> dict[str, Any]:
        """Return the properties of the resources of a type, by their logical ids."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == resource_type
        }

    def refusals(self) -> list[str]:
        """Return the messages of CloudFormation's checks before it creates anything."""
        parameters = self.document.get("Parameters", {}).items()
        said = [name for name, parameter in parameters if not _fits(self.values[name], parameter)]
        for rule in self.document.get("Rules", {}).values():
            if self.resolve(rule.get("RuleCondition", True)):
                said += [
                    assertion["AssertDescription"]
                    for assertion in rule["Assertions"]
                    if not self.resolve(assertion["Assert"])
                ]
        return said

    def resolve(self, value: Any) -> Any:
        """Return the value with every function replaced by its result."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        name, argument = next(iter(value.items()), ("", None))
        if name == "Ref" or str(name).startswith("Fn::"):
            assert len(value) == 1
            return self._call(name.removeprefix("Fn::"), argument)
        members = {name: self.resolve(element) for name, element in value.items()}
        return {name: member for name, member in members.items() if member is not None}

    def _call(self, function: str, argument: Any) -> Any:
        """Return a function's result. `If` must evaluate only the selected branch."""
        if function == "If":
            condition, this, that = argument
            return self.resolve(this if self.holds(condition) else that)
        functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._reference,
            "GetAtt": lambda path: self._arn(path[0]),
            "Sub": lambda text: self._substitute(*([text, {}] if isinstance(text, str) else text)),
            "Join": lambda parts: parts[0].join(parts[1]),
            "Equals": lambda pair: str(pair[0]) == str(pair[1]),
            "Not": lambda conditions: not conditions[0],
            "Contains": lambda pair: str(pair[1]) in map(str, pair[0]),
            "EachMemberEquals": lambda pair: all(item == pair[1] for item in pair[0]),
            "ValueOf": lambda pair: [self.values[pair[1]]],  # known only to AWS
            "GetAZs": lambda _: [f"{REGION}{zone}" for zone in "abc"],
            "Select": lambda pair: pair[1][int(pair[0])],
            "Split": lambda pair: pair[1].split(pair[0]),
        }
        return functions[function](self.resolve(argument))

    def holds(self, condition: str | None) -> bool:
        """Return whether a condition is true; None always is."""
        return condition is None or bool(self.resolve(self.document["Conditions"][condition]))

    def _substitute(self, text: str, variables: Mapping[str, str]) -> str:
        def value(found: re.Match[str]) -> str:
            name, _, attribute = found[1].partition(".")
            if name in variables:
                return variables[name]
            return str(self._arn(name) if attribute == "Arn" else self._reference(name))

        return VARIABLE.sub(value, text).replace("${!", "${")

    def _reference(self, name: str) -> Any:
        for known in (PSEUDO_PARAMETERS, self.values):
            if name in known:
                return known[name]
        resource = self.document["Resources"][name]
        assert self.holds(resource.get("Condition")), f"{name} is not there"
        named = {
            "AWS::CloudWatch::Alarm": "AlarmName",
            "AWS::CloudWatch::CompositeAlarm": "AlarmName",
            "AWS::Logs::LogGroup": "LogGroupName",
        }.get(resource["Type"])
        return self.resolve(resource["Properties"][named]) if named else self._arn(name)

    def _arn(self, name: str) -> str:
        resource = self.document["Resources"][name]
        assert self.holds(resource.get("Condition")), f"{name} is not there"
        if resource["Type"].startswith("AWS::CloudWatch::"):
            kind = f"cloudwatch:{REGION}:{ACCOUNT}:alarm:{self._reference(name)}"
        else:
            kind = f"{resource['Type'].split('::')[1].lower()}:{REGION}:{ACCOUNT}:{name}"
        return f"arn:aws:{kind}"


def _fits(value: Any, parameter: Mapping[str, Any]) -> bool:
    text = str(value)
    if "AllowedValues" in parameter and text not in map(str, parameter["AllowedValues"]):
        return False
    if not re.search(parameter.get("AllowedPattern", ""), text):
        return False
    if parameter["Type"] != "Number":
        return True
    low, high = parameter.get("MinValue", "-inf"), parameter.get("MaxValue", "inf")
    return float(low) <= float(text) <= float(high)
