"""A schema change that is longer than a call of the Data API."""

from collections.abc import Callable

from tests.rehearsal.databases import Databases

FIRST = "applied 0001_create_customers"
CHANGE = "0002_find_customers"


class LongChange:
    """Listens to a run of the migrations, and makes the second one wait for a transaction.

    The transaction ends when the run says that the change is still running: its call is over then.
    """

    def __init__(self, databases: Databases, say: Callable[[str], None]) -> None:
        self._databases = databases
        self._say = say
        self.progress = ""
        """The run's line about the change while it was running."""
        self.is_applied = False

    def say(self, line: str) -> None:
        """Pass on a line of the run, and act on it."""
        self._say(line)
        if line == FIRST:
            self._transaction = self._databases.hold("customers")
        elif line.startswith(f"{CHANGE} has been running") and not self.progress:
            self.progress = line
            self._transaction.close()
        elif line == f"applied {CHANGE}":
            self.is_applied = bool(self.progress)
