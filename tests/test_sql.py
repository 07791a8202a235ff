"""The check that keeps SQL within MySQL 8's syntax. It covers each statement of each test."""

import pytest

import migrations
from tests.mysql8 import refusal
from tests.recorded import Recorded


def test_migrations_are_valid_mysql() -> None:
    files = [step for step in migrations.read() if isinstance(step, migrations.Migration)]

    assert {file.name: refusal(file.sql) for file in files} == {file.name: None for file in files}


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO a (id) VALUES (1) RETURNING id",
        "DELETE FROM a RETURNING id",
        "CREATE OR REPLACE TABLE a (id INT)",
        "CREATE INDEX IF NOT EXISTS i ON a (id)",
        "ALTER TABLE a ADD COLUMN IF NOT EXISTS b INT",
        "CREATE TABLE a (id UUID NOT NULL)",
        "CREATE TABLE a (b TEXT DEFAULT 'x')",
        "CREATE SEQUENCE s",
        "SELECT 'a' || 'b'",
        "SELECT rank FROM a",
        "SELECT 1; SELECT 2",
        "GRANT ALL ON a.* TO b",
    ],
)
def test_mariadb_only_statement_is_detected(sql: str) -> None:
    assert refusal(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT `rank` FROM a WHERE b = :c ORDER BY id DESC LIMIT :rows",
        "INSERT INTO a (id) VALUES (1) ON DUPLICATE KEY UPDATE id = VALUES(id)",
        "ALTER TABLE a ADD COLUMN b TEXT NULL",
    ],
)
def test_portable_statement_passes(sql: str) -> None:
    assert refusal(sql) is None


def test_statements_of_tests_are_recorded(database: Recorded) -> None:
    """The fixture `database` checks recorded statements; this test fails if nothing is recorded."""
    database.fetch_one("SELECT 1 AS one")

    assert "SELECT 1 AS one" in database.statements
