"""Faults on demand: what a client must survive, given to the next calls or to a share of them.

A fault is a JSON object; a plan is a list of them, in a file or in the body of `PUT /_faults`:

    [{"fault": "DatabaseResumingException", "calls": 2, "operation": "Execute"},
     {"fault": "drop", "when": "after", "share": 0.05, "seed": 7}]

The first fault of the plan that a call meets is given to it. `faulty` does what it says.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import marshmallow
from marshmallow import Schema, fields, validate, validates_schema

from local.data_api.errors import (
    DataApiError,
    DatabaseErrorException,
    StatementTimeoutException,
)

# The operations by the paths that clients send them to.
OPERATIONS = [
    *["Execute", "BatchExecute", "BeginTransaction", "CommitTransaction", "RollbackTransaction"]
]
# These spoil an answer, so that the call has had its effect.
ANSWERS = ["drip", "half", "garbage"]
OTHERS = ["wait", "drop", "expire"]

# What AWS says; an error that is not here says what its class does.
MESSAGES = {
    "DatabaseResumingException": (
        "The Aurora DB instance is resuming after being auto-paused."
        " Please wait a few seconds and try again."
    ),
    "ThrottlingException": "Rate exceeded",
}
_NUMBERS = re.compile(r"(.*); Error code: (\d+); SQLState: (\w+)", re.DOTALL)


class FaultsError(Exception):
    """A plan that cannot be; the message says where and why."""


def errors(root: type[DataApiError] = DataApiError) -> dict[str, type[DataApiError]]:
    """Return every error that the server knows, by the name that a client sees."""
    kinds: dict[str, type[DataApiError]] = {}
    for kind in root.__subclasses__():
        kinds |= {kind.__name__: kind, **errors(kind)}
    return kinds


class Fault(Schema):
    """The rules of a fault's members; times are in seconds."""

    fault = fields.String(required=True, validate=validate.OneOf([*OTHERS, *ANSWERS, *errors()]))
    operation = fields.String(validate=validate.OneOf(OPERATIONS))
    when = fields.String(validate=validate.OneOf(["before", "after"]))
    seconds = fields.Float(load_default=0.0, validate=validate.Range(min=0))
    calls = fields.Integer(strict=True, validate=validate.Range(min=1))
    share = fields.Float(validate=validate.Range(min=0, max=1, min_inclusive=False))
    seed = fields.Integer(strict=True)
    status = fields.Integer(strict=True, validate=validate.Range(min=400, max=599))
    message = fields.String()

    @validates_schema
    def _fits(self, fault: dict[str, Any], **_: Any) -> None:
        kind = fault["fault"]
        for wrong, why in (
            ("calls" in fault and "share" in fault, "Either calls or share, not both."),
            ("seed" in fault and "share" not in fault, "A seed belongs to a share."),
            (kind in ANSWERS and fault.get("when") == "before", f"A {kind} is an answer: after."),
            (kind in ("wait", "drip") and not fault["seconds"], f"A {kind} needs seconds."),
            (
                kind in OTHERS + ANSWERS and ("status" in fault or "message" in fault),
                "Only an error has a status or a message.",
            ),
        ):
            if wrong:
                raise marshmallow.ValidationError(why)


@dataclass
class Planned:
    """A fault, how often it was given, and the dice of its share."""

    members: dict[str, Any]
    given: int = 0
    dice: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self.dice.seed(self.members.get("seed", 0))

    @property
    def kind(self) -> str:
        return str(self.members["fault"])

    @property
    def seconds(self) -> float:
        return float(self.members["seconds"])

    @property
    def left(self) -> int | None:
        """How many calls it is still for; a share has no end."""
        return None if "share" in self.members else self.members.get("calls", 1) - self.given

    @property
    def is_after(self) -> bool:
        return self.kind in ANSWERS or self.members.get("when") == "after"

    def takes(self, operation: str, transaction: str | None) -> bool:
        """Decide whether this call gets it; `expire` is only for calls in a transaction."""
        if self.members.get("operation", operation) != operation or self.left == 0:
            return False
        if self.kind == "expire" and transaction is None:
            return False
        taken = "share" not in self.members or self.dice.random() < self.members["share"]
        self.given += taken
        return taken

    def error(self) -> DataApiError:
        """Return the error that it is, a database error with its numbers."""
        kind = errors()[self.kind]
        if kind is StatementTimeoutException:
            return StatementTimeoutException(0)
        message = self.members.get("message") or MESSAGES.get(self.kind) or str(kind.__doc__)
        if kind is DatabaseErrorException and (match := _NUMBERS.fullmatch(message)):
            return DatabaseErrorException(match[1], int(match[2]), match[3])
        return kind(message)


def read(text: str | bytes) -> list[Planned]:
    """Read a plan from JSON; raises FaultsError."""
    try:
        plan = Fault(many=True).load(json.loads(text))
    except marshmallow.ValidationError as error:
        raise FaultsError("; ".join(_reasons(error.messages))) from None
    except (ValueError, RecursionError) as error:
        raise FaultsError(f"not JSON: {error}") from None
    return [Planned(members) for members in plan]


def read_file(path: Path) -> list[Planned]:
    """Read a plan from a file; raises FaultsError, which names it."""
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise FaultsError(f"{path}: {error.strerror}") from None
    except FaultsError as error:
        raise FaultsError(f"{path}: {error}") from None


def _reasons(messages: Any, where: str = "") -> Iterator[str]:
    """Yield marshmallow's messages, each as `0.calls: Must be greater than or equal to 1.` is."""
    if isinstance(messages, list):
        yield f"{where.removesuffix('.') or 'plan'}: {' '.join(messages)}"
        return
    for name, inner in messages.items():
        yield from _reasons(inner, where if name == "_schema" else f"{where}{name}.")
