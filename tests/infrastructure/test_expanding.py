"""Each migration can run while the previous code is still in use."""

import re
from pathlib import Path

import pytest

import migrations
from tests.infrastructure.expanding import faults

ROOT = Path(__file__).parents[2]
RELEASED = frozenset(re.findall(r"(?m)^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text()))
# No code before 0.1.0 was ever deployed: there was none to live with what these replace.
BEFORE_THE_FIRST_RELEASE = {
    "0002_find_customers",
    "0004_repeat_and_restore",
    "0005_keep_documents_as_text",
}


STATEMENTS = [step for step in migrations.read() if isinstance(step, migrations.Migration)]


@pytest.mark.parametrize("migration", STATEMENTS, ids=lambda migration: migration.name)
def test_previous_code_works_after_each_migration(migration: migrations.Migration) -> None:
    found = faults(migration.sql, RELEASED)

    assert bool(found) == (migration.name in BEFORE_THE_FIRST_RELEASE), found


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE a (id INT NOT NULL PRIMARY KEY, b VARCHAR(9) NOT NULL)",
        "ALTER TABLE a ADD COLUMN b INT NULL",
        "ALTER TABLE a ADD COLUMN b INT",
        "ALTER TABLE a ADD COLUMN b INT NOT NULL DEFAULT 0",
        "ALTER TABLE a ADD COLUMN b INT GENERATED ALWAYS AS (c + 1) STORED",
        "ALTER TABLE a ADD COLUMN b INT NULL, ADD UNIQUE KEY u (b)",
        "ALTER TABLE a ADD KEY k (b)",
        "ALTER TABLE a ADD KEY k (b), ADD KEY l (c, id)",
        "CREATE INDEX k ON a (b)",
        "UPDATE a SET b = LOWER(c) WHERE b IS NULL",
        "INSERT INTO a (id) VALUES (1)",
    ],
)
def test_additive_migration_is_accepted(sql: str) -> None:
    assert faults(sql, RELEASED) == []


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE a ADD COLUMN b INT NOT NULL",
        "ALTER TABLE a ADD COLUMN b INT NULL, ADD COLUMN c CHAR(3) NOT NULL",
        "ALTER TABLE a DROP COLUMN b",
        "ALTER TABLE a ADD KEY k (b), DROP KEY l",
        "ALTER TABLE a DROP PRIMARY KEY",
        "ALTER TABLE a RENAME COLUMN b TO c",
        "ALTER TABLE a RENAME TO c",
        "ALTER TABLE a CHANGE b c INT",
        "ALTER TABLE a MODIFY COLUMN b VARCHAR(9) NOT NULL",
        "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1",
        "ALTER TABLE a ADD UNIQUE KEY u (b)",
        "ALTER TABLE a ADD PRIMARY KEY (b)",
        "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c (id)",
        "CREATE UNIQUE INDEX u ON a (b)",
        "DROP INDEX k ON a",
        "DROP TABLE a",
        "TRUNCATE TABLE a",
        "DELETE FROM a WHERE b = 1",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.b = 1",
        "CREATE VIEW v AS SELECT 1",
    ],
)
def test_migration_breaking_previous_code_is_rejected(sql: str) -> None:
    assert faults(sql, RELEASED) != []


@pytest.mark.parametrize(
    "sql",
    [
        "RENAME TABLE a TO b",
        "ALTER TABLE a ADD CHECK (b > 0)",
        "ALTER TABLE a CONVERT TO CHARACTER SET utf8mb4",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_unparsable_migration_is_rejected(sql: str) -> None:
    assert faults(sql, RELEASED) != []


def test_removal_of_unused_column_is_accepted() -> None:
    sql = "-- Contracts: 0.3.0 was the last version that read it.\nALTER TABLE a DROP COLUMN b"

    assert faults(sql, frozenset({"0.3.0"})) == []
    assert faults(sql, frozenset({"0.2.0"})) == ["0.3.0, which was never released"]
    assert faults(sql.replace("-- Contracts:", "-- Contract:"), frozenset({"0.3.0"})) != []
