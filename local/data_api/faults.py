"""Fault injection: faults for the next calls, or for a share of all calls.

A fault is a JSON object; a plan is a list of them, in a file or in the body of `PUT /_faults`:

    [{"fault": "DatabaseResumingException", "calls": 2, "operation": "Execute"},
     {"fault": "drop", "when": "after", "share": 0.05, "seed": 7}]

A call gets the first fault of the plan that matches it. `faulty` executes the fault.
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

from .errors import (
    DataApiError,
    DatabaseErrorException,
    StatementTimeoutException,
)

# The operations by path.
OPERATIONS = [
    *["Execute", "BatchExecute", "BeginTransaction", "CommitTransaction", "RollbackTransaction"]
]
# These damage a response, so the call has been executed.
ANSWERS = ["drip", "half", "garbage"]
OTHERS = ["wait", "drop", "expire"]

# AWS's messages. The message of another error is its class's.
MESSAGES = {
    "DatabaseResumingException": (
        "The Aurora DB instance is resuming after being auto-paused."
        " Please wait a few seconds and try again."
    ),
    "ThrottlingException": "Rate exceeded",
}
_NUMBERS = re.compile(r"(.*); Error code: (\d+); SQLState: (\w+)", re.DOTALL)


class FaultsError(Exception):
    """The plan is invalid. The message says where and why."""


def errors(root: type[DataApiError] = DataApiError) -> dict[str, type[DataApiError]]:
    """Return every error that the server knows, by its name in responses."""
    kinds: dict[str, type[DataApiError]] = {}
    for kind in root.__subclasses__():
        kinds |= {kind.__name__: kind, **errors(kind)}
    return kinds


class Fault(Schema):
    """The rules for a fault's fields. Times are in seconds."""

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
        for unknown, why in (
            ("calls" in fault and "share" in fault, "Set either calls or share, not both."),
            ("seed" in fault and "share" not in fault, "A seed requires a share."),
            (
                kind in ANSWERS and fault.get("when") == "before",
                f"A {kind} damages a response, so it must be after.",
            ),
            (kind in ("wait", "drip") and not fault["seconds"], f"A {kind} requires seconds."),
            (
                kind in OTHERS + ANSWERS and ("status" in fault or "message" in fault),
                "Only an error may have a status or a message.",
            ),
        ):
            if unknown:
                raise marshmallow.ValidationError(why)


@dataclass
class Planned:
    """A fault, the number of injections, and the random numbers of its share."""

    data: dict[str, Any]
    given: int = 0
    rng: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self.rng.seed(self.data.get("seed", 0))

    @property
    def kind(self) -> str:
        return str(self.data["fault"])

    @property
    def seconds(self) -> float:
        return float(self.data["seconds"])

    @property
    def left(self) -> int | None:
        """The number of remaining calls; a share has no limit."""
        return None if "share" in self.data else self.data.get("calls", 1) - self.given

    @property
    def is_after(self) -> bool:
        return self.kind in ANSWERS or self.data.get("when") == "after"

    def takes(self, operation: str, transaction: str | None) -> bool:
        """Return whether this call gets the fault.

        `expire` only applies to calls in a transaction.
        """
        if self.data.get("operation", operation) != operation or self.left == 0:
            return False
        if self.kind == "expire" and transaction is None:
            return False
        is_taken = "share" not in self.data or self.rng.random() < self.data["share"]
        self.given += is_taken
        return is_taken

    def error(self) -> DataApiError:
        """Return the fault's error; a database error includes its numbers."""
        kind = errors()[self.kind]
        if kind is StatementTimeoutException:
            return StatementTimeoutException(0)
        message = self.data.get("message") or MESSAGES.get(self.kind) or str(kind.__doc__)
        if kind is DatabaseErrorException and (match := _NUMBERS.fullmatch(message)):
            return DatabaseErrorException(match[1], int(match[2]), match[3])
        return kind(message)


def read(text: str | bytes) -> list[Planned]:
    """Parse a plan. Raises FaultsError."""
    try:
        plan = Fault(many=True).load(json.loads(text))
    except marshmallow.ValidationError as error:
        raise FaultsError("; ".join(_reasons(error.messages))) from None
    except (ValueError, RecursionError) as error:
        raise FaultsError(f"invalid JSON: {error}") from None
    return [Planned(data) for data in plan]


def read_file(path: Path) -> list[Planned]:
    """Read a plan from a file. Raises FaultsError, which names the file."""
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise FaultsError(f"{path}: {error.strerror}") from None
    except FaultsError as error:
        raise FaultsError(f"{path}: {error}") from None


def _reasons(messages: Any, path: str = "") -> Iterator[str]:
    """Yield marshmallow's messages with their path, such as `0.calls: Must be at least 1`."""
    if isinstance(messages, list):
        yield f"{path.removesuffix('.') or 'plan'}: {' '.join(messages)}"
        return
    for name, inner in messages.items():
        yield from _reasons(inner, path if name == "_schema" else f"{path}{name}.")
