"""One run of a command: the AWS session, the stage, and the operator's options and answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infrastructure.changes import Change
from infrastructure.failures import Failure
from infrastructure.stacks import Stack
from infrastructure.stages import Stage


@dataclass(frozen=True)
class Run:
    """The context of a command."""

    session: Any
    stage: Stage
    values: Mapping[str, str] = field(default_factory=dict)
    is_agreed: bool = False
    bucket: str | None = None
    url: str | None = None
    token: Callable[[], str] = str
    certificate: str | None = None
    """A file with a client's certificate and key, if the stage requires mutual TLS."""
    to: str | None = None
    snapshot: str | None = None
    incoming: str | None = None
    """The cluster that `restore` makes the current one, by its suffix."""
    looks_for_drift: bool = False
    caller: str = ""
    """The subject of the tokens of the caller that `admit` and `block` are for."""
    ask: Callable[[str], str] | None = None
    """Asks the operator; None if no operator can respond."""
    say: Callable[[str], None] = print

    def stack(self, part: str) -> Stack:
        return self.named_stack(self.stage.stack(part))

    def named_stack(self, name: str) -> Stack:
        client = self.session.client("cloudformation")
        return Stack(client, name, self.say, tags=self.stage.tags)

    def outputs(self, part: str) -> dict[str, str]:
        """Return a stack's outputs.

        Raises Failure, which names the command that creates the stack.
        """
        stack = self.stack(part)
        if not stack.exists:
            command = "deploy" if part == "api" else "provision"
            raise Failure(
                f"The stack {stack.name} does not exist in this account and region: run `python -m"
                f" infrastructure {command} --stage {self.stage.name}`, or check"
                " AWS_DEFAULT_REGION."
            )
        return stack.outputs()

    def confirm(self, changes: list[Change]) -> bool:
        """Ask the operator to confirm. Raises Failure if no operator can respond.

        `--yes` does not cover changes that may lose state: these are confirmed with the stage's
        name.
        """
        if lossy := [change.name for change in changes if change.loses_state]:
            return self.confirm_by_name(f"This may delete the data in {', '.join(lossy)}.")
        return self.is_agreed or self._ask_operator("Continue? [y/N] ").lower() in {"y", "yes"}

    def confirm_by_name(self, warning: str) -> bool:
        return (
            self._ask_operator(f"{warning} Type {self.stage.name} to continue: ") == self.stage.name
        )

    def _ask_operator(self, question: str) -> str:
        if self.ask is None:
            raise Failure(
                f"{question.strip()} No terminal: run the command in a terminal or, if"
                " no data is lost, with --yes."
            )
        try:
            return self.ask(question).strip()
        except EOFError:  # Ctrl-D
            return ""
