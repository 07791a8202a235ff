from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.problem_outcome import ProblemOutcome
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.input_error import InputError


T = TypeVar("T", bound="Problem")


@_attrs_define
class Problem:
    """Describes a failed request: problem details (RFC 9457).

    Attributes:
        type_ (str): The kind of problem, for programs.
        title (str): The kind of problem, for people.
        status (int): The status of the response.
        detail (str): Explains the problem and the remedy to people. The text may change.
        instance (str): The path of the request.
        request_id (str): The `Request-Id` of the response.
        outcome (ProblemOutcome | Unset): Whether the request changed data. `not-applied`: it did not, and will not.
            `unknown`: it may have, or still may. Without `outcome`, the outcome of a status from 500 is unknown.
        errors (list[InputError] | Unset): The errors in the request. Maximum: 100.
    """

    type_: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    outcome: ProblemOutcome | Unset = UNSET
    errors: list[InputError] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        type_ = self.type_

        title = self.title

        status = self.status

        detail = self.detail

        instance = self.instance

        request_id = self.request_id

        outcome: str | Unset = UNSET
        if not isinstance(self.outcome, Unset):
            outcome = self.outcome.value

        errors: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.errors, Unset):
            errors = []
            for errors_item_data in self.errors:
                errors_item = errors_item_data.to_dict()
                errors.append(errors_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "title": title,
                "status": status,
                "detail": detail,
                "instance": instance,
                "request_id": request_id,
            }
        )
        if outcome is not UNSET:
            field_dict["outcome"] = outcome
        if errors is not UNSET:
            field_dict["errors"] = errors

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.input_error import InputError  # noqa: PLC0415

        d = dict(src_dict)
        type_ = d.pop("type")

        title = d.pop("title")

        status = d.pop("status")

        detail = d.pop("detail")

        instance = d.pop("instance")

        request_id = d.pop("request_id")

        _outcome = d.pop("outcome", UNSET)
        outcome: ProblemOutcome | Unset
        if isinstance(_outcome, Unset):
            outcome = UNSET
        else:
            outcome = ProblemOutcome(_outcome)

        _errors = d.pop("errors", UNSET)
        errors: list[InputError] | Unset = UNSET
        if _errors is not UNSET:
            errors = []
            for errors_item_data in _errors:
                errors_item = InputError.from_dict(errors_item_data)

                errors.append(errors_item)

        problem = cls(
            type_=type_,
            title=title,
            status=status,
            detail=detail,
            instance=instance,
            request_id=request_id,
            outcome=outcome,
            errors=errors,
        )

        problem.additional_properties = d
        return problem

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
