"""Find changes in a migration that would break the previous code.

Migrations run before the new code is deployed. The previous code runs on the changed schema until
the deployment ends, and after a rollback. So migrations only add. A later migration drops what no
code uses any more, and its file says so:

    -- Contracts: 0.3.0 was the last version that read it.

Source: https://martinfowler.com/bliki/ParallelChange.html
"""

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel

CONTRACTS = re.compile(r"(?m)^-- Contracts: (?P<version>\d+\.\d+\.\d+) was the last version that ")


def faults(sql: str, released: frozenset[str]) -> list[str]:
    """Return the changes that could break the previous code; none if that code is out of use."""
    contract = CONTRACTS.search(sql)
    if contract and contract["version"] not in released:
        return [f"{contract['version']}, which was never released"]
    return (
        [] if contract else list(_of(sqlglot.parse_one(sql, "mysql", error_level=ErrorLevel.RAISE)))
    )


def _of(statement: exp.Expr) -> Iterator[str]:
    if isinstance(statement, exp.Alter) and statement.kind == "TABLE":
        yield from _of_alter(statement)
    elif isinstance(statement, exp.Create) and statement.kind == "INDEX":
        if statement.args.get("unique"):
            yield "a unique key on existing columns"
    elif isinstance(statement, exp.Create):
        if statement.kind != "TABLE":
            yield f"CREATE {statement.kind}"
    elif not isinstance(statement, exp.Insert | exp.Update):
        yield statement.sql("mysql").split(maxsplit=2)[0]


def _of_alter(statement: exp.Alter) -> Iterator[str]:
    actions = statement.args["actions"]
    added = {action.name for action in actions if isinstance(action, exp.ColumnDef)}
    for action in actions:
        if isinstance(action, exp.ColumnDef):
            if not _may_be_left_out(action):
                yield f"the column {action.name}, which must have a value"
        elif isinstance(action, exp.AddConstraint):
            yield from _of_keys(action, added)
        else:
            yield action.sql("mysql")


def _may_be_left_out(column: exp.ColumnDef) -> bool:
    kinds = {type(constraint.kind) for constraint in column.args["constraints"]}
    has_value = kinds & {
        exp.AutoIncrementColumnConstraint,
        exp.ComputedColumnConstraint,
        exp.DefaultColumnConstraint,
        exp.GeneratedAsIdentityColumnConstraint,
    }
    required = column.find(exp.NotNullColumnConstraint)
    return bool(has_value) or not required or bool(required.args.get("allow_null"))


def _of_keys(action: exp.AddConstraint, added: set[str]) -> Iterator[str]:
    """Yield the changes that reject rows; the previous code does not fill a new column."""
    for expression in action.expressions:
        columns = {column.name for column in expression.find_all(exp.Identifier)}
        if not isinstance(expression, exp.IndexColumnConstraint) and not columns & added:
            yield expression.sql("mysql")
