"""A declaration generates the document of any resource; each mistake in one is reported."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from marshmallow import Schema, fields, validate, validates_schema

import openapi
from chalicelib.http.fields import Items, Metadata, ReadOnly, Text
from chalicelib.http.routing import DeclarationError, Operations
from chalicelib.http.rules import ObjectRules, Unsure
from openapi import accepted, build, problems, validation
from openapi.declarations import Body, Response
from tests import orders
from tests.orders import CREATE, GET, LIST, ORDERS

DOCUMENT = build.document(orders.operation)
SCHEMAS = DOCUMENT["components"]["schemas"]


def view(*_: object) -> Any:
    """Do it."""


def declare(path: str = "/new", method: str = "GET", **arguments: Any) -> None:
    """Declare another operation, on a copy of the table."""
    operations = Operations(orders.app, orders.authorize, orders.operation.scopes)
    operations.table.update(orders.operation.table)
    operations(path, method, **({"scope": None} | arguments))(view)


@pytest.fixture
def changed() -> Callable[..., Operations]:
    """Return a function that changes the declaration of one operation, on a copy of the table."""

    def change(name: str, **arguments: Any) -> Operations:
        operations = Operations(orders.app, orders.authorize, orders.operation.scopes)
        table = orders.operation.table
        operations.table.update(table | {name: table[name]._replace(**arguments)})
        return operations

    return change


def mistake(operations: Operations = orders.operation) -> str:
    with pytest.raises(DeclarationError) as caught:
        build.texts(operations)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ------------------------------------------------------------------------------ another resource


def test_document_of_another_resource_is_valid() -> None:
    assert validation.errors(DOCUMENT) == []
    assert "customer" not in str(DOCUMENT["paths"]["/orders/{order_id}"]["get"]["parameters"])


def test_another_resource_gets_its_own_components() -> None:
    assert "OrderPatch" not in SCHEMAS  # no operation uses it
    assert {
        "OrderCreation",
        "Order",
        "Line",
        "OrderLine",
        "OrderPage",
        "OrderStatus",
    } <= SCHEMAS.keys()
    assert not [name for name in SCHEMAS if "Customer" in name or name == "Metadata"]
    assert SCHEMAS["OrderCreation"]["required"] == ["customer_id", "lines"]
    assert "total" not in SCHEMAS["OrderCreation"]["properties"]
    assert SCHEMAS["OrderCreation"]["properties"]["customer_id"]["format"] == "uuid"
    assert SCHEMAS["Order"]["properties"]["total"]["type"] == "number"
    assert SCHEMAS["Order"]["properties"]["lines"]["items"]["$ref"].endswith("/OrderLine")


def test_page_is_as_large_as_the_query_allows() -> None:
    limit = DOCUMENT["paths"]["/orders"]["get"]["parameters"][0]

    assert SCHEMAS["OrderPage"]["properties"]["items"]["maxItems"] == 30
    assert limit["schema"]["default"] == 10
    assert limit["description"] == "Number of orders per page. Default: `10`. Maximum: 30."


def test_docstring_is_summary_and_description() -> None:
    create = DOCUMENT["paths"]["/orders"]["post"]

    assert create["summary"] == "Create an order"
    assert create["description"] == "First paragraph, in two lines.\n\nSecond paragraph."


def test_path_parameter_is_the_id_of_its_resource() -> None:
    (parameter, *_) = DOCUMENT["paths"]["/orders/{order_id}"]["get"]["parameters"]

    assert parameter["name"] == "order_id"
    assert parameter["example"] == orders.ORDER["id"]


def test_link_passes_the_new_id() -> None:
    (link,) = DOCUMENT["paths"]["/orders"]["post"]["responses"]["201"]["links"].values()

    assert link == {"operationId": "getOrder", "parameters": {"order_id": "$response.body#/id"}}


# -------------------------------------------------------------------- mistakes, found by importing


def test_scope_that_is_not_declared_is_reported() -> None:
    with pytest.raises(DeclarationError, match=r"^view: the scope orders:admin is not declared: "):
        declare(scope="orders:admin")


def test_path_and_method_of_another_operation_are_reported() -> None:
    with pytest.raises(DeclarationError, match=r"^view: another operation has POST /orders: "):
        declare("/orders", "POST")


def test_name_of_another_operation_is_reported() -> None:
    operations = Operations(orders.app, orders.authorize, {})
    operations("/once", "GET", scope=None)(view)

    with pytest.raises(DeclarationError, match=r"^view: there are two operations of this name: "):
        operations("/twice", "GET", scope=None)(view)


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_share_out_of_range_is_reported(share: float) -> None:
    with pytest.raises(DeclarationError, match=f"^view: share={share}: "):
        declare(share=share)


# --------------------------------------------------------------- mistakes, found by `make openapi`


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"documentation": None}, "create_order has no documentation: pass documentation="),
        (
            {"documentation": "tests.orders:MAKE"},
            'create_order: documentation="tests.orders:MAKE" does not exist (module',
        ),
        (
            {"documentation": "tests.order:CREATE"},
            'create_order: documentation="tests.order:CREATE"',
        ),
        (
            {"query": "tests.orders:Find"},
            'create_order: query="tests.orders:Find" does not exist (',
        ),
        ({"query": "Find"}, 'create_order: query="Find" does not exist ('),
        ({"consumes": ()}, "create_order: its documentation has a request body: pass its media"),
        ({"view": print}, "create_order has no description: write a"),
        (
            {"path": "/orders/{number}"},
            "create_order: the path parameter number is neither the id",
        ),
    ],
)
def test_mistake_in_a_decorator_is_reported(
    changed: Callable[..., Operations], arguments: dict[str, Any], message: str
) -> None:
    if "view" in arguments:
        arguments = {"view": lambda: None}

    assert mistake(changed("create_order", **arguments)).startswith(message)


@pytest.mark.parametrize(
    ("name", "documentation", "message"),
    [
        ("CREATE", CREATE._replace(body=None), "create_order: the request body has no example: "),
        (
            "CREATE",
            CREATE._replace(body=Body("OrderCreation")),
            "create_order: the request body has no example: add body=Body(schema, example) to",
        ),
        (
            "CREATE",
            CREATE._replace(body=Body("NewOrders", orders.NEW)),
            "create_order: there is no schema NewOrders: ",
        ),
        (
            "GET",
            GET._replace(responses={200: Response("The order.", "Order")}),
            'get_order: the response "The order." has no example: ',
        ),
        (
            "GET",
            GET._replace(problems=("order-lost",)),
            "get_order: there is no example of the problem order-lost: ",
        ),
        ("GET", GET._replace(headers=("X-Tenant",)), "get_order: the header X-Tenant has no "),
        (
            "GET",
            GET._replace(responses={204: Response("Done.", links=("pay_order",))}),
            "get_order: it links to pay_order, which is no operation",
        ),
        (
            "LIST",
            LIST._replace(
                responses={200: Response("A page.", "OrderPage", orders.PAGE | {"items": "none"})}
            ),
            "/paths/~1orders/get/responses/200/content/application~1json: the example is invalid",
        ),
    ],
)
def test_mistake_in_a_documentation_is_reported(
    monkeypatch: pytest.MonkeyPatch, name: str, documentation: Any, message: str
) -> None:
    monkeypatch.setattr(orders, name, documentation)

    assert mistake().startswith(message)


class Unlimited(Schema):
    limit = fields.Integer(metadata={"description": "Number of orders per page."})


class Strange(fields.Field[str]):
    pass


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            Strange(metadata={"description": "A color."}),
            "Planted.color: JSON Schema can't express a field of the class Strange: ",
        ),
        (
            ReadOnly(metadata={"description": "A color."}),
            "Planted.color: JSON Schema can't express a field of the class ReadOnly: ",
        ),
        (Text(20), "Planted.color has no description: add metadata="),
    ],
)
def test_mistake_in_a_field_is_reported(
    monkeypatch: pytest.MonkeyPatch, field: fields.Field[Any], message: str
) -> None:
    planted = Schema.from_dict({"color": field}, name="Planted")
    tag = ORDERS._replace(schema=planted)
    monkeypatch.setattr(orders, "GET", GET._replace(tag=tag))

    assert mistake().startswith(message)


def test_limit_without_a_maximum_is_reported(changed: Callable[..., Operations]) -> None:
    operations = changed("get_orders", query="tests.test_declarations:Unlimited")

    assert mistake(operations).startswith("orders: the query parameter limit has no maximum: ")


def test_resource_without_an_example_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CREATE", "LIST", "GET"):
        documented = getattr(orders, name)
        monkeypatch.setattr(orders, name, documented._replace(tag=ORDERS._replace(example=None)))

    assert mistake().startswith("orders: the Tag has no example with an id: ")


def test_different_schemas_of_one_name_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Schema.from_dict({"color": Text(9, metadata={"description": "A color."})}, name="Order")
    tag = ORDERS._replace(name="others", schema=other)
    monkeypatch.setattr(orders, "LIST", LIST._replace(tag=tag))

    assert mistake().startswith("orders: there are two different schemas of the name ")


def test_problem_without_a_paragraph_is_reported() -> None:
    markdown = build.problem_pages().replace("\n## not-found\n", "\n## found\n")

    with pytest.raises(
        DeclarationError, match=r"^not-found: docs/problems\.md and docs/problems-\*\.md have no "
    ):
        problems.check_paragraphs(markdown)


def test_field_without_a_rule_for_the_fast_path_is_reported() -> None:
    planted = Schema.from_dict({"color": Strange()}, name="Planted")

    with pytest.raises(DeclarationError, match=r"^color: no rule for a field of the class Strange"):
        accepted.rules(planted)


class Decorated(Schema):
    color = Text(20)

    @validates_schema
    def _is_blue(self, _: Any, **__: Any) -> None:
        raise AssertionError


def test_decorated_method_without_a_rule_for_the_fast_path_is_reported() -> None:
    with pytest.raises(DeclarationError, match=r"^Decorated\._is_blue: the fast path has no rule"):
        accepted.rules(Decorated)

    assert accepted.rules(Decorated, ["_is_blue"]) == {"color": {"max_length": 20}}


@pytest.mark.parametrize(
    "field",
    [
        Items(fields.Nested(Schema), max_items=2, validate=validate.Length(1)),
        Items(fields.Nested(Decorated), max_items=2),
        Metadata(validate=validate.Length(1)),
    ],
)
def test_validator_without_a_rule_for_the_fast_path_is_reported(field: fields.Field[Any]) -> None:
    with pytest.raises(DeclarationError, match="no rule for a "):
        accepted.rules(Schema.from_dict({"things": field}))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (Text(20, required=True, allow_none=True), [{}, {"color": None}]),
        (Text(20, validate=validate.Regexp("[a-z]+", re.ASCII)), [{"color": "blue"}]),
        (Text(20, validate=validate.Length(5)), [{"color": "blue"}]),
    ],
)
def test_fast_path_is_unsure_about_what_no_rule_expresses(
    field: Text, values: list[dict[str, Any]]
) -> None:
    rules = ObjectRules(accepted.rules(Schema.from_dict({"color": field})))

    for value in values:
        with pytest.raises(Unsure):
            rules.check(value)


def test_dangling_reference_and_repeated_id_are_found() -> None:
    document = build.document(orders.operation)
    del document["components"]["schemas"]["OrderLine"]

    assert validation.errors(document) == [
        "#/components/schemas/OrderLine: there is no such component"
    ]

    document = build.document(orders.operation)
    document["paths"]["/orders"]["get"]["operationId"] = "getOrder"
    (error,) = validation.errors(document)
    assert error.startswith("Operation ID 'getOrder' for 'get' in '/orders/{order_id}' is not ")


# ------------------------------------------------------------------------------- `make openapi`


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the files that `make openapi` reads and writes."""
    for name in ("app.py", "pyproject.toml"):
        (tmp_path / name).write_text((openapi.ROOT / name).read_text())
    for name in ("chalicelib", "openapi", "docs"):
        copytree(openapi.ROOT / name, tmp_path / name, ignore=ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "planted", "message"),
    [
        ("scope=READ", 'scope="customers:find"', "get_customers: the scope customers:find is not "),
        ("openapi.customers:ERASE", "openapi.customers:X", "erase_customer: documentation="),
    ],
)
def test_command_reports_a_mistake_in_one_line_and_writes_nothing(
    copy: Path, text: str, planted: str, message: str
) -> None:
    source = (copy / "app.py").read_text()
    assert text in source
    (copy / "app.py").write_text(source.replace(text, planted, 1))
    (copy / "docs" / "openapi.json").write_text("before")

    done = subprocess.run(
        [sys.executable, "-m", "openapi"], cwd=copy, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(message)
    assert (copy / "docs" / "openapi.json").read_text() == "before"


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "missing" / "second"
    first.write_text("before")

    with pytest.raises(OSError, match="missing"):
        build.write({first: "after", second: "after"})

    assert first.read_text() == "before"
    assert list(tmp_path.iterdir()) == [first]
