"""Values of every type in both directions, and their columnMetadata."""

import math
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import engines
from tests.local.data_api import DataApi, connect, parameter

ENGINE = engines.selected()
STRING = "stringValue"


@pytest.fixture(scope="module")
def api(data_api: str) -> DataApi:
    return connect(data_api)


@pytest.fixture(scope="module", autouse=True)
def _table(api: DataApi) -> None:
    """Create a table `every_type`: a key, and a column of every type, named after the type."""
    columns = [f", `{type_}` {type_} NULL" for type_ in {type_ for type_, *_ in COLUMNS}]
    table = f"every_type (id INT PRIMARY KEY {''.join(columns)})"
    api.create(f"{table} CHARACTER SET utf8mb4")


# Column type, a parameter's value, the returned Field (if omitted: the same).
COLUMNS: list[tuple[Any, ...]] = [
    ("TINYINT", {"longValue": -128}),
    ("TINYINT UNSIGNED", {"longValue": 255}),
    ("SMALLINT", {"longValue": -32768}),
    ("SMALLINT UNSIGNED", {"longValue": 65535}),
    ("MEDIUMINT", {"longValue": -8388608}),
    ("MEDIUMINT UNSIGNED", {"longValue": 16777215}),
    ("INT", {"longValue": -2147483648}),
    ("INT UNSIGNED", {"longValue": 4294967295}),
    ("BIGINT", {"longValue": -(2**63)}),
    ("BIGINT", {"longValue": 2**63 - 1}),
    ("BIGINT UNSIGNED", {"longValue": 2**63 - 1}),
    ("BIGINT UNSIGNED", {STRING: "18446744073709551615"}),
    ("INT(5) ZEROFILL", {"longValue": 42}),
    ("TINYINT(1)", {"booleanValue": True}),
    ("BOOL", {"booleanValue": False}),
    ("BOOL", {"longValue": 2}, {"booleanValue": True}),
    ("TINYINT(1) UNSIGNED", {"longValue": 2}),
    ("BIT(1)", {"booleanValue": True}),
    ("BIT(1)", {"booleanValue": False}),
    ("BIT(9)", {"longValue": 257}, {"blobValue": b"\x01\x01"}),
    ("BIT(9)", {"blobValue": b"\x01\x02"}),
    ("BIT(64)", {"blobValue": b"\xff" * 8}),
    ("FLOAT", {"doubleValue": 3.14159}),
    ("DOUBLE", {"doubleValue": 0.1}),
    ("DOUBLE", {"doubleValue": -1.7976931348623157e308}),
    ("DECIMAL(10,4)", {STRING: "0.0000"}),
    ("DECIMAL(5)", {STRING: "-3"}),
    ("DECIMAL(10,4) UNSIGNED", {STRING: "2.5000"}),
    ("DECIMAL(65,30)", {STRING: "-" + "9" * 35 + "." + "1" * 30}),
    ("DECIMAL(10,4)", {STRING: "1.5"}, {STRING: "1.5000"}),
    ("CHAR(10)", {STRING: "Zürich"}),
    ("VARCHAR(100)", {STRING: "e\u0301 👩‍👩‍👧 שלום 𐐷"}),
    ("VARCHAR(100)", {STRING: "' \" \\ % %s %(a)s :a -- # /* \x00 \n \x1a"}),
    ("VARCHAR(100)", {STRING: ""}),
    ("VARCHAR(9) CHARACTER SET latin1", {STRING: "é"}),
    ("TINYTEXT", {STRING: "tiny"}),
    ("TEXT", {STRING: "text"}),
    ("MEDIUMTEXT", {STRING: "medium"}),
    ("LONGTEXT", {STRING: "long"}),
    ("ENUM('new','old')", {STRING: "old"}),
    ("SET('a','b','c')", {STRING: "a,c"}),
    ("SET('a','b','c')", {STRING: ""}),
    ("JSON", {STRING: '{"a": "ü", "b": [1, 2.5, null]}'}),  # as MySQL writes it
    ("BINARY(4)", {"blobValue": b"\x00\xff'\\"}),
    ("VARBINARY(100)", {"blobValue": bytes(range(100))}),
    ("VARBINARY(100)", {"blobValue": b""}),
    ("TINYBLOB", {"blobValue": b"\x80"}),
    ("BLOB", {"blobValue": bytes(range(256))}),
    ("MEDIUMBLOB", {"blobValue": b"\x80\x81"}),
    ("LONGBLOB", {"blobValue": b"\xfe\xff"}),
    ("DATE", {STRING: "9999-12-31"}),
    ("TIME", {STRING: "-838:59:59"}),
    ("TIME(3)", {STRING: "23:59:59.120"}),
    ("DATETIME", {STRING: "2024-02-29 23:59:59"}),
    ("DATETIME(3)", {STRING: "2024-02-29 23:59:59.120"}),
    ("DATETIME(6)", {STRING: "2024-02-29 23:59:59.000001"}),
    # MariaDB would truncate where MySQL rounds.
    ("DATETIME(3)", {STRING: "2024-02-29 23:59:59.9996"}, {STRING: "2024-03-01 00:00:00.000"}),
    ("TIMESTAMP", {STRING: "2038-01-19 03:14:07"}),
    ("TIMESTAMP(6)", {STRING: "2024-02-29 23:59:59.999999"}),
    ("YEAR", {STRING: "2155"}),
    ("YEAR", {"longValue": 1901}, {STRING: "1901"}),
]


@pytest.mark.parametrize("case", COLUMNS, ids=lambda case: f"{case[0]}:{case[1]}"[:50])
def test_column_value_is_returned_unchanged(api: DataApi, case: Any) -> None:
    """A stored value is returned exactly, in the Field of its type."""
    column, value, *rest = case
    api.execute(
        f"REPLACE INTO every_type (id, `{column}`) VALUES (1, :v)", [parameter("v", **value)]
    )
    select = f"SELECT `{column}` FROM every_type"
    assert api.value(select) == (rest[0] if rest else value)


def test_null_is_null_in_every_column(api: DataApi) -> None:
    """A NULL is isNull, regardless of its column's type."""
    null = [parameter("v", isNull=True)]
    api.execute("REPLACE INTO every_type (id, `INT`) VALUES (1, :v)", null)
    _, *fields = api.row("SELECT * FROM every_type")
    assert len({type_ for type_, *_ in COLUMNS}) == len(fields)
    assert all(field == {"isNull": True} for field in fields)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("hint", "text", "expected"),
    [
        ("DATE", "2024-02-29", "2024-02-29"),
        ("TIME", "23:59:59", "23:59:59"),
        ("TIME", "23:59:59.123", "23:59:59.123"),
        ("TIMESTAMP", "2024-02-29 23:59:59", "2024-02-29 23:59:59"),
        ("TIMESTAMP", "2024-02-29 23:59:59.123456", "2024-02-29 23:59:59.123456"),
        ("DECIMAL", "-1.50", "-1.50"),
        ("DECIMAL", "12E+2", "1200"),
        ("DECIMAL", "-0", "0"),
        ("DECIMAL", "9" * 65, "9" * 65),
        ("TIME", "-838:59:59", "-838:59:59"),
        ("JSON", '{"a": [1]}', '{"a": [1]}'),
        ("UUID", "0190b2a0-0000-7000-8000-000000000000", "0190b2a0-0000-7000-8000-000000000000"),
    ],
)
def test_type_hint_sets_the_type(api: DataApi, hint: str, text: str, expected: str) -> None:
    """A string with a typeHint is sent as this type."""
    assert {STRING: expected} == api.value("SELECT :v", [parameter("v", hint, stringValue=text)])


def test_hinted_value_is_typed(api: DataApi) -> None:
    """A hinted value has the type's metadata and arithmetic."""
    parameters = [
        parameter("d", "DATE", stringValue="2024-02-28"),
        parameter("n", "DECIMAL", stringValue="0.1"),
    ]
    response = api.execute(
        "SELECT :d, :d + INTERVAL 1 DAY, :n + :n", parameters, includeResultMetadata=True
    )
    types = [column["typeName"] for column in response["columnMetadata"]]
    assert types == ["DATE", "DATE", "DECIMAL"]
    expected = [{STRING: "2024-02-28"}, {STRING: "2024-02-29"}, {STRING: "0.2"}]
    assert response["records"] == [expected]


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        ("DATE", "2024-2-1"),
        ("DATE", "2024-02-01' OR '1"),
        ("TIME", "noon"),
        ("TIME", "23:59:59.1234567"),
        ("TIMESTAMP", "2024-02-01T00:00:00"),
        ("TIMESTAMP", "2024-02-01 00:00:00+00:00"),
        ("DECIMAL", "1,5"),
        ("DECIMAL", "NaN"),
        ("DECIMAL", "1E+999999999"),
        ("DECIMAL", "1_000"),
        ("DECIMAL", " 1 "),
        ("DECIMAL", "١٢"),
        ("JSON", "{"),
        ("JSON", "[1, NaN]"),
        ("UUID", "1"),
        ("UUID", "{7d444840-9dc0-11d1-b245-5ffdce74fad2}"),
        ("UUID", "7d4448409dc011d1b2455ffdce74fad2"),
    ],
)
def test_value_not_matching_its_hint_is_rejected(api: DataApi, hint: str, text: str) -> None:
    """A string that does not match its typeHint is rejected, with AWS's text."""
    kind = {"TIMESTAMP": "TimeStamp"}.get(hint, hint.capitalize())
    told = rf"Parse Error for {kind}: input contains invalid characters$"
    with pytest.raises(api.errors.DatabaseErrorException, match=told):
        api.value("SELECT :v", [parameter("v", hint, stringValue=text)])


def test_hinted_null_is_null(api: DataApi) -> None:
    """A typeHint has no effect on null, and null overrides a value."""
    for itself in (True, False):
        value = parameter("v", "DATE", isNull=itself)
        assert api.value("SELECT :v", [value]) == {"isNull": True}


def test_array_parameter_is_rejected(api: DataApi) -> None:
    """An array parameter is a ValidationException, which AWS's model does not contain."""
    array = parameter("v", arrayValue={"longValues": [1]})
    with pytest.raises(ClientError) as caught:
        api.execute("SELECT :v", [array])
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "Array parameters are not supported.",
    }


def test_non_finite_double_is_rejected(api: DataApi) -> None:
    """NaN and infinity, which MySQL does not support, are rejected."""
    for value in (math.nan, math.inf):
        with pytest.raises(api.errors.BadRequestException, match="finite"):
            api.execute("SELECT :v", [parameter("v", doubleValue=value)])


def test_geometry_is_rejected(api: DataApi) -> None:
    """An unsupported type is an UnsupportedResultException."""
    with pytest.raises(api.errors.UnsupportedResultException, match="data type GEOMETRY"):
        api.execute("SELECT POINT(1, 2)")


def test_metadata_has_all_fields(api: DataApi) -> None:
    """ColumnMetadata has its 14 fields, as in a response recorded from AWS."""
    api.execute("DROP TABLE IF EXISTS cats")
    api.execute("CREATE TABLE cats (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY)")
    response = api.execute("SELECT id AS number FROM cats", includeResultMetadata=True)
    expected = {
        "arrayBaseColumnType": 0,
        "isAutoIncrement": True,
        "isCaseSensitive": False,
        "isCurrency": False,
        "isSigned": False,
        "label": "number",
        "name": "id",
        "nullable": 0,
        "precision": 10,
        "scale": 0,
        "schemaName": "",
        "tableName": "cats",
        "type": 4,
        "typeName": "INT UNSIGNED",
    }
    assert [expected] == response["columnMetadata"]


# Column type: typeName if different, java.sql.Types code, precision, scale, isSigned.
METADATA: dict[str, tuple[str | None, int, int, int, bool]] = {
    "TINYINT": (None, -6, 3, 0, True),
    "TINYINT UNSIGNED": (None, -6, 3, 0, False),
    "SMALLINT": (None, 5, 5, 0, True),
    "MEDIUMINT": (None, 4, 7, 0, True),
    "INT": (None, 4, 10, 0, True),
    "BIGINT": (None, -5, 19, 0, True),
    "BIGINT UNSIGNED": (None, -5, 20, 0, False),
    "INT(5) ZEROFILL": ("INT UNSIGNED", 4, 10, 0, False),
    "TINYINT(1) UNSIGNED": ("TINYINT UNSIGNED", -6, 3, 0, False),
    "BIT(9)": ("BIT", -7, 9, 0, False),
    "BOOL": ("BIT", -7, 1, 0, False),
    "BIT(1)": ("BIT", -7, 1, 0, False),
    "FLOAT": (None, 7, 12, 0, True),
    "DOUBLE": (None, 8, 22, 0, True),
    "DECIMAL(10,4)": ("DECIMAL", 3, 10, 4, True),
    "DECIMAL(5)": ("DECIMAL", 3, 5, 0, True),
    "DECIMAL(10,4) UNSIGNED": ("DECIMAL UNSIGNED", 3, 10, 4, False),
    "CHAR(10)": ("CHAR", 1, 10, 0, False),
    "VARCHAR(100)": ("VARCHAR", 12, 100, 0, False),
    "TINYTEXT": (None, 12, 255, 0, False),
    "TEXT": (None, -1, 65535, 0, False),
    "MEDIUMTEXT": (None, -1, 16777215, 0, False),
    "LONGTEXT": (None, -1, 2**30 - 1, 0, False),
    "JSON": (None, -1, 2**31 - 1, 0, False),
    "ENUM('new','old')": ("ENUM", 1, 3, 0, False),
    "SET('a','b','c')": ("SET", 1, 5, 0, False),
    "BINARY(4)": ("BINARY", -2, 4, 0, False),
    "VARBINARY(100)": ("VARBINARY", -3, 100, 0, False),
    "TINYBLOB": (None, -3, 255, 0, False),
    "BLOB": (None, -4, 65535, 0, False),
    "MEDIUMBLOB": (None, -4, 16777215, 0, False),
    "LONGBLOB": (None, -4, 2**31 - 1, 0, False),
    "DATE": (None, 91, 10, 0, False),
    "TIME": (None, 92, 10, 0, False),
    "DATETIME": (None, 93, 19, 0, False),
    "DATETIME(6)": ("DATETIME", 93, 26, 0, False),
    "TIMESTAMP": (None, 93, 19, 0, False),
    "YEAR": (None, 91, 4, 0, False),
}


@pytest.mark.parametrize("column", METADATA)
def test_metadata_of_a_type(api: DataApi, column: str) -> None:
    """Each type has JDBC's name, code, precision, scale and sign."""
    sql = f"SELECT `{column}` FROM every_type"
    (metadata,) = api.execute(sql, includeResultMetadata=True)["columnMetadata"]
    name, *rest = METADATA[column]
    members = [metadata[key] for key in ("type", "precision", "scale", "isSigned")]
    assert [name or column, *rest] == [metadata["typeName"], *members]
    assert metadata["nullable"] == 1


def test_json_column_is_reported_as_json(api: DataApi) -> None:
    """JSON has this typeName, also on MariaDB, where it is a LONGTEXT. LONGTEXT has its own."""
    sql = "SELECT `JSON`, `LONGTEXT` FROM every_type"
    metadata = api.execute(sql, includeResultMetadata=True)["columnMetadata"]
    assert [column["typeName"] for column in metadata] == ["JSON", "LONGTEXT"]


def test_metadata_of_joins_and_expressions(api: DataApi) -> None:
    """A column keeps its own name and table through aliases; an expression has its text."""
    owners = "id BIGINT AUTO_INCREMENT PRIMARY KEY, city CHAR(3) NOT NULL"
    api.create(f"owners ({owners})")
    api.create("dogs (owner BIGINT, name VARCHAR(9) COLLATE utf8mb4_bin NOT NULL)")
    sql = (
        "SELECT o.id, o.id AS number, o.city, d.name, d.owner * 1.50, (SELECT COUNT(*) FROM dogs)"
        " AS dogs, NULL FROM owners AS o LEFT JOIN dogs AS d ON d.owner = o.id"
    )
    metadata = api.execute(sql, includeResultMetadata=True)["columnMetadata"]
    same = {"arrayBaseColumnType": 0, "isCurrency": False, "schemaName": ""}
    members = [
        *["label", "name", "tableName", "type", "typeName", "precision", "scale"],
        *["nullable", "isSigned", "isAutoIncrement", "isCaseSensitive"],
    ]
    expected = [
        ["id", "id", "owners", -5, "BIGINT", 19, 0, 0, True, True, False],
        ["number", "id", "owners", -5, "BIGINT", 19, 0, 0, True, True, False],
        ["city", "city", "owners", 1, "CHAR", 3, 0, 0, False, False, False],
        ["name", "name", "dogs", 12, "VARCHAR", 9, 0, 1, False, False, True],
        ["d.owner * 1.50", "d.owner * 1.50", "", 3, "DECIMAL", 22, 2, 1, True, False, False],
        ["dogs", "dogs", "", -5, "BIGINT", 19, 0, 1, True, False, False],
        ["NULL", "NULL", "", 0, "NULL", 0, 0, 1, False, False, False],
    ]
    assert metadata == [same | dict(zip(members, item, strict=True)) for item in expected]


def test_metadata_is_omitted_by_default(api: DataApi) -> None:
    """Without includeResultMetadata there is no columnMetadata."""
    assert api.execute("SELECT 1") == {"numberOfRecordsUpdated": 0, "records": [[{"longValue": 1}]]}
