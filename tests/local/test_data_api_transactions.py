"""Transactions: isolation, and every way in which they end."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from local.data_api.address import Address
from local.data_api.connections import Pool
from local.data_api.errors import TransactionNotFoundException
from local.data_api.transactions import ENDED, EXPIRED, REMEMBERED, Transactions
from local.database_server import DatabaseServer
from tests.local.data_api import ARNS, DataApi, connect, parameter, serving, wait_until

PATIENCE = 0.7
POOL = Pool(Address.parse("mysql://nobody:x@127.0.0.1/nowhere"), 1)
LOCK = "UPDATE notes SET n = 1 WHERE id = :id"


@pytest.fixture(scope="module")
def api(data_api: str) -> DataApi:
    return connect(data_api)


@pytest.fixture(scope="module")
def hasty(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DataApi]:
    """Run a server whose transactions expire after 0.7 s idle, or 3 s in total."""
    options = ["--transaction-idle-timeout", str(PATIENCE), "--transaction-timeout", "3"]
    with serving(database_server.url, tmp_path_factory.mktemp("hasty"), *options) as (url, _):
        yield connect(url)


@pytest.fixture(autouse=True)
def _notes(api: DataApi) -> None:
    api.execute("CREATE TABLE IF NOT EXISTS notes (id INT PRIMARY KEY, n INT NOT NULL DEFAULT 0)")
    api.execute("DELETE FROM notes")
    api.execute("INSERT INTO notes (id) VALUES (1), (2)")


def count(api: DataApi) -> int:
    return int(api.value("SELECT COUNT(*) FROM notes")["longValue"])


def test_commit_makes_changes_visible(api: DataApi) -> None:
    """Other sessions see a transaction's changes after its commit, not before."""
    transaction = api.begin()
    api.execute("INSERT INTO notes (id) VALUES (3)", transactionId=transaction)
    assert count(api) == 2
    assert api.commit(transaction) == "Transaction Committed"
    assert count(api) == 3


def test_rollback_undoes_changes(api: DataApi) -> None:
    """A rollback undoes the transaction's changes."""
    transaction = api.begin()
    api.execute("DELETE FROM notes", transactionId=transaction)
    api.batch("INSERT INTO notes (id) VALUES (3)", [[]], transactionId=transaction)
    assert api.rollback(transaction) == "Rollback Complete"
    assert count(api) == 2


def test_error_leaves_the_transaction_open(api: DataApi) -> None:
    """A failing statement undoes only itself."""
    transaction = api.begin()
    api.execute("INSERT INTO notes (id) VALUES (3)", transactionId=transaction)
    for sql in ("INSERT INTO notes (id) VALUES (4), (4)", "SELEC 1", "SELECT :nobody"):
        with pytest.raises(api.errors.ClientError):
            api.execute(sql, transactionId=transaction)
    api.commit(transaction)
    assert count(api) == 3


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_ended_transaction_is_not_found(api: DataApi, end: str) -> None:
    """An ended transaction is not found, by any operation."""
    transaction = api.begin()
    getattr(api, end)(transaction)
    calls = (
        lambda: api.commit(transaction),
        lambda: api.rollback(transaction),
        lambda: api.execute("SELECT 1", transactionId=transaction),
        lambda: api.batch("DELETE FROM notes", [[]], transactionId=transaction),
    )
    for call in calls:
        with pytest.raises(api.errors.TransactionNotFoundException, match="termination") as caught:
            call()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert count(api) == 2


def test_unknown_transaction_is_not_found(api: DataApi) -> None:
    """An unknown id is reported as expired, as in AWS."""
    with pytest.raises(
        api.errors.TransactionNotFoundException,
        match=r"^.*Transaction x is not found\. Transaction may be expired\.$",
    ):
        api.execute("SELECT 1", transactionId="x")


def test_transaction_of_another_cluster_is_not_found(api: DataApi) -> None:
    """Another cluster does not know the transaction, which continues."""
    transaction = api.begin()
    elsewhere = {**ARNS, "resourceArn": ARNS["resourceArn"] + "-2"}
    for call in (api.client.commit_transaction, api.client.rollback_transaction):
        with pytest.raises(api.errors.TransactionNotFoundException, match="may be expired"):
            call(**elsewhere, transactionId=transaction)
    with pytest.raises(api.errors.TransactionNotFoundException):
        api.client.execute_statement(**elsewhere, sql="SELECT 1", transactionId=transaction)
    api.execute("DELETE FROM notes", transactionId=transaction)
    api.commit(transaction)
    assert count(api) == 0


def test_ddl_commits_implicitly(api: DataApi) -> None:
    """DDL in a transaction commits the statements before it."""
    transaction = api.begin()
    api.execute("INSERT INTO notes (id) VALUES (3)", transactionId=transaction)
    api.execute("CREATE TABLE IF NOT EXISTS more_notes (id INT)", transactionId=transaction)
    api.rollback(transaction)
    assert count(api) == 3


def test_concurrent_call_in_transaction_is_rejected(api: DataApi) -> None:
    """While a transaction runs a query, another call on it is rejected without waiting."""
    transaction, other = api.begin(), api.begin()
    api.execute("SELECT GET_LOCK('busy', 0)", transactionId=other)

    def wait() -> None:
        api.execute("SELECT GET_LOCK('busy', 40)", transactionId=transaction)

    waiter = threading.Thread(target=wait)
    waiter.start()
    wait_until(lambda: api.sessions("info LIKE '%busy%'"))
    with pytest.raises(api.errors.DatabaseErrorException, match=r"is still running a query$"):
        api.execute("SELECT 1", transactionId=transaction)
    with pytest.raises(api.errors.DatabaseErrorException, match=r"is still running a query$"):
        api.commit(transaction)
    assert waiter.is_alive()
    api.execute("SELECT RELEASE_LOCK('busy')", transactionId=other)
    waiter.join()
    api.execute("SELECT RELEASE_LOCK('busy')", transactionId=transaction)
    api.commit(transaction)
    api.rollback(other)


def test_transaction_rejects_another_database(api: DataApi) -> None:
    """A call may repeat the transaction's database, but not name another."""
    transaction = api.begin()
    api.execute("SELECT 1", transactionId=transaction)
    with pytest.raises(api.errors.BadRequestException, match="Database name"):
        api.execute("SELECT 1", transactionId=transaction, database="customers")
    api.rollback(transaction)


def test_lock_wait_timeout_leaves_the_transaction_open(api: DataApi) -> None:
    """Error 1205 is MySQL's, and undoes only its statement."""
    first, second = api.begin(), api.begin()
    api.execute("UPDATE notes SET n = 1 WHERE id = 1", transactionId=first)
    api.execute("UPDATE notes SET n = 1 WHERE id = 2", transactionId=second)
    with pytest.raises(api.errors.DatabaseErrorException, match="1205; SQLState: HY000"):
        api.execute("UPDATE notes SET n = 2 WHERE id = 1", transactionId=second)
    api.rollback(first)
    api.commit(second)
    assert api.value("SELECT SUM(n) FROM notes") == {"stringValue": "1"}


def test_deadlock_aborts_the_transaction(patient_data_api: str) -> None:
    """A deadlock's victim is rolled back, and its later statements store nothing."""
    api = connect(patient_data_api)
    transactions = [api.begin(), api.begin()]
    victims: list[str] = []
    for own, transaction in enumerate(transactions, start=1):
        api.execute(LOCK, [parameter("id", longValue=own)], transactionId=transaction)

    def lock_other(transaction: str, other: int) -> None:
        try:
            api.execute(LOCK, [parameter("id", longValue=other)], transactionId=transaction)
        except api.errors.DatabaseErrorException as error:
            if "Error code: 1213; SQLState: 40001" in str(error):
                victims.append(transaction)

    threads = [
        threading.Thread(target=lock_other, args=(transaction, other))
        for transaction, other in zip(transactions, (2, 1), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (victim,) = victims
    with pytest.raises(api.errors.TransactionNotFoundException, match="aborted due to an error"):
        api.execute("DELETE FROM notes", transactionId=victim)
    for transaction in set(transactions) - {victim}:
        api.commit(transaction)
    assert count(api) == 2


def test_oversized_result_aborts_the_transaction(api: DataApi) -> None:
    """After a response that was too large, the transaction is aborted."""
    transaction = api.begin()
    api.execute("DELETE FROM notes", transactionId=transaction)
    with pytest.raises(api.errors.UnsupportedResultException):
        api.execute("SELECT REPEAT('x', 2000000)", transactionId=transaction)
    with pytest.raises(api.errors.TransactionNotFoundException, match="aborted"):
        api.commit(transaction)
    assert count(api) == 2


def test_idle_transaction_is_rolled_back(hasty: DataApi) -> None:
    """An unused transaction releases its locks, and is then reported as expired."""
    transaction = begin_with(hasty, "DELETE FROM notes")
    wait_until(lambda: is_unlocked(hasty))
    with pytest.raises(hasty.errors.TransactionNotFoundException, match="may be expired"):
        hasty.commit(transaction)
    hasty.execute("UPDATE notes SET n = 5 WHERE id = 1")
    assert count(hasty) == 2


def begin_with(api: DataApi, sql: str) -> str:
    """Begin a transaction with a statement. On a busy machine, it may expire before that."""
    while True:
        transaction = api.begin()
        with suppress(api.errors.TransactionNotFoundException):
            api.execute(sql, transactionId=transaction)
            return transaction


def is_unlocked(api: DataApi) -> bool:
    """Whether no transaction has locked the first note."""
    try:
        api.execute("UPDATE notes SET n = 4 WHERE id = 1")
    except api.errors.DatabaseErrorException:
        return False
    return True


def test_used_transaction_expires_in_the_end(hasty: DataApi) -> None:
    """The total time remains, although each call restarts the idle timeout."""
    transaction = begin_with(hasty, "SELECT 1")

    def use() -> None:
        while True:
            hasty.execute("SELECT 1", transactionId=transaction)

    with pytest.raises(hasty.errors.TransactionNotFoundException, match="may be expired"):
        use()


def test_used_transaction_does_not_expire_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call restarts the idle timeout, and a running call is not idle."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: sum(now))
    transactions = Transactions(POOL, limit=1, idle=10, total=100)
    transaction = transactions.open("here", "nowhere")
    for is_running in (True, False, True, False):
        now.append(30 if is_running else 9)
        transactions.expire()
        if is_running:
            transactions.release(transaction)
        else:
            transactions.claim(transaction.id, "here", None)
    transactions.release(transaction)
    now.append(11)
    transactions.expire()
    with pytest.raises(TransactionNotFoundException, match=EXPIRED):
        transactions.claim(transaction.id, "here", None)


def test_only_the_latest_ends_are_remembered() -> None:
    """In a long-running server, only these records are kept; others count as expired."""
    transactions = Transactions(POOL, limit=1, idle=1, total=1)
    begun = [transactions.open("here", "nowhere")]
    for _ in range(REMEMBERED):
        transactions.end(begun[-1], ENDED)
        begun.append(transactions.open("here", "nowhere"))
    transactions.end(begun[-1], ENDED)
    for transaction, cause in ((begun[0], EXPIRED), (begun[1], ENDED), (begun[-1], ENDED)):
        with pytest.raises(TransactionNotFoundException, match=cause):
            transactions.claim(transaction.id, "here", None)


def test_empty_database_name_selects_the_default(api: DataApi) -> None:
    """An empty name selects the database in the server's URL."""
    transaction = api.begin(database="")
    value = api.value("SELECT DATABASE()", database="customers", transactionId=transaction)
    assert value == {"stringValue": "customers"}
    api.rollback(transaction)


def test_abandoned_transactions_do_not_block_other_calls(api: DataApi) -> None:
    """The number of open transactions is limited, and other calls continue."""
    transactions = [api.begin() for _ in range(64)]
    with pytest.raises(
        api.errors.DatabaseErrorException, match="Error code: 1040; SQLState: 08004"
    ):
        api.begin()
    assert api.value("SELECT 1") == {"longValue": 1}
    for transaction in transactions:
        api.rollback(transaction)
    api.rollback(api.begin())
