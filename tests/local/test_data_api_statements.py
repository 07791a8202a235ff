"""Statements: parameters, AWS's result formats, and batches."""

import pytest

from local import engines
from tests.local.data_api import ARNS, DataApi, connect, parameter, wait_until


@pytest.fixture(scope="module")
def api(data_api: str) -> DataApi:
    return connect(data_api)


@pytest.fixture(autouse=True)
def _pets(api: DataApi) -> None:
    """Create an empty table `pets`: id, unique name, age."""
    api.create(
        "pets (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,"
        " name VARCHAR(20) NOT NULL UNIQUE, age INT NOT NULL DEFAULT 0)"
    )


def names(api: DataApi) -> list[str]:
    """Return the pets' names in order."""
    records = api.execute("SELECT name FROM pets ORDER BY name")["records"]
    return [name["stringValue"] for (name,) in records]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("':v'", ":v"),
        ("'it''s :v'", "it's :v"),
        (r"'\':v'", "':v"),
        ('":v"', ":v"),
        ("/* :v */ 'x'", "x"),
        ("'x' -- :v", "x"),
        ("'x' # :v", "x"),
        ("'100 % :v %s %(v)s %%'", "100 % :v %s %(v)s %%"),
        ("CONCAT(:v, ':v', :v)", "V:vV"),
        ("CASE WHEN 7 % 4 = 3 THEN :v END", "V"),
        ("DATE_FORMAT('2024-02-29', '%Y:%m:%d')", "2024:02:29"),
        ("@x := :v", "V"),
        ("@x:=:v", "V"),
        ("/*! ':v' */", ":v"),
        ("/* /* :v */ :v", "V"),
        ("\"it's\" ' \":v'", "it's \":v"),
        (":v AS `v:v`", "V"),
        (":v AS v FROM (SELECT ':v') AS `é:v`", "V"),
        ("'é:v' 'x'", "é:vx"),
        (":v--", "V"),
        (":v#", "V"),
    ],
)
def test_parameters_are_only_found_outside_literals(
    api: DataApi, expression: str, expected: str
) -> None:
    """A colon in a string or comment is no parameter, and `%` is an ordinary character."""
    value = parameter("v", stringValue="V")
    assert {"stringValue": expected} == api.value(f"SELECT {expression}", [value])


def test_colon_in_quoted_identifier_is_no_parameter(api: DataApi) -> None:
    """A colon in a quoted identifier is no parameter."""
    response = api.execute("SELECT 1 AS `a:v`", includeResultMetadata=True)
    assert response["columnMetadata"][0]["label"] == "a:v"


@pytest.mark.parametrize(
    "sql", ["SELECT 1::v", "SELECT :é", "SELECT : v", "SELECT 1 :=v", "SELECT :"]
)
def test_other_colons_reach_the_database(api: DataApi, sql: str) -> None:
    """Any other colon reaches the database, which rejects it."""
    near = sql[sql.index(":") :]
    with pytest.raises(api.errors.DatabaseErrorException, match=f"near '{near}'"):
        api.execute(sql, [parameter("v", longValue=1)])


def test_parameter_name_may_be_a_number_and_repeated(api: DataApi) -> None:
    """`:1` is a valid name, and every occurrence gets the value."""
    row = api.row("SELECT :1, :1", [parameter("1", longValue=5)])
    assert row == [{"longValue": 5}] * 2


def test_missing_parameter_is_named(api: DataApi) -> None:
    """A placeholder without a value is a BadRequestException with AWS's message."""
    with pytest.raises(api.errors.BadRequestException, match=r"Cannot find parameter: missing$"):
        api.execute("SELECT :v, :missing", [parameter("v", longValue=1)])


def test_unused_parameter_is_ignored(api: DataApi) -> None:
    """A value without a placeholder is ignored."""
    assert api.value("SELECT 1", [parameter("v", longValue=5)]) == {"longValue": 1}


def test_value_cannot_become_sql(api: DataApi) -> None:
    """Quotes and backslashes stay in the value, regardless of the session's escape mode."""
    text, data = r"\' OR 1=1 -- ", b"\\' OR 1=1 -- \x00\xff"
    values = [parameter("text", stringValue=text), parameter("data", blobValue=data)]
    expected = [{"stringValue": text}, {"blobValue": data}]
    api.execute("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'")
    assert expected == api.row("SELECT :text, :data", values)
    transaction = api.begin()
    api.execute("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'", transactionId=transaction)
    assert expected == api.row("SELECT :text, :data", values, transactionId=transaction)
    api.rollback(transaction)


def test_insert_returns_generated_fields(api: DataApi) -> None:
    """An INSERT returns its AUTO_INCREMENT id and its count, but no records."""
    api.execute("ALTER TABLE pets AUTO_INCREMENT = 41")
    response = api.execute("INSERT INTO pets (name) VALUES ('Rex')")
    assert response == {"generatedFields": [{"longValue": 41}], "numberOfRecordsUpdated": 1}


def test_update_counts_matched_rows(api: DataApi) -> None:
    """An UPDATE counts the matched rows, including unchanged ones."""
    api.execute("INSERT INTO pets (name) VALUES ('Rex'), ('Ada')")
    response = api.execute("UPDATE pets SET age = 0 WHERE name <> 'nobody'")
    assert response == {"generatedFields": [], "numberOfRecordsUpdated": 2}
    assert api.execute("UPDATE pets SET age = 1 WHERE FALSE")["numberOfRecordsUpdated"] == 0
    assert api.execute("DELETE FROM pets")["numberOfRecordsUpdated"] == 2


def test_select_returns_no_generated_fields(api: DataApi) -> None:
    """A SELECT returns records, even if empty, but no generatedFields."""
    expected = {"numberOfRecordsUpdated": 0, "records": []}
    assert expected == api.execute("SELECT * FROM pets")


def test_default_options_change_nothing(api: DataApi) -> None:
    """Options with their default values are accepted."""
    options = {"decimalReturnType": "STRING", "longReturnType": "LONG"}
    value = api.value(
        "SELECT 1", continueAfterTimeout=True, formatRecordsAs="NONE", resultSetOptions=options
    )
    assert value == {"longValue": 1}


@pytest.mark.parametrize(
    "sql", ["SELECT 1; SELECT 2", "SELECT 1;;SELECT 2", "SELECT 1; -- x\n DROP TABLE pets;"]
)
def test_several_statements_are_rejected(api: DataApi, sql: str) -> None:
    """Several statements are rejected with AWS's message."""
    with pytest.raises(api.client.exceptions.ClientError) as caught:
        api.execute(sql)
    error = caught.value.response["Error"]
    expected = ("ValidationException", "Multistatements aren't supported")
    assert expected == (error["Code"], error["Message"])


@pytest.mark.parametrize("sql", ["SELECT ';'", "SELECT ';';", "SELECT ';' ; \n", "SELECT ';' -- ;"])
def test_semicolon_in_literal_is_accepted(api: DataApi, sql: str) -> None:
    """A semicolon in a string, in a comment or at the end is accepted."""
    assert api.value(sql) == {"stringValue": ";"}


def test_batch_runs_once_per_parameter_set(api: DataApi) -> None:
    """A batch returns each set's generated fields."""
    sets = [[parameter("name", stringValue=name)] for name in ("Rex", "Ada")]
    sql = "INSERT INTO pets (name) VALUES (:name)"
    expected = [{"generatedFields": [{"longValue": number}]} for number in (1, 2)]
    assert expected == api.batch(sql, sets)
    assert names(api) == ["Ada", "Rex"]


def test_batch_with_empty_sets_does_nothing(api: DataApi) -> None:
    """A batch with an empty list of sets executes nothing."""
    assert api.batch("INSERT INTO pets (name) VALUES ('Rex')", []) == []
    assert api.batch("INSERT INTO pets (name) VALUES ('Ada')", [[]])
    assert names(api) == ["Ada"]


def test_parameter_sets_are_independent(api: DataApi) -> None:
    """Sets may have different parameters, but each needs every parameter of the statement."""
    sql = "INSERT INTO pets (name) VALUES (:name)"
    rex, unused = parameter("name", stringValue="Rex"), parameter("age", longValue=3)
    api.batch(sql, [[rex], [unused, parameter("name", stringValue="Ada")]])
    assert names(api) == ["Ada", "Rex"]
    tom = parameter("name", stringValue="Tom")
    for sets in ([[tom], [unused]], [[tom], []]):
        with pytest.raises(api.errors.BadRequestException, match="Cannot find parameter: name"):
            api.batch(sql, sets)
    assert names(api) == ["Ada", "Rex"]


def test_batch_without_parameter_sets_does_nothing(api: DataApi) -> None:
    """The field parameterSets may be missing, which equals an empty list."""
    answer = api.client.batch_execute_statement(**ARNS, sql="INSERT INTO pets VALUES ()")
    assert answer["updateResults"] == []


def test_failed_batch_in_transaction_keeps_earlier_sets(api: DataApi) -> None:
    """The sets before a failing one stay applied until the transaction commits or rolls back."""
    sql = "INSERT INTO pets (name) VALUES (:name)"
    sets = [[parameter("name", stringValue=name)] for name in ("Rex", "Rex", "Ada")]
    for end, expected in ((api.rollback, []), (api.commit, ["Rex"])):
        transaction = api.begin()
        with pytest.raises(api.errors.DatabaseErrorException):
            api.batch(sql, sets, transactionId=transaction)
        end(transaction)
        assert names(api) == expected


def test_batch_outside_transaction_is_atomic(api: DataApi) -> None:
    """Outside of a transaction, a failing set rolls back the sets before it."""
    sets = [[parameter("name", stringValue=name)] for name in ("Rex", "Rex")]
    with pytest.raises(api.errors.DatabaseErrorException):
        api.batch("INSERT INTO pets (name) VALUES (:name)", sets)
    assert names(api) == []


def test_failed_statement_is_rolled_back(api: DataApi) -> None:
    """A statement that fails at its second row has not stored the first."""
    with pytest.raises(api.errors.DatabaseErrorException):
        api.execute("INSERT INTO pets (name) VALUES ('Rex'), ('Rex')")
    assert names(api) == []


def test_session_state_does_not_leak_into_the_next_call(api: DataApi) -> None:
    """Changes by SET, USE and user variables are gone in the next call."""
    expected = api.row("SELECT @@sql_mode, DATABASE(), @x, @@autocommit")
    for sql in (
        "SET sql_mode = ''",
        "SET autocommit = 0",
        "USE information_schema",
        "SELECT @x := 1",
        "/* a comment */ SET @x = 1",
        "/*!50000 SET @x = 1 */",
        "SELECT 1 /*!, @x := 7 */",
        "SELECT 1 /*M!, @x := 7 */",
    ):
        api.execute(sql)
        assert expected == api.row("SELECT @@sql_mode, DATABASE(), @x, @@autocommit"), sql


def test_lock_is_released_after_its_call(api: DataApi) -> None:
    """A lock taken with GET_LOCK is released when its call ends."""
    assert api.value("SELECT GET_LOCK('leak', 0)") == {"longValue": 1}
    wait_until(lambda: api.value("SELECT IS_FREE_LOCK('leak')") == {"longValue": 1})


def test_session_state_of_a_transaction_does_not_leak(api: DataApi) -> None:
    """Changes by SET in a transaction are gone after its commit."""
    expected = api.value("SELECT @@sql_mode")
    transaction = api.begin()
    api.execute("SET sql_mode = ''", transactionId=transaction)
    api.execute("SELECT 1", transactionId=transaction)
    api.commit(transaction)
    assert api.value("SELECT @@sql_mode") == expected


def test_set_names_does_not_change_values(api: DataApi) -> None:
    """SET NAMES in a transaction is undone. In gbk, the quote would become half of a character."""
    hostile = parameter("p", stringValue="中' UNION SELECT VERSION() -- ")
    transaction = api.begin()
    for statement in ("SET NAMES gbk", "SET character_set_results = latin1"):
        api.execute(statement, transactionId=transaction)
        assert api.value("SELECT :p", [hostile], transactionId=transaction) == hostile["value"]
    api.rollback(transaction)


def test_value_is_separate_from_adjacent_tokens(api: DataApi) -> None:
    """A placeholder is a separate token: two of them never merge."""
    one, two = parameter("a", longValue=1), parameter("b", longValue=2)
    for sql in ("SELECT :a:b", "SELECT 1:a"):
        with pytest.raises(api.errors.DatabaseErrorException, match="1064"):
            api.execute(sql, [one, two])


def test_empty_transaction_id_is_unknown(api: DataApi) -> None:
    """An empty id is an unknown transaction, not a call without a transaction."""
    with pytest.raises(api.errors.TransactionNotFoundException):
        api.execute("SELECT 1", transactionId="")


def test_generated_ids_over_64_bits_are_strings(api: DataApi) -> None:
    """An unsigned id beyond the signed range is returned as text."""
    api.create(
        "far (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 18446744073709551610"
    )
    response = api.execute("INSERT INTO far VALUES (NULL)")
    assert response["generatedFields"] == [{"stringValue": "18446744073709551610"}]


def test_transaction_begun_in_sql_ends_with_its_call(api: DataApi) -> None:
    """BEGIN as a statement does not include other calls in its transaction."""
    api.execute("BEGIN")
    api.execute("INSERT INTO pets (name) VALUES ('Rex')")
    transaction = api.begin()
    assert api.value("SELECT COUNT(*) FROM pets", transactionId=transaction) == {"longValue": 1}
    api.rollback(transaction)


def test_database_field_selects_the_default_database(api: DataApi) -> None:
    """`database` selects the default database. Default: the one in the server's URL."""
    assert api.value("SELECT DATABASE()", database="information_schema") == {
        "stringValue": "information_schema"
    }
    assert api.value("SELECT DATABASE()") == {"stringValue": "customers_data_api"}


def test_sessions_have_auroras_defaults(api: DataApi) -> None:
    """The time zone is UTC, and MySQL 8.0's default modes are set."""
    time_zone, modes = api.row("SELECT @@time_zone, @@sql_mode")
    assert time_zone == {"stringValue": "+00:00"}
    assert api.value("SELECT @@group_concat_max_len") == {"longValue": 1024}
    mysql8 = {
        *["ONLY_FULL_GROUP_BY", "STRICT_TRANS_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE"],
        *["ERROR_FOR_DIVISION_BY_ZERO", "NO_ENGINE_SUBSTITUTION"],
    }
    assert set(modes["stringValue"].split(",")) == mysql8 | {*engines.selected().sql_modes}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST('1' AS JSON)",
        "SELECT UUID_TO_BIN(UUID())",
        "VALUES ROW(1)",
        "TABLE pets",
        "SELECT * FROM pets, LATERAL (SELECT pets.id) AS same",
        "INSERT INTO pets (name) VALUES ('Rex') AS new ON DUPLICATE KEY UPDATE name = new.name",
    ],
)
def test_documented_difference_of_mariadb_exists(api: DataApi, sql: str) -> None:
    """MySQL accepts the statement, as Aurora does; MariaDB rejects it."""
    is_mariadb = "MariaDB" in api.value("SELECT VERSION()")["stringValue"]
    assert accepts(api, sql) != is_mariadb


def accepts(api: DataApi, sql: str) -> bool:
    try:
        api.execute(sql)
    except api.errors.DatabaseErrorException:
        return False
    return True


def test_documented_differences_of_literals_exist(api: DataApi) -> None:
    """The list of differences says what would be different with bind parameters."""
    with pytest.raises(api.errors.DatabaseErrorException, match="Error code: 1064"):
        api.execute("SELECT 1 FROM pets LIMIT :n", [parameter("n", stringValue="1")])
    found = api.execute("SHOW TABLES LIKE :p", [parameter("p", stringValue="pets")])
    assert found["records"] == [[{"stringValue": "pets"}]]
    api.execute("INSERT INTO pets (name, age) VALUES ('a', 2), ('b', 1)")
    ages = api.execute("SELECT age FROM pets ORDER BY :n", [parameter("n", longValue=1)])
    assert ages["records"] == [[{"longValue": 1}], [{"longValue": 2}]]


def test_documented_precision_of_float_exists(api: DataApi) -> None:
    assert api.value("SELECT CAST(16777217 AS FLOAT)") == {"doubleValue": 16777200.0}
