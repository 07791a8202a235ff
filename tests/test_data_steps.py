"""Data steps over both backends: resumable, and safe beside code that writes to the table."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import migrations
from chalicelib.database import Database, DatabaseUnavailable, Row, Value
from chalicelib.database.contract import MAX_STATEMENT_LENGTH
from migrations import DataStep, Migration, MigrationError, Step, changes, filling
from migrations.filling import Fill
from tests.mysql8 import refusal
from tests.recorded import Recorded
from tests.test_migrations import Killed, apply, new_database

pytestmark = pytest.mark.exhaustive

__all__ = ["new_database"]  # a fixture

Connect = Callable[[], Database]

MAKE = Migration(
    "0001_make",
    "CREATE TABLE a (id BINARY(2) NOT NULL PRIMARY KEY, version INT UNSIGNED NOT NULL,"
    " updated_at DATETIME(3) NOT NULL, name VARCHAR(20) NULL, name_key VARCHAR(20) NULL,"
    " UNIQUE KEY u (name_key)) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4"
    " COLLATE utf8mb4_bin",
)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def step(
    compute: Callable[[Row], Mapping[str, Value]], source: str = "", name: str = "0002_fill"
) -> DataStep:
    return DataStep(name, source, Fill("a", ("name",), compute, unique=frozenset({"name_key"})))


def lower(row: Row) -> dict[str, Value]:
    return {"name_key": str(row["name"]).lower()}


FILL = step(lower)


def insert(database: Database, number: int, name: str, when: datetime = LONG_AGO) -> None:
    database.execute(
        "INSERT INTO a (id, version, updated_at, name, name_key)"
        " VALUES (:id, 1, :when, :name, :key)",
        id=number.to_bytes(2, "big"),
        when=when,
        name=name,
        key=f"old {name}",
    )


def rename(database: Database, number: int, name: str) -> None:
    """Update a row as the earlier code does, which does not know the key."""
    database.execute(
        "UPDATE a SET name = :name, version = version + 1, updated_at = :now WHERE id = :id",
        id=number.to_bytes(2, "big"),
        name=name,
        now=datetime.now(UTC),
    )


def keys(database: Database) -> list[object]:
    return [row["name_key"] for row in database.fetch_all("SELECT name_key FROM a ORDER BY id")]


def expected(numbers: Iterable[int]) -> list[str]:
    return [f"n{number}" for number in numbers]


@pytest.fixture
def database(new_database: Connect, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return a database with ten rows, which a pass reads in four batches."""
    monkeypatch.setattr(filling, "ROWS", 3)
    apply(new_database, [MAKE])
    database = new_database()
    for number in range(10):
        insert(database, number, f"N{number}")
    return database


def test_data_step_fills_every_row_once(database: Database, new_database: Connect) -> None:
    assert apply(new_database, [MAKE, FILL]) == ["applied 0002_fill"]

    assert keys(database) == expected(range(10))
    assert database.fetch_all("SELECT version FROM a WHERE version <> 1") == []
    assert database.fetch_all("SELECT name FROM schema_passes") == []
    rename(database, 4, "Later")
    assert apply(new_database, [MAKE, FILL]) == []
    assert keys(database)[4] == "n4"


def test_data_step_of_an_empty_table_is_applied(new_database: Connect) -> None:
    assert apply(new_database, [MAKE, FILL])[-1] == "applied 0002_fill"


class Dying(Recorded):
    """A database whose client is killed before a certain batch is written, or recorded."""

    def __init__(self, database: Database, prefix: str, number: int) -> None:
        super().__init__(database)
        self._prefix, self._left = prefix, number

    @property
    def error(self) -> BaseException:
        return Killed()

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        self._live(sql)
        return super()._run(sql, parameters)

    def _run_to_end(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        self._live(sql)
        return super()._run_to_end(sql, parameters)

    def _live(self, sql: str) -> None:
        self._left -= self._prefix in sql
        if self._left < 0:
            raise self.error


class Disconnected(Dying):
    @property
    def error(self) -> BaseException:
        return DatabaseUnavailable("connection lost")


@pytest.mark.parametrize("kind", [Dying, Disconnected])
@pytest.mark.parametrize("prefix", ["UPDATE a", "UPDATE schema_passes"])
@pytest.mark.usefixtures("one_attempt")
def test_run_killed_in_the_middle_is_resumed_there(
    database: Database, new_database: Connect, prefix: str, kind: type[Dying]
) -> None:
    with pytest.raises((Killed, DatabaseUnavailable)):
        migrations.apply(kind(database, prefix, 2), new_database(), [MAKE, FILL], print)
    assert expected(range(6)) == keys(database)[:6]
    assert "n9" not in keys(database)

    computed: list[object] = []
    resumed = step(lambda row: computed.append(row["name"]) or lower(row))  # type: ignore[func-returns-value]
    assert apply(new_database, [MAKE, resumed]) == ["applied 0002_fill"]

    assert computed == ["N6", "N7", "N8", "N9"]
    assert keys(database) == expected(range(10))


def test_run_killed_in_the_last_pass_is_resumed(database: Database, new_database: Connect) -> None:
    """Rows that were written after that pass began are found by another pass."""
    with pytest.raises(Killed):
        migrations.apply(
            Dying(database, "UPDATE schema_passes", 4), new_database(), [MAKE, FILL], print
        )
    rename(database, 2, "Between")

    assert apply(new_database, [MAKE, FILL]) == ["applied 0002_fill"]
    assert keys(database)[2] == "between"


def test_concurrent_updates_win_and_are_filled(database: Database, new_database: Connect) -> None:
    """Earlier code updates rows before and behind the position, and between SELECT and UPDATE."""
    other, names = new_database(), {0: "Before", 4: "Between", 9: "Behind"}

    def compute(row: Row) -> dict[str, Value]:
        if row["name"] == "N4":
            for number, name in names.items():
                rename(other, number, name)
        return lower(row)

    apply(new_database, [MAKE, step(compute)])

    rows = database.fetch_all("SELECT name, name_key FROM a ORDER BY id")
    assert [row["name_key"] for row in rows] == [str(row["name"]).lower() for row in rows]
    assert {number: rows[number]["name"] for number in names} == names


def test_update_between_reading_and_writing_is_not_overwritten(
    database: Database, new_database: Connect
) -> None:
    """The update has an old time, so that no further pass hides an overwritten value."""
    other = new_database()

    def compute(row: Row) -> dict[str, Value]:
        if row["name"] == "N4":
            other.execute("UPDATE a SET version = 2, name_key = 'by new code' WHERE name = 'N4'")
        return lower(row)

    apply(new_database, [MAKE, step(compute)])

    assert keys(database)[3:6] == ["n3", "by new code", "n5"]


def test_row_that_earlier_code_creates_meanwhile_is_filled(
    database: Database, new_database: Connect
) -> None:
    other = new_database()
    database.execute("DELETE FROM a WHERE name = 'N1'")

    def compute(row: Row) -> dict[str, Value]:
        if row["name"] == "N8":
            insert(other, 1, "Created", datetime.now(UTC))
        return lower(row)

    apply(new_database, [MAKE, step(compute)])

    assert keys(database)[1] == "created"


@pytest.mark.parametrize("window", [1, 4, 100])
def test_unfinished_step_fills_what_earlier_code_writes_until_it_is_finished(
    database: Database, new_database: Connect, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(filling, "WINDOW", window)
    after = Migration(
        "0003_after", "INSERT INTO a SELECT 'zz', 1, updated_at, 'Z', 'z' FROM a LIMIT 1"
    )
    files: list[Step] = [MAKE, FILL, after]
    said: list[str] = []

    def run(*, finish: bool) -> None:
        migrations.apply(new_database(), new_database(), files, said.append, finish=finish)

    run(finish=False)
    assert keys(database) == [*expected(range(10)), "z"]
    for number in (0, 5, 6, 7, 8, 9):
        rename(database, number, f"First{number}")
    run(finish=False)
    assert keys(database)[:7] == ["first0", "n1", "n2", "n3", "n4", "first5", "first6"]
    rename(database, 9, "Second")
    run(finish=True)
    assert keys(database)[9] == "second"
    rename(database, 9, "Third")
    run(finish=True)

    assert keys(database)[9] == "second"
    unfinished = "filled 0002_fill: finish it when the previous code has ended"
    assert said == [unfinished, "applied 0003_after", unfinished, "applied 0002_fill"]


def test_later_pass_computes_only_rows_that_were_updated(
    database: Database, new_database: Connect
) -> None:
    migrations.apply(new_database(), new_database(), [MAKE, FILL], print, finish=False)
    rename(database, 5, "Five")
    computed: list[object] = []

    apply(new_database, [MAKE, step(lambda row: computed.append(row["name"]) or lower(row))])  # type: ignore[func-returns-value]

    assert computed == ["Five"]


def test_row_whose_clock_is_slow_is_found(database: Database, new_database: Connect) -> None:
    """`updated_at` comes from another machine, before the statement waited and was retried."""
    migrations.apply(new_database(), new_database(), [MAKE, FILL], print, finish=False)
    insert(database, 11, "Slow", datetime.now(UTC) - timedelta(minutes=4))

    apply(new_database, [MAKE, FILL])

    assert keys(database)[-1] == "slow"


def test_failing_step_names_the_row_and_resumes_when_corrected(
    database: Database, new_database: Connect
) -> None:
    def fail(row: Row) -> dict[str, Value]:
        if row["name"] == "N7":
            raise ValueError(row["name"])
        return lower(row)

    for _ in range(2):
        with pytest.raises(MigrationError) as caught:
            apply(new_database, [MAKE, step(fail)])
        assert str(caught.value) == "0002_fill failed: ValueError for the row 0007"
        assert caught.value.__cause__ is None
        assert keys(database)[:6] == expected(range(6))

    assert apply(new_database, [MAKE, step(lower, "corrected")]) == ["applied 0002_fill"]
    assert keys(database) == expected(range(10))


def test_rejected_value_fails_the_step(database: Database, new_database: Connect) -> None:
    too_long = step(lambda _: {"name_key": "x" * 21})

    with pytest.raises(MigrationError, match="0002_fill failed: MySQL error 1406"):
        apply(new_database, [MAKE, too_long])
    assert keys(database)[0] == "old N0"


def test_row_whose_new_value_is_in_use_keeps_its_value(
    database: Database, new_database: Connect
) -> None:
    insert(database, 10, "n2")
    insert(database, 11, "After")

    said = apply(new_database, [MAKE, FILL])

    assert said == [
        "0002_fill: another row has the new name_key of 000a, kept the old",
        "applied 0002_fill",
    ]
    assert keys(database) == [*expected(range(10)), "old n2", "after"]


def test_other_columns_are_filled_if_a_unique_value_is_in_use(
    database: Database, new_database: Connect
) -> None:
    add = Migration("0002_add", "ALTER TABLE a ADD COLUMN other VARCHAR(20) NULL")
    both = step(lambda row: {**lower(row), "other": row["name"]}, name="0003_fill")
    insert(database, 10, "n2")

    apply(new_database, [MAKE, add, both])

    others = database.fetch_all("SELECT other FROM a ORDER BY id")
    assert [row["other"] for row in others] == [*(f"N{number}" for number in range(10)), "n2"]


def test_changed_file_of_an_applied_step_is_an_error(new_database: Connect) -> None:
    apply(new_database, [MAKE, FILL])

    with pytest.raises(MigrationError, match=r"0002_fill\.py was changed after it was applied"):
        apply(new_database, [MAKE, step(lower, "changed")])


def test_long_step_keeps_the_lock(
    database: Database, new_database: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database
    monkeypatch.setattr(migrations, "LOCK_SECONDS", -1)
    lock = Recorded(new_database())

    migrations.apply(new_database(), lock, [MAKE, FILL], print)

    assert sum("FOR UPDATE NOWAIT" in sql for sql in lock.statements) >= 2 + 4


def test_statements_are_portable_and_short_enough(
    database: Database, new_database: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for number in range(100, 200):
        insert(database, number, f"N{number}")
    recorded = Recorded(new_database())

    migrations.apply(recorded, new_database(), [MAKE, FILL], print)

    assert {sql: refusal(sql) for sql in recorded.statements} == dict.fromkeys(recorded.statements)
    columns = [f"a_long_name_of_a_column_{n}" for n in range(6)]
    longest = filling._update_sql("customers", filling.ROWS, columns)
    assert len(changes.tagged("0007_fill" * 20, longest)) < MAX_STATEMENT_LENGTH


def test_progress_is_shown_on_terminals_only(
    database: Database, new_database: Connect, capfd: pytest.CaptureFixture[str]
) -> None:
    del database
    apply(new_database, [MAKE, FILL])

    assert capfd.readouterr().err == ""


DECLARATION = """
from migrations.filling import Fill
FILL = Fill("a", ("name",), lambda row: {"name_key": None})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_make.sql").write_text(MAKE.sql)
    (tmp_path / "__init__.py").touch()
    return tmp_path


def test_python_files_are_data_steps(folder: Path) -> None:
    (folder / "0002_fill.py").write_text(DECLARATION)

    first, second = migrations.read(folder)

    assert first == MAKE
    assert isinstance(second, DataStep)
    assert second[:2] == ("0002_fill", DECLARATION)
    assert second.fill[:2] == ("a", ("name",))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("0003_fill", DECLARATION, r"0003_fill\.py is number 2: name it 0002_<what it does>\.py"),
        ("0002_fill", "FILLS = 1", r"0002_fill\.py declares no FILL: see migrations/filling\.py"),
    ],
)
def test_invalid_python_file_raises_migration_error(
    folder: Path, name: str, text: str, message: str
) -> None:
    (folder / f"{name}.py").write_text(text)

    with pytest.raises(MigrationError, match=message):
        migrations.read(folder)
