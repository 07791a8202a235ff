"""Hypothesis strategies for calls, with every field of the Data API's operations."""

from typing import Any

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NAMES = st.from_regex(r"[A-Za-z0-9_]{1,20}", fullmatch=True)
ARNS = st.text(st.characters(exclude_categories=["Cs"]), min_size=11, max_size=100)
PLAIN = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
VALUES = st.one_of(
    st.just({"isNull": True}),
    st.booleans().map(lambda value: {"booleanValue": value}),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: {"longValue": value}),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: {"doubleValue": value}),
    TEXT.map(lambda value: {"stringValue": value}),
    st.binary(max_size=60).map(lambda value: {"blobValue": value}),
)
PARAMETERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES, "value": VALUES},
        optional={"typeHint": st.sampled_from(["DATE", "TIME", "TIMESTAMP", "DECIMAL", "JSON"])},
    ),
    max_size=5,
)
CLUSTER = {"resourceArn": ARNS, "secretArn": ARNS}
SQL = {**CLUSTER, "sql": TEXT}
SCOPE = {"database": TEXT, "transactionId": TEXT, "schema": TEXT}


def _call(operation: str, wanted: dict[str, Any], optional: dict[str, Any]) -> Any:
    arguments = st.fixed_dictionaries(wanted, optional=optional)
    return st.tuples(st.just(operation), arguments)


CALLS = st.one_of(
    _call(
        "execute_statement",
        SQL,
        {
            **SCOPE,
            "parameters": PARAMETERS,
            "includeResultMetadata": st.booleans(),
            "continueAfterTimeout": st.booleans(),
            "formatRecordsAs": st.sampled_from(["NONE", "JSON"]),
            "resultSetOptions": st.fixed_dictionaries(
                {},
                optional={
                    "decimalReturnType": st.sampled_from(["STRING", "DOUBLE_OR_LONG"]),
                    "longReturnType": st.sampled_from(["LONG", "STRING"]),
                },
            ),
        },
    ),
    _call(
        "batch_execute_statement",
        SQL,
        {**SCOPE, "parameterSets": st.lists(PARAMETERS, max_size=3)},
    ),
    _call("begin_transaction", CLUSTER, {"database": TEXT, "schema": TEXT}),
    _call("commit_transaction", {**CLUSTER, "transactionId": TEXT}, {}),
    _call("rollback_transaction", {**CLUSTER, "transactionId": TEXT}, {}),
)
KEYS = st.tuples(PLAIN, PLAIN, PLAIN | st.just(""))
PLACES = st.sampled_from(
    [
        ("eu-west-1", None),
        ("us-gov-west-1", None),
        ("cn-north-1", None),
        ("us-east-1", "http://127.0.0.1:8001"),
        ("us-east-1", "https://Data-API.example.com:443/"),
        ("us-east-1", "http://[::1]:80"),
    ]
)
TIMES = st.integers(0, 2**32)
CASES = st.tuples(CALLS, KEYS, PLACES, TIMES)
