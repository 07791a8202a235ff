"""Errors: botocore raises each as its own class, with its status and message."""

import threading
from contextlib import closing
from io import BytesIO
from typing import Any

import botocore.session
import pymysql
import pytest
import requests
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from local import engines
from local.data_api import errors, statements
from local.data_api.address import Address
from local.data_api.connections import Connection
from local.data_api.results import Shape
from local.data_api.server import error_response
from local.data_api.service import Limits
from local.database_server import DatabaseServer
from tests.local.data_api import (
    DataApi,
    connect,
    parameter,
    wait_until,
)

ENGINE = engines.selected()
CHECK_VIOLATED = {
    "mariadb": "Error code: 4025; SQLState: 23000",
    "mysql": "Error code: 3819; SQLState: HY000",
}
MODEL = botocore.session.get_session().get_service_model("rds-data")
MODELLED = [
    shape
    for shape in map(MODEL.shape_for, MODEL.shape_names)
    if getattr(shape, "metadata", {}).get("exception")
]


@pytest.fixture(scope="module")
def api(data_api: str) -> DataApi:
    return connect(data_api)


@pytest.fixture(scope="module")
def impatient(impatient_data_api: str) -> DataApi:
    """Return a client of a server with a short timeout. Tests prepare and check with `api`."""
    return connect(impatient_data_api)


def test_timed_out_batch_is_rolled_back(impatient: DataApi, api: DataApi) -> None:
    """The timeout may pass between two parameter sets, when there is no query to kill."""
    api.create("batched (id INT, later VARCHAR(40))")
    sets = [[parameter("id", longValue=number)] for number in range(20_000)]
    with pytest.raises(impatient.errors.StatementTimeoutException):
        impatient.batch("INSERT INTO batched SELECT :id + SLEEP(0.0001), REPEAT('x', 40)", sets)
    wait_until(lambda: not api.sessions("info LIKE '%batched%'"))
    assert api.value("SELECT COUNT(*) FROM batched") == {"longValue": 0}


def test_comments_before_a_duplicate_take_linear_time(api: DataApi) -> None:
    """The search for the table's name has no exponential backtracking over comments."""
    api.create("commented (id INT PRIMARY KEY)")
    api.execute("INSERT INTO commented VALUES (1), (2)")
    update = "UPDATE commented a, commented b SET a.id = 2 WHERE a.id = 1"
    with pytest.raises(api.errors.DatabaseErrorException, match="1062"):
        api.execute("/**/" * 5_000 + update)


def test_unknown_path_is_not_redirected(api: DataApi) -> None:
    """A redirect would go to the Host header's host."""
    answer = requests.post(f"{api.url}/Execute/", json={}, timeout=60, allow_redirects=False)
    assert answer.status_code == 404
    assert answer.headers["x-amzn-ErrorType"] == "UnknownOperationException"


@pytest.mark.parametrize(
    ("sql", "ending"),
    [
        ("INSERT INTO unique_ids VALUES (1), (1)", "Error code: 1062; SQLState: 23000"),
        ("SELEC 1", "Error code: 1064; SQLState: 42000"),
        ("SELECT * FROM nowhere", "Error code: 1146; SQLState: 42S02"),
        ("INSERT INTO unique_ids VALUES (NULL)", "Error code: 1048; SQLState: 23000"),
        ("INSERT INTO unique_ids VALUES (99999999999)", "Error code: 1264; SQLState: 22003"),
        ("INSERT INTO unique_ids VALUES (0)", CHECK_VIOLATED[ENGINE.name]),
    ],
)
def test_database_error_ends_with_its_numbers(api: DataApi, sql: str, ending: str) -> None:
    """The message is the server's, and ends with code and SQLState."""
    api.execute("CREATE TABLE IF NOT EXISTS unique_ids (id INT PRIMARY KEY, CHECK (id > 0))")
    with pytest.raises(api.errors.DatabaseErrorException) as caught:
        api.execute(sql)
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["message"].endswith(ending)


@pytest.mark.parametrize(
    ("sql", "key"),
    [
        ("INSERT INTO uniques (id) VALUES (1)", "uniques.PRIMARY"),
        (
            "/* a */ -- b\n insert\nINTO `customers_data_api` . `uniques`(id, n) VALUES (9, 'b')",
            "uniques.n",
        ),
        ("INSERT uniques SELECT 9, 'for key ''x''', 0", "uniques.n"),
        ("UPDATE uniques SET id = 1 WHERE id = 2", "uniques.PRIMARY"),
        ("UPDATE customers_data_api.uniques AS u SET u.n = 'a' WHERE id = 2", "uniques.n"),
        ("ALTER TABLE uniques ADD UNIQUE k (m)", "uniques.k"),
        # The statement does not say which of the two it is, but MySQL does.
        (
            "UPDATE uniques AS u, uniques AS v SET v.n = 'a' WHERE v.id = 2",
            {"mariadb": "n", "mysql": "uniques.n"}[ENGINE.name],
        ),
    ],
)
def test_duplicate_key_error_names_its_table(api: DataApi, sql: str, key: str) -> None:
    """Error 1062 names the key as in MySQL 8, `table.key`, if the statement names the table."""
    api.create("uniques (id INT PRIMARY KEY, n CHAR(20) UNIQUE, m INT)")
    api.execute("INSERT INTO uniques VALUES (1, 'a', 0), (2, 'b', 0), (3, 'for key ''x''', 0)")
    with pytest.raises(api.errors.DatabaseErrorException) as caught:
        api.execute(sql)
    assert str(caught.value).endswith(f" for key '{key}'; Error code: 1062; SQLState: 23000")


@pytest.mark.parametrize("shape", MODELLED, ids=lambda shape: shape.name)
def test_botocore_parses_each_modelled_error(shape: Any) -> None:
    """Each exception of AWS's model is raised by botocore as its class, with status and fields."""
    kind = getattr(errors, shape.name)
    error = kind(7 if kind is errors.StatementTimeoutException else "It failed")
    answer = error_response(error)
    api = DataApi("http://127.0.0.1:1")

    def respond(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        content: Any = BytesIO(bytes(answer.body))
        content.stream = lambda: [content.read()]
        headers: Any = answer.headers
        return AWSResponse(request.url, answer.status_code, headers, content)

    api.client.meta.events.register("before-send.rds-data", respond)
    with pytest.raises(getattr(api.errors, shape.name)) as caught:
        api.execute("SELECT 1")
    response = caught.value.response
    assert caught.value.operation_name == "ExecuteStatement"
    assert (
        response["ResponseMetadata"]["HTTPStatusCode"]
        == (shape.metadata["error"]["httpStatusCode"])
    )
    assert set(shape.members) == set(response) - {"Error", "ResponseMetadata"}
    assert response["Error"]["Message"] == response.get("message", "")
    assert ("message" in shape.members) == (response["Error"]["Message"] == str(error))


@pytest.mark.engine("mariadb", reason="it has no statement whose result can't be decoded")
def test_unexpected_exception_is_an_internal_error(api: DataApi) -> None:
    """An internal error has no message, keeps the connection, and affects no later call."""
    # A text in another character set than the connection's can't be decoded.
    sql = "SET STATEMENT character_set_results = latin1 FOR SELECT 'é'"
    with pytest.raises(api.errors.InternalServerErrorException) as caught:
        api.execute(sql)
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert response["Error"]["Message"] == ""
    assert api.value("SELECT 'é'") == {"stringValue": "é"}
    transaction = api.begin()
    with pytest.raises(api.errors.InternalServerErrorException):
        api.execute(sql, transactionId=transaction)
    with pytest.raises(api.errors.TransactionNotFoundException, match="aborted"):
        api.commit(transaction)


def kill(api: DataApi, word: str) -> None:
    """Kill the connection whose statement contains a word."""
    condition = f"info LIKE '%{word}%' AND state LIKE '%sleep%'"
    wait_until(lambda: api.sessions(condition))
    ((session, *_),) = api.sessions(condition)
    api.execute(f"KILL {session['longValue']}")


def test_killed_connection_is_database_unavailable(api: DataApi) -> None:
    """The killed statement's client gets "not available"; the next call succeeds."""
    transaction = api.begin()
    calls: list[dict[str, Any]] = [{}, {"transactionId": transaction}]
    for members in calls:
        killer = threading.Thread(target=kill, args=(api, "killed"))
        killer.start()
        with pytest.raises(api.errors.DatabaseUnavailableException):
            api.execute("SELECT SLEEP(30), 'killed'", **members)
        killer.join()
        assert api.value("SELECT 1") == {"longValue": 1}
    with pytest.raises(api.errors.TransactionNotFoundException, match="aborted"):
        api.commit(transaction)


def test_unknown_database_is_a_database_error(api: DataApi) -> None:
    """MySQL's error says that a database does not exist, or is not accessible."""
    for database in ("customers_nowhere", "mysql"):
        with pytest.raises(api.errors.DatabaseErrorException, match="SQLState: 42000"):
            api.execute("SELECT 1", database=database)
        with pytest.raises(api.errors.DatabaseErrorException, match="SQLState: 42000"):
            api.begin(database=database)


def test_schema_parameter_is_rejected(api: DataApi) -> None:
    """`schema` is a ValidationException, which AWS's model does not contain."""
    with pytest.raises(api.errors.ClientError) as caught:
        api.execute("SELECT 1", schema="customers")
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The schema parameter isn't supported",
    }


def test_default_timeouts_are_aws() -> None:
    """By default, a statement may take 45 s, and a transaction 3 min and 24 h."""
    assert Limits(statement=45, transaction_idle=180, transaction_total=86_400) == Limits()


def test_statement_beyond_its_timeout_is_killed(impatient: DataApi, api: DataApi) -> None:
    """After the timeout the client gets a response, and the statement no longer runs."""
    with pytest.raises(impatient.errors.StatementTimeoutException) as caught:
        impatient.execute("SELECT SLEEP(30), 'too long'")
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["dbConnectionId"] > 0
    assert not api.sessions("info LIKE '%too long%'")
    # A late kill must not hit another call's statement.
    assert impatient.value("SELECT CONNECTION_ID()") != {"longValue": response["dbConnectionId"]}


def test_statement_beyond_its_timeout_is_rolled_back(impatient: DataApi, api: DataApi) -> None:
    """A killed change is undone, and its transaction is aborted."""
    api.create("slow_ids (id INT PRIMARY KEY)")
    transaction = impatient.begin()
    impatient.execute("INSERT INTO slow_ids VALUES (1)", transactionId=transaction)
    with pytest.raises(impatient.errors.StatementTimeoutException):
        impatient.execute("INSERT INTO slow_ids SELECT 2 + SLEEP(9)", transactionId=transaction)
    with pytest.raises(impatient.errors.TransactionNotFoundException, match="aborted"):
        impatient.commit(transaction)
    assert api.value("SELECT COUNT(*) FROM slow_ids") == {"longValue": 0}


def test_batch_stops_at_its_timeout(database_server: DatabaseServer) -> None:
    """KILL QUERY only ends running statements, so a batch must check the time between sets."""
    connection = Connection(Address.parse(database_server.url), "customers")
    connection.expired = True
    with pytest.raises(errors.StatementTimeoutException):
        statements.execute(connection, "SELECT 1", {}, Shape())
    connection.discard()


def test_commit_beyond_its_timeout_is_not_killed(
    impatient: DataApi, api: DataApi, database_server: DatabaseServer
) -> None:
    """If killed, its outcome would be unknown."""
    api.create("late_commits (id INT)")
    transaction = impatient.begin()
    impatient.execute("INSERT INTO late_commits VALUES (1)", transactionId=transaction)
    socket = str(database_server.directory / "data" / "server.sock")
    user = database_server.engine.administrator
    with closing(pymysql.connect(unix_socket=socket, user=user)) as root:
        root.query("FLUSH TABLES WITH READ LOCK")  # every commit waits for this lock
        with pytest.raises(impatient.errors.StatementTimeoutException):
            impatient.commit(transaction)
    wait_until(lambda: api.value("SELECT COUNT(*) FROM late_commits") == {"longValue": 1})


def test_statement_with_continue_after_timeout_completes(impatient: DataApi, api: DataApi) -> None:
    """With continueAfterTimeout, the client gets its timeout, and the statement completes."""
    api.create("late_ids (id INT PRIMARY KEY)")
    holder = api.begin()
    api.execute("SELECT GET_LOCK('late', 0)", transactionId=holder)
    late = "INSERT INTO late_ids SELECT 1 + GET_LOCK('late', 60)"
    with pytest.raises(impatient.errors.StatementTimeoutException):
        impatient.execute(late, continueAfterTimeout=True)
    assert api.value("SELECT COUNT(*) FROM late_ids") == {"longValue": 0}
    api.execute("SELECT RELEASE_LOCK('late')", transactionId=holder)
    wait_until(lambda: api.value("SELECT COUNT(*) FROM late_ids") == {"longValue": 1})
    api.rollback(holder)
