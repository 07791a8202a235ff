"""The database interface: both implementations, with a real server."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TypeVar

import pymysql
import pytest

from chalicelib import connections
from chalicelib.database import (
    Database,
    DatabaseError,
    DatabaseResuming,
    DatabaseThrottled,
    DatabaseUnavailable,
    Deadlock,
    DuplicateKey,
    LockTimeout,
    StatementFailed,
    StatementNotBegun,
    StatementRolledBack,
    StatementTimeout,
    StatementTooLong,
    Value,
    boto,
    clients,
    connect,
    error_for,
    mysql,
    retries,
)
from chalicelib.settings import DATA_API_CLIENTS, Settings, SettingsError
from local.database_server import DatabaseServer
from tests.conftest import PATIENCE

T = TypeVar("T")
Connect = Callable[[], Database]

COLUMNS = {
    "a_bigint": "BIGINT",
    "an_unsigned_bigint": "BIGINT UNSIGNED",
    "a_version": "INT UNSIGNED",
    "a_boolean": "BOOLEAN",
    "a_double": "DOUBLE",
    "a_decimal": "DECIMAL(20, 4)",
    "a_text": "VARCHAR(500)",
    "a_long_text": "LONGTEXT",
    "an_id": "BINARY(16)",
    "a_blob": "LONGBLOB",
    "a_date": "DATE",
    "a_time": "DATETIME(6)",
    "a_document": "JSON",
}


@pytest.fixture(params=DATA_API_CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    """Select each client of the Data API."""
    return str(request.param)


@pytest.fixture(params=[*DATA_API_CLIENTS, "mysql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_database(
    backend: str, database_server: DatabaseServer, request: pytest.FixtureRequest
) -> Connect:
    """Return a function that opens another connection to the same database."""
    if backend == "mysql":
        return lambda: connect(Settings(database_url=database_server.url))
    endpoint = request.getfixturevalue("data_api")
    return lambda: connect(Settings(endpoint_url=endpoint, data_api_client=backend))


@pytest.fixture
def database(new_database: Connect) -> Iterator[Database]:
    """Yield a database with an empty table, `things`."""
    database = new_database()
    columns = ", ".join(f"{name} {kind} NULL" for name, kind in COLUMNS.items())
    database.execute("DROP TABLE IF EXISTS things")
    database.execute(f"CREATE TABLE things (id INT NOT NULL PRIMARY KEY, {columns})")
    yield database
    database.execute("DROP TABLE things")


@pytest.fixture
def administrator(
    database_server: DatabaseServer,
) -> Iterator["pymysql.Connection[pymysql.cursors.Cursor]"]:
    arguments = mysql.connection_arguments(database_server.url)
    with pymysql.connect(**arguments) as connection:
        yield connection


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("a_bigint", 0),
        ("a_bigint", 2**63 - 1),
        ("a_bigint", -(2**63)),
        ("an_unsigned_bigint", 2**53 + 1),
        ("an_unsigned_bigint", 2**64 - 1),
        ("a_version", 2**32 - 1),
        ("a_boolean", True),
        ("a_boolean", False),
        ("a_double", 0.1),
        ("a_double", -1.7976931348623157e308),
        ("a_decimal", Decimal("1234567890123456.7800")),
        ("a_decimal", Decimal("-0.0001")),
        ("a_text", ""),
        ("a_text", 'Zoë O\'Neil \\ "100%" :name %s {x} `y` ; -- z'),
        ("a_text", "👩🏽‍🚀 👨‍👩‍👧 𝕳𝖎"),
        ("a_text", "e\u0301 combining, שָׁלוֹם and مرحبا right to left"),
        ("a_text", "line one\nline two\r\n\ttab\x00zero\x1acontrol-z"),
        ("a_text", "   kept   "),
        ("a_long_text", "ß" * 70_000),
        ("an_id", bytes(range(16))),
        ("an_id", b"\\'\"%\x00:name\xff" + bytes(5)),
        ("a_blob", bytes(range(256)) * 200),
        ("a_blob", b""),
        ("a_date", date(2024, 2, 29)),
        ("a_time", datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("a_time", datetime(1970, 1, 1, tzinfo=UTC)),
        ("a_time", datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)),
        ("a_document", '{"a": "it\'s \\"quoted\\" 🙂", "b": [1, null]}'),
        *[(column, None) for column in COLUMNS],
    ],
)
@pytest.mark.exhaustive
def test_stored_value_is_returned_unchanged(database: Database, column: str, value: Value) -> None:
    """A value of each type that customers use is stored, found and returned exactly."""
    database.execute(f"INSERT INTO things (id, {column}) VALUES (1, :value)", value=value)

    row = database.fetch_one(f"SELECT {column} FROM things WHERE {column} <=> :value", value=value)

    if isinstance(value, float) or column == "a_document":  # MySQL compares JSON with no text
        row = row or database.fetch_one(f"SELECT {column} FROM things")
    assert row == {column: value}
    assert type(value) is type(row[column])
    if isinstance(value, Decimal):
        assert str(value) == str(row[column])


def test_time_in_another_zone_is_stored_in_utc(database: Database) -> None:
    there = datetime(2026, 6, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    database.execute("INSERT INTO things (id, a_time) VALUES (1, :there)", there=there)

    row = database.fetch_one("SELECT a_time, CAST(a_time AS CHAR) AS text FROM things")
    assert row == {
        "a_time": datetime(2026, 5, 31, 23, 30, tzinfo=UTC),
        "text": "2026-05-31 23:30:00.000000",
    }


def test_session_is_in_utc_regardless_of_the_server(database: Database) -> None:
    row = database.fetch_one("SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW()) AS minutes")

    assert row == {"minutes": 0}


def test_rows_are_ordered_dicts_by_column_name(database: Database) -> None:
    for number in (2, 1, 3):
        database.execute("INSERT INTO things (id, a_text) VALUES (:n, 'x')", n=number)

    rows = database.fetch_all("SELECT id AS number, a_text FROM things ORDER BY id DESC")

    assert rows == [{"number": number, "a_text": "x"} for number in (3, 2, 1)]
    assert database.fetch_one("SELECT id FROM things ORDER BY id") == {"id": 1}


def test_query_without_rows_returns_empty_list_and_none(database: Database) -> None:
    assert database.fetch_all("SELECT * FROM things") == []
    assert database.fetch_one("SELECT * FROM things") is None


def test_execute_counts_matched_rows_even_if_unchanged(database: Database) -> None:
    database.execute("INSERT INTO things (id, a_text) VALUES (1, 'x'), (2, 'x'), (3, 'y')")

    assert database.execute("UPDATE things SET a_text = 'x' WHERE a_text = 'x'") == 2
    assert database.execute("UPDATE things SET a_text = 'x' WHERE id = 9") == 0
    assert database.execute_guarded("UPDATE things SET a_text = 'x' WHERE id <= 2") == 2
    assert database.execute("DELETE FROM things") == 3


def test_parameter_is_replaced_except_in_literals(database: Database) -> None:
    row = database.fetch_one(
        "SELECT :a AS one, ':a' AS two, \"%(a)s :a\" AS three, 7 % 4 AS four /* :a */, :a AS five"
        " -- :b",
        a="%s",
    )

    assert row == {"one": "%s", "two": ":a", "three": "%(a)s :a", "four": 3, "five": "%s"}


def test_duplicate_key_raises_duplicate_key(database: Database) -> None:
    database.execute("INSERT INTO things (id, a_text) VALUES (1, 'ada@example.com')")

    with pytest.raises(DuplicateKey) as caught:
        database.execute("INSERT INTO things (id, a_text) VALUES (1, 'ada@example.com')")

    assert caught.value.code == 1062
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("sql", "code"),
    [("SELECT 'ada@example.com' FROM nowhere", 1146), ("SELEKT 'ada@example.com'", 1064)],
)
def test_failed_statement_hides_the_servers_message(
    database: Database, sql: str, code: int
) -> None:
    with pytest.raises(StatementFailed) as caught:
        database.fetch_all(sql)

    assert caught.value.code == code
    assert "ada" not in repr(caught.value)
    assert caught.value.__suppress_context__


def test_too_long_statement_raises_statement_too_long(database: Database) -> None:
    longest = "SELECT 1 AS one /* {} */"
    filler = "x" * (65_536 - len(longest) + 2)

    assert database.fetch_one(longest.format(filler)) == {"one": 1}
    with pytest.raises(StatementTooLong):
        database.fetch_one(longest.format(filler + "x"))


@pytest.mark.usefixtures("one_attempt")
def test_long_held_lock_raises_lock_timeout(database: Database, new_database: Connect) -> None:
    database.execute("INSERT INTO things (id) VALUES (1)")
    other = new_database()

    with database.transaction() as holder:
        holder.execute("UPDATE things SET a_text = 'mine' WHERE id = 1")
        with pytest.raises(LockTimeout) as caught:
            run_in_thread(lambda: other.execute("UPDATE things SET a_text = '' WHERE id = 1"))

    assert caught.value.retry_after == 1
    assert database.fetch_one("SELECT a_text FROM things") == {"a_text": "mine"}


@pytest.fixture
def patient(
    backend: str,
    database_server: DatabaseServer,
    patient_data_api: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Connect:
    """Return a function that connects with sessions that wait long for a lock."""
    monkeypatch.setattr(mysql, "_LOCK_LIMIT", f"innodb_lock_wait_timeout = {PATIENCE}")
    if backend == "mysql":
        return lambda: connect(Settings(database_url=database_server.url))
    return lambda: database_at(patient_data_api, backend)


def test_deadlock_raises_in_one_transaction_only(database: Database, patient: Connect) -> None:
    database.execute("INSERT INTO things (id, a_bigint) VALUES (1, 0), (2, 0)")
    both_hold_one = threading.Barrier(2, timeout=60)
    outcomes: list[type[BaseException] | None] = []

    def add_in_order(first: int, second: int) -> None:
        try:
            with patient().transaction() as transaction:
                transaction.execute("UPDATE things SET a_bigint = 1 WHERE id = :id", id=first)
                both_hold_one.wait()
                transaction.execute("UPDATE things SET a_bigint = 1 WHERE id = :id", id=second)
            outcomes.append(None)
        except DatabaseError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=add_in_order, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(outcomes) == {None, Deadlock}


def test_transaction_commits_at_its_end(database: Database, new_database: Connect) -> None:
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO things (id) VALUES (1)")
        transaction.execute("INSERT INTO things (id) VALUES (2)")
        assert run_in_thread(lambda: new_database().fetch_all("SELECT id FROM things")) == []

    assert database.fetch_all("SELECT id FROM things") == [{"id": 1}, {"id": 2}]


def test_transaction_rolls_back_on_an_exception(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO things (id) VALUES (1)")
            raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        fail()

    assert database.fetch_all("SELECT id FROM things") == []


def test_transaction_continues_after_a_duplicate_key(database: Database) -> None:
    database.execute("INSERT INTO things (id) VALUES (1)")

    with database.transaction() as transaction:
        with pytest.raises(DuplicateKey):
            transaction.execute("INSERT INTO things (id) VALUES (1)")
        transaction.execute("INSERT INTO things (id) VALUES (2)")

    assert database.fetch_all("SELECT id FROM things") == [{"id": 1}, {"id": 2}]


@pytest.mark.usefixtures("one_attempt")
def test_long_data_api_statement_raises_statement_timeout(
    impatient_data_api: str, data_api: str, client: str
) -> None:
    with pytest.raises(StatementTimeout) as caught:
        database_at(impatient_data_api, client).fetch_one("SELECT SLEEP(20)")

    assert caught.value.retry_after == 2
    assert database_at(data_api, client).fetch_one("SELECT 1 AS one") == {"one": 1}


@pytest.mark.usefixtures("one_attempt")
def test_long_mysql_statement_raises_statement_timeout(
    database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = connect(Settings(database_url=database_server.url))
    database.ping()
    with monkeypatch.context() as impatient:
        impatient.setattr(retries, "ATTEMPT_SECONDS", 1)
        with pytest.raises(StatementTimeout) as caught:
            database.fetch_one("SELECT SLEEP(20)")

    assert caught.value.retry_after == 2
    assert database.fetch_one("SELECT 1 AS one") == {"one": 1}


def test_lost_connection_is_reopened(
    database: Database, administrator: "pymysql.Connection[pymysql.cursors.Cursor]"
) -> None:
    kill_connection_of(database, administrator)

    with suppress(DatabaseUnavailable):
        database.fetch_one("SELECT 1 AS one")

    assert database.fetch_one("SELECT 1 AS one") == {"one": 1}


def test_mysql_connection_lost_while_idle_is_replaced_silently(
    database_server: DatabaseServer,
    administrator: "pymysql.Connection[pymysql.cursors.Cursor]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mysql, "IDLE_SECONDS", 0)
    database = connect(Settings(database_url=database_server.url))

    kill_connection_of(database, administrator)

    assert database.fetch_one("SELECT 1 AS one") == {"one": 1}


def test_transaction_with_lost_connection_is_rolled_back(
    database: Database, administrator: "pymysql.Connection[pymysql.cursors.Cursor]"
) -> None:
    def lose() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO things (id) VALUES (1)")
            kill_connection_of(transaction, administrator)
            for number in (2, 3):
                with suppress(DatabaseUnavailable):
                    transaction.execute("INSERT INTO things (id) VALUES (:n)", n=number)

    with pytest.raises(DatabaseUnavailable):
        lose()

    with suppress(DatabaseUnavailable):
        database.fetch_one("SELECT 1")
    assert database.fetch_all("SELECT id FROM things") == []


@pytest.mark.parametrize(
    "settings",
    [
        *[
            Settings(endpoint_url="http://127.0.0.1:1", data_api_client=client)
            for client in DATA_API_CLIENTS
        ],
        Settings(database_url="mysql://nobody:secret@127.0.0.1:1/customers"),
    ],
    ids=[*DATA_API_CLIENTS, "mysql"],
)
def test_unreachable_database_raises_database_unavailable(settings: Settings) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        connect(settings).fetch_one("SELECT 1")

    assert caught.value.retry_after == 2


@pytest.mark.parametrize("client", DATA_API_CLIENTS)
def test_error_says_how_to_start_the_local_stack(
    client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://127.0.0.1:1"
    monkeypatch.setattr(clients, "LOCAL_DATA_API", url)

    with pytest.raises(DatabaseUnavailable, match=f"{url} can't be reached: .*; `make stack`"):
        connect(Settings(endpoint_url=url, data_api_client=client)).fetch_one("SELECT 1")


def test_mysql_statement_sets_the_timeout_once_to_send_and_once_to_receive(
    database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time lets other threads take Python's lock, so more often is slow under load."""
    monkeypatch.setattr(mysql, "IDLE_SECONDS", 60)  # a ping sets it, too
    database = connect(Settings(database_url=database_server.url))
    database.fetch_one("SELECT 1")
    seconds: list[float | None] = []
    set_timeout = socket.socket.settimeout

    def record(self: socket.socket, value: float | None) -> None:
        seconds.append(value)
        set_timeout(self, value)

    monkeypatch.setattr(socket.socket, "settimeout", record)
    database.fetch_one("SELECT 1, 2, 3")

    assert len(seconds) == 2


def test_nested_transaction_is_rejected(database: Database) -> None:
    with (
        database.transaction() as transaction,
        pytest.raises(NotImplementedError),
        transaction.transaction(),
    ):
        pass


def test_mysql_statement_beside_open_transaction_is_rejected(
    database_server: DatabaseServer,
) -> None:
    database = connect(Settings(database_url=database_server.url))

    with database.transaction() as transaction:
        with pytest.raises(RuntimeError, match="use what it gave"):
            database.fetch_one("SELECT 1")
        with pytest.raises(RuntimeError, match="use what it gave"), database.transaction():
            pass
        assert transaction.fetch_one("SELECT 1 AS one") == {"one": 1}
    database.ping()


def test_attempts_end_before_the_gateways_timeout() -> None:
    config = vars(boto._CONFIG)
    assert config["connect_timeout"] + config["read_timeout"] < 29
    assert connections.CONNECT_SECONDS + retries.ATTEMPT_SECONDS < 29
    assert mysql.CONNECT_SECONDS + retries.ATTEMPT_SECONDS < 29


@pytest.mark.usefixtures("one_attempt")
@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        (500, "", "", DatabaseUnavailable),
        (502, "Content-Type: text/html\r\n", "<html>", DatabaseUnavailable),
        (503, "", "{}", DatabaseUnavailable),
        (504, "x-amzn-ErrorType: DatabaseUnavailableException\r\n", "{}", DatabaseUnavailable),
        (429, "x-amzn-ErrorType: TooManyRequestsException\r\n", "{}", DatabaseThrottled),
        (400, "x-amzn-ErrorType: ThrottlingException\r\n", "{}", DatabaseThrottled),
        (400, "x-amzn-ErrorType: DatabaseResumingException\r\n", "{}", DatabaseResuming),
        (400, "x-amzn-ErrorType: StatementTimeoutException\r\n", "{}", StatementTimeout),
        (400, "x-amzn-ErrorType: AccessDeniedException\r\n", '{"message":null}', StatementFailed),
        (
            400,
            "x-amzn-ErrorType: BadRequestException\r\n",  # version 1's format
            '{"message":"Database error code: 1062. Message: Duplicate entry"}',
            DuplicateKey,
        ),
        (
            400,
            "x-amzn-ErrorType: DatabaseErrorException\r\n",
            '{"message":"Too many connections; Error code: 1040; SQLState: 08004"}',
            StatementNotBegun,
        ),
    ],
)
def test_data_api_error_is_converted(  # noqa: PLR0913, PLR0917 (a table's columns)
    serve: Callable[[bytes], str],
    client: str,
    status: int,
    headers: str,
    body: str,
    error: type[DatabaseError],
) -> None:
    reply = f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"

    with pytest.raises(error) as caught:
        database_at(serve(reply.encode()), client).fetch_one("SELECT 1")

    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("error", "codes"),
    [
        (DuplicateKey, [1062]),
        (LockTimeout, [1205, 3572]),
        (StatementRolledBack, [1021, 1037, 1041, 1114, 1206, 1317, 1412, 1615, 1637, 1689, 3101]),
        (Deadlock, [1213]),
        (StatementTimeout, [1969, 3024]),
        (StatementNotBegun, [1040, 1135, 1203, 1226, 3032, 3168, 4031, 9501]),
        (StatementNotBegun, [2002, 2003, 2005, 2012]),
        (StatementNotBegun, [1290, 1836, 1874]),  # by a writer that has become a reader
        (DatabaseUnavailable, [1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 3169]),
        (DatabaseUnavailable, [2006, 2013, 2027, 2055]),
        (StatementFailed, [1064, 1142, 1146, 1406]),
    ],
)
def test_mysql_error_number_is_converted(error: type[DatabaseError], codes: list[int]) -> None:
    assert {type(error_for(code)) for code in codes} == {error}
    assert [error_for(code).code for code in codes] == codes


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], str]]:
    """Yield a function that serves one connection with the given bytes, and returns the URL."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def answer(reply: bytes) -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(reply)
                if not reply:
                    ended.wait(60)

        def start(reply: bytes) -> str:
            pool.submit(answer, reply)
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)  # ends `accept`, if the client has given up before


@pytest.mark.usefixtures("one_attempt")
def test_data_api_timeout_raises_statement_timeout(
    serve: Callable[[bytes], str], client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "ATTEMPT_SECONDS", 0.2)

    with pytest.raises(StatementTimeout):
        database_at(serve(b""), client).fetch_one("SELECT 1")


@pytest.mark.usefixtures("one_attempt")
@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{garbage}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",
        b"not even HTTP\r\n\r\n",
    ],
)
def test_malformed_data_api_response_raises_database_unavailable(
    serve: Callable[[bytes], str], client: str, reply: bytes
) -> None:
    with pytest.raises(DatabaseUnavailable):
        database_at(serve(reply), client).fetch_one("SELECT 1")


def database_at(url: str, client: str) -> Database:
    return connect(Settings(endpoint_url=url, data_api_client=client))


def test_missing_credentials_raise_statement_failed(
    client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    settings = Settings("arn:aws:rds:cluster", "arn:aws:secret", data_api_client=client)

    with pytest.raises(StatementFailed, match=r"[Cc]redentials"):
        connect(settings).fetch_one("SELECT 1")


def test_local_client_ignores_the_developers_aws_configuration(
    data_api: str, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    database_at(data_api, client).ping()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(endpoint_url="nonsense"), "Data API"),
        (Settings("arn:aws:rds:cluster", "arn:aws:secret"), "region"),
    ],
)
def test_invalid_aws_setting_is_explained(
    settings: Settings, client: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(SettingsError, match=said):
        connect(settings._replace(data_api_client=client))


def test_each_thread_has_its_own_connection(database_server: DatabaseServer) -> None:
    database = connect(Settings(database_url=database_server.url))

    def connection_id() -> Value:
        row = database.fetch_one("SELECT CONNECTION_ID() AS id")
        return row["id"] if row else None

    mine = connection_id()
    assert connection_id() == mine
    assert run_in_thread(connection_id) != mine


def test_invalid_url_is_a_settings_error_at_once() -> None:
    with pytest.raises(SettingsError, match="is of the form"):
        connect(Settings(database_url="mysql://a:pw@h"))


def test_unreadable_authority_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="tls_ca has no certificates"):
        mysql.connection_arguments("mysql://app@127.0.0.1/customers?tls_ca=/nowhere")


def kill_connection_of(
    database: Database, administrator: "pymysql.Connection[pymysql.cursors.Cursor]"
) -> None:
    row = database.fetch_one("SELECT CONNECTION_ID() AS id")
    assert row
    with administrator.cursor() as cursor:
        cursor.execute("KILL %s", (row["id"],))


def run_in_thread(work: Callable[[], T]) -> T:
    """Run in another thread, with its own connection. Return the result, or raise the exception."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(timeout=30)
