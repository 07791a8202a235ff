"""A run of a command: where, for which stage, what the operator said, and what is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infrastructure.changes import Change
from infrastructure.failures import Failure
from infrastructure.stacks import Stack
from infrastructure.stages import Stage


@dataclass(frozen=True)
class Run:
    """What a command is given."""

    session: Any
    stage: Stage
    values: Mapping[str, str] = field(default_factory=dict)
    is_agreed: bool = False
    bucket: str | None = None
    url: str | None = None
    token: Callable[[], str] = str
    ask: Callable[[str], str] | None = None
    """Asks the operator; None where there is nobody to answer."""
    say: Callable[[str], None] = print

    def stack(self, part: str) -> Stack:
        return self.named_stack(self.stage.stack(part))

    def named_stack(self, name: str) -> Stack:
        return Stack(self.session.client("cloudformation"), name, self.say)

    def outputs(self, part: str) -> dict[str, str]:
        """Return a stack's outputs. Raises Failure, which names the command that makes it."""
        stack = self.stack(part)
        if not stack.is_made:
            command = "deploy" if part == "api" else "provision"
            raise Failure(
                f"There is no stack {stack.name} in this account and region: run `python -m"
                f" infrastructure {command} --stage {self.stage.name}`, or look at"
                " AWS_DEFAULT_REGION."
            )
        return stack.outputs()

    def confirm(self, changes: list[Change]) -> bool:
        """Ask whether to go on. Raises Failure where somebody has to be asked and nobody is there.

        `--yes` is no answer to what loses state: that is asked for by name.
        """
        if lost := [change.name for change in changes if change.loses_state]:
            return self.confirm_by_name(f"This may lose what is in {', '.join(lost)}.")
        return self.is_agreed or self._asked("Go on? [y/N] ").lower() in {"y", "yes"}

    def confirm_by_name(self, what: str) -> bool:
        return self._asked(f"{what} Type {self.stage.name} to go on: ") == self.stage.name

    def _asked(self, question: str) -> str:
        if self.ask is None:
            raise Failure(
                f"{question.strip()} Nobody is here to answer: run it in a terminal, or, where"
                " nothing is lost, with --yes."
            )
        try:
            return self.ask(question).strip()
        except EOFError:  # Ctrl-D
            return ""
