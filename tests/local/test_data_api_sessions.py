"""Sessions: no call sees the generated ids, counts or warnings of another client's call."""

from typing import Any

import pytest

from tests.local.data_api import DataApi, connect

READS = {
    "LAST_INSERT_ID()": 0,
    "@@last_insert_id": 0,
    "@@identity": 0,
    "ROW_COUNT()": -1,
    "FOUND_ROWS()": 0,
    "@@warning_count": 0,
    "/*! LAST_INSERT_ID() */ + 0": 0,
}


@pytest.fixture(scope="module")
def api(data_api: str) -> DataApi:
    return connect(data_api)


@pytest.fixture(autouse=True)
def _traces(api: DataApi) -> None:
    """Leave an id, counts and warnings behind in the session that the next call uses."""
    api.execute("DROP TABLE IF EXISTS traces")
    api.execute("CREATE TABLE traces (id INT AUTO_INCREMENT PRIMARY KEY, age INT)")
    api.execute("INSERT INTO traces (age) VALUES (1), (2)")
    api.execute("SELECT id FROM traces")
    api.execute("INSERT IGNORE INTO traces (age) VALUES ('x'), ('y')")


def test_consecutive_calls_share_a_session(api: DataApi) -> None:
    """Otherwise, the other tests would prove nothing."""
    session = api.value("SELECT CONNECTION_ID()")
    api.execute("INSERT INTO traces (age) VALUES (1)")
    assert api.value("SELECT CONNECTION_ID()") == session


def value(api: DataApi, expression: str, transaction: str | None) -> object:
    scope: dict[str, Any] = {"transactionId": transaction} if transaction else {}
    (number,) = api.value(f"SELECT {expression}", **scope).values()
    return number


@pytest.mark.parametrize(("expression", "expected"), READS.items())
def test_results_of_an_earlier_call_are_hidden(
    api: DataApi, expression: str, expected: int
) -> None:
    assert value(api, expression, None) == expected


@pytest.mark.parametrize("expression", ["LAST_INSERT_ID()", "FOUND_ROWS()", "@@warning_count"])
def test_results_of_an_earlier_call_are_hidden_from_a_transaction(
    api: DataApi, expression: str
) -> None:
    transaction = api.begin()
    assert value(api, expression, transaction) == 0
    api.rollback(transaction)


def test_warnings_of_an_earlier_call_are_hidden(api: DataApi) -> None:
    assert api.execute("SHOW WARNINGS")["records"] == []


def test_id_of_an_earlier_call_is_not_inserted(api: DataApi) -> None:
    insert = "INSERT INTO traces (age) VALUES (LAST_INSERT_ID())"
    api.execute(insert)
    api.batch(insert, [[]])
    assert api.value("SELECT SUM(age) FROM traces WHERE id > 4") == {"stringValue": "0"}


def test_transaction_sees_its_own_results(api: DataApi) -> None:
    transaction = api.begin()
    api.execute("INSERT INTO traces (id) VALUES (NULL)", transactionId=transaction)
    own = api.value("SELECT MAX(id) FROM traces", transactionId=transaction)
    assert api.value("SELECT LAST_INSERT_ID()", transactionId=transaction) == own
    api.rollback(transaction)
