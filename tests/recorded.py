"""A database that records the statements that it runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chalicelib.database import Database, Row, Value


class Recorded(Database):
    def __init__(self, database: Database, statements: list[str] | None = None) -> None:
        self._database = database
        self.is_transaction = database.is_transaction
        self.statements = [] if statements is None else statements

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        with self._database.transaction() as transaction:
            yield Recorded(transaction, self.statements)

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        self.statements.append(sql)
        return self._database._run(sql, parameters)

    def _run_to_end(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        self.statements.append(sql)
        return self._database._run_to_end(sql, parameters)
