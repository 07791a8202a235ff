"""Statements: their parameters, their results in AWS's shapes, and batches."""

import pytest

from tests.local.data_api import ARNS, DataApi, connect, parameter, wait_until


@pytest.fixture(scope="module")
def api(data_api: str) -> DataApi:
    return connect(data_api)


@pytest.fixture(autouse=True)
def _pets(api: DataApi) -> None:
    """Make an empty table `pets`: id, unique name, age."""
    api.execute(
        "CREATE OR REPLACE TABLE pets (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,"
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
def test_parameters_are_found_where_they_are(api: DataApi, expression: str, expected: str) -> None:
    """A colon in a string or comment names nothing, and `%` is an ordinary character."""
    value = parameter("v", stringValue="V")
    assert {"stringValue": expected} == api.value(f"SELECT {expression}", [value])


def test_quoted_identifiers_keep_their_colons(api: DataApi) -> None:
    """A colon in a quoted identifier names nothing."""
    response = api.execute("SELECT 1 AS `a:v`", includeResultMetadata=True)
    assert response["columnMetadata"][0]["label"] == "a:v"


@pytest.mark.parametrize(
    "sql", ["SELECT 1::v", "SELECT :é", "SELECT : v", "SELECT 1 :=v", "SELECT :"]
)
def test_what_is_no_placeholder_reaches_the_database(api: DataApi, sql: str) -> None:
    """A colon that names nothing is passed on, for the database to refuse."""
    near = sql[sql.index(":") :]
    with pytest.raises(api.errors.DatabaseErrorException, match=f"near '{near}'"):
        api.execute(sql, [parameter("v", longValue=1)])


def test_a_parameter_name_may_be_a_number_and_occur_twice(api: DataApi) -> None:
    """`:1` is a name, and every occurrence gets the value."""
    row = api.row("SELECT :1, :1", [parameter("1", longValue=5)])
    assert row == [{"longValue": 5}] * 2


def test_a_missing_parameter_is_named(api: DataApi) -> None:
    """A placeholder without a value is a BadRequestException in AWS's words."""
    with pytest.raises(api.errors.BadRequestException, match=r"Cannot find parameter: nobody$"):
        api.execute("SELECT :v, :nobody", [parameter("v", longValue=1)])


def test_an_unused_parameter_is_ignored(api: DataApi) -> None:
    """A value that no placeholder names does nothing."""
    assert api.value("SELECT 1", [parameter("v", longValue=5)]) == {"longValue": 1}


def test_a_value_cannot_become_sql(api: DataApi) -> None:
    """Quotes and backslashes in a value stay in it, whatever escapes the session has been set."""
    text, data = r"\' OR 1=1 -- ", b"\\' OR 1=1 -- \x00\xff"
    values = [parameter("text", stringValue=text), parameter("data", blobValue=data)]
    expected = [{"stringValue": text}, {"blobValue": data}]
    api.execute("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'")
    assert expected == api.row("SELECT :text, :data", values)
    transaction = api.begin()
    api.execute("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'", transactionId=transaction)
    assert expected == api.row("SELECT :text, :data", values, transactionId=transaction)
    api.rollback(transaction)


def test_an_insert_generates_a_field(api: DataApi) -> None:
    """An INSERT reports its AUTO_INCREMENT id and its count, and has no records."""
    api.execute("ALTER TABLE pets AUTO_INCREMENT = 41")
    response = api.execute("INSERT INTO pets (name) VALUES ('Rex')")
    assert response == {"generatedFields": [{"longValue": 41}], "numberOfRecordsUpdated": 1}


def test_an_update_counts_matched_rows(api: DataApi) -> None:
    """An UPDATE counts the rows that it finds, also those that it leaves as they are."""
    api.execute("INSERT INTO pets (name) VALUES ('Rex'), ('Ada')")
    response = api.execute("UPDATE pets SET age = 0 WHERE name <> 'nobody'")
    assert response == {"generatedFields": [], "numberOfRecordsUpdated": 2}
    assert api.execute("UPDATE pets SET age = 1 WHERE FALSE")["numberOfRecordsUpdated"] == 0
    assert api.execute("DELETE FROM pets")["numberOfRecordsUpdated"] == 2


def test_a_select_counts_nothing(api: DataApi) -> None:
    """A SELECT has records, be they none, and no generatedFields."""
    expected = {"numberOfRecordsUpdated": 0, "records": []}
    assert expected == api.execute("SELECT * FROM pets")


def test_options_at_their_defaults_change_nothing(api: DataApi) -> None:
    """Options that say what is so anyway are taken."""
    options = {"decimalReturnType": "STRING", "longReturnType": "LONG"}
    value = api.value(
        "SELECT 1", continueAfterTimeout=True, formatRecordsAs="NONE", resultSetOptions=options
    )
    assert value == {"longValue": 1}


@pytest.mark.parametrize(
    "sql", ["SELECT 1; SELECT 2", "SELECT 1;;SELECT 2", "SELECT 1; -- x\n DROP TABLE pets;"]
)
def test_one_statement_per_call(api: DataApi, sql: str) -> None:
    """Several statements are refused in AWS's words."""
    with pytest.raises(api.client.exceptions.ClientError) as caught:
        api.execute(sql)
    error = caught.value.response["Error"]
    expected = ("ValidationException", "Multistatements aren't supported")
    assert expected == (error["Code"], error["Message"])


@pytest.mark.parametrize("sql", ["SELECT ';'", "SELECT ';';", "SELECT ';' ; \n", "SELECT ';' -- ;"])
def test_a_semicolon_is_not_yet_a_second_statement(api: DataApi, sql: str) -> None:
    """A semicolon in a string, a comment or at the end is fine."""
    assert api.value(sql) == {"stringValue": ";"}


def test_a_batch_runs_once_per_set(api: DataApi) -> None:
    """A batch reports each set's generated fields."""
    sets = [[parameter("name", stringValue=name)] for name in ("Rex", "Ada")]
    sql = "INSERT INTO pets (name) VALUES (:name)"
    expected = [{"generatedFields": [{"longValue": number}]} for number in (1, 2)]
    assert expected == api.batch(sql, sets)
    assert names(api) == ["Ada", "Rex"]


def test_a_batch_without_sets_does_nothing(api: DataApi) -> None:
    """A batch runs its statement as often as it has parameter sets."""
    assert api.batch("INSERT INTO pets (name) VALUES ('Rex')", []) == []
    assert api.batch("INSERT INTO pets (name) VALUES ('Ada')", [[]])
    assert names(api) == ["Ada"]


def test_each_set_has_parameters_of_its_own(api: DataApi) -> None:
    """A set need not name what another does, but all that the statement names."""
    sql = "INSERT INTO pets (name) VALUES (:name)"
    rex, unused = parameter("name", stringValue="Rex"), parameter("age", longValue=3)
    api.batch(sql, [[rex], [unused, parameter("name", stringValue="Ada")]])
    assert names(api) == ["Ada", "Rex"]
    tom = parameter("name", stringValue="Tom")
    for sets in ([[tom], [unused]], [[tom], []]):
        with pytest.raises(api.errors.BadRequestException, match="Cannot find parameter: name"):
            api.batch(sql, sets)
    assert names(api) == ["Ada", "Rex"]


def test_a_batch_need_not_have_sets(api: DataApi) -> None:
    """The member parameterSets may be missing, which is as good as empty."""
    answer = api.client.batch_execute_statement(**ARNS, sql="INSERT INTO pets VALUES ()")
    assert answer["updateResults"] == []


def test_a_batch_in_a_transaction_is_the_transactions(api: DataApi) -> None:
    """What the sets before a failing one did stays, for the transaction to commit or to undo."""
    sql = "INSERT INTO pets (name) VALUES (:name)"
    sets = [[parameter("name", stringValue=name)] for name in ("Rex", "Rex", "Ada")]
    for end, expected in ((api.rollback, []), (api.commit, ["Rex"])):
        transaction = api.begin()
        with pytest.raises(api.errors.DatabaseErrorException):
            api.batch(sql, sets, transactionId=transaction)
        end(transaction)
        assert names(api) == expected


def test_a_batch_is_all_or_nothing(api: DataApi) -> None:
    """When a set fails outside a transaction, the sets before it leave nothing."""
    sets = [[parameter("name", stringValue=name)] for name in ("Rex", "Rex")]
    with pytest.raises(api.errors.DatabaseErrorException):
        api.batch("INSERT INTO pets (name) VALUES (:name)", sets)
    assert names(api) == []


def test_a_failed_statement_leaves_nothing(api: DataApi) -> None:
    """A statement that fails at its second row has not stored its first."""
    with pytest.raises(api.errors.DatabaseErrorException):
        api.execute("INSERT INTO pets (name) VALUES ('Rex'), ('Rex')")
    assert names(api) == []


def test_a_session_does_not_leak_into_the_next_call(api: DataApi) -> None:
    """What SET, USE and a user variable change is gone in the next call."""
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


def test_a_lock_ends_with_its_call(api: DataApi) -> None:
    """What GET_LOCK took is free again when its call is over."""
    assert api.value("SELECT GET_LOCK('leak', 0)") == {"longValue": 1}
    wait_until(lambda: api.value("SELECT IS_FREE_LOCK('leak')") == {"longValue": 1})


def test_a_transactions_session_does_not_leak(api: DataApi) -> None:
    """What SET changed in a transaction is gone after its commit, whatever it ran later."""
    expected = api.value("SELECT @@sql_mode")
    transaction = api.begin()
    api.execute("SET sql_mode = ''", transactionId=transaction)
    api.execute("SELECT 1", transactionId=transaction)
    api.commit(transaction)
    assert api.value("SELECT @@sql_mode") == expected


def test_a_character_set_does_not_change_what_a_value_is(api: DataApi) -> None:
    """SET NAMES in a transaction is undone: in gbk the quote would be half of a character."""
    hostile = parameter("p", stringValue="中' UNION SELECT VERSION() -- ")
    transaction = api.begin()
    for statement in ("SET NAMES gbk", "SET character_set_results = latin1"):
        api.execute(statement, transactionId=transaction)
        assert api.value("SELECT :p", [hostile], transactionId=transaction) == hostile["value"]
    api.rollback(transaction)


def test_a_value_stays_apart_from_what_it_stands_beside(api: DataApi) -> None:
    """A placeholder is a token of its own: no two become one value."""
    one, two = parameter("a", longValue=1), parameter("b", longValue=2)
    for sql in ("SELECT :a:b", "SELECT 1:a"):
        with pytest.raises(api.errors.DatabaseErrorException, match="1064"):
            api.execute(sql, [one, two])


def test_an_empty_transaction_id_is_none_that_is_known(api: DataApi) -> None:
    """An empty id is an unknown transaction's, not no transaction."""
    with pytest.raises(api.errors.TransactionNotFoundException):
        api.execute("SELECT 1", transactionId="")


def test_generated_ids_over_64_bits_are_strings(api: DataApi) -> None:
    """An unsigned id that no signed number holds comes as text."""
    api.execute(
        "CREATE OR REPLACE TABLE far (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY)"
        " AUTO_INCREMENT = 18446744073709551610"
    )
    response = api.execute("INSERT INTO far VALUES (NULL)")
    assert response["generatedFields"] == [{"stringValue": "18446744073709551610"}]


def test_a_transaction_begun_in_sql_ends_with_its_call(api: DataApi) -> None:
    """BEGIN as a statement does not put other calls into its transaction."""
    api.execute("BEGIN")
    api.execute("INSERT INTO pets (name) VALUES ('Rex')")
    transaction = api.begin()
    assert api.value("SELECT COUNT(*) FROM pets", transactionId=transaction) == {"longValue": 1}
    api.rollback(transaction)


def test_the_database_is_the_calls(api: DataApi) -> None:
    """`database` chooses the default database, and without it the server's URL does."""
    assert api.value("SELECT DATABASE()", database="information_schema") == {
        "stringValue": "information_schema"
    }
    assert api.value("SELECT DATABASE()") == {"stringValue": "customers_data_api"}


def test_sessions_are_like_auroras(api: DataApi) -> None:
    """Time is UTC, and MySQL 8.0's default modes are on."""
    time_zone, modes = api.row("SELECT @@time_zone, @@sql_mode")
    assert time_zone == {"stringValue": "+00:00"}
    assert api.value("SELECT @@group_concat_max_len") == {"longValue": 1024}
    mysql8 = {
        *["ONLY_FULL_GROUP_BY", "STRICT_TRANS_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE"],
        *["ERROR_FOR_DIVISION_BY_ZERO", "NO_ENGINE_SUBSTITUTION"],
    }
    assert set(modes["stringValue"].split(",")) == mysql8 | {"TIME_ROUND_FRACTIONAL"}
