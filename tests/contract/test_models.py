"""API Gateway's models agree with the app: they take all that it takes, and it refuses the rest."""

import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from chalicelib.customers import schemas
from chalicelib.http.problems import ValidationError
from infrastructure import gateway
from openapi import customers as examples

MODELS = gateway.models()
CURRENT = {**examples.CUSTOMER, "metadata": {"a": "1", "b": "2"}}
LOADS: dict[str, Callable[[Any], object]] = {
    "NewCustomer": schemas.load_customer,
    "NewCustomerList": schemas.load_batch,
    "CustomerReplacement": partial(schemas.load_customer, current={"id": CURRENT["id"]}),
    "CustomerPatch": partial(schemas.load_patch, current=CURRENT),
}
PADDING = ["", " ", "\u3000", "\u00a0" * 3]

every_model = pytest.mark.parametrize("name", LOADS)
often = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)


def is_taken(name: str, body: object) -> bool:
    try:
        LOADS[name](body)
    except ValidationError:
        return False
    return True


def fits(name: str, body: object) -> bool:
    return bool(Draft4Validator(MODELS[name]).is_valid(body))


def padded(text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return text as the app takes it: with space around it, and in either normal form."""
    forms = st.sampled_from(["NFC", "NFD"])
    return st.builds(
        lambda before, form, inner, after: before + unicodedata.normalize(form, inner) + after,
        st.sampled_from(PADDING),
        forms,
        text,
        st.sampled_from(PADDING),
    )


def words(most: int) -> st.SearchStrategy[str]:
    letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])
    return padded(st.text(letters, min_size=1, max_size=most) | st.just("é" * most))


OPTIONAL = {
    "status": padded(st.sampled_from(["active", "inactive"])),
    "phone": st.none() | padded(st.sampled_from(["+442079460000", "+1 (555) 010-0000"])),
    "given_name": st.none() | words(300),
    "family_name": st.none() | words(300),
    "external_id": st.none() | words(100),
    "locale": st.none() | padded(st.sampled_from(["en", "en-GB"])),
    "time_zone": st.none() | padded(st.just("Europe/London")),
    "metadata": st.dictionaries(
        st.from_regex("[a-z]{1,40}", fullmatch=True), words(50), max_size=9
    ),
    "addresses": st.lists(
        st.fixed_dictionaries(
            {"line1": words(40), "country": padded(st.just("GB"))},
            optional={"type": padded(st.just("home")), "city": st.none() | words(40)},
        ),
        max_size=5,
    ),
}
GOOD = st.fixed_dictionaries(
    {"email": padded(st.emails().filter(str.isascii)), "company_name": words(500)},
    optional=OPTIONAL,
)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        **OPTIONAL,
        "company_name": st.none() | words(500),
        "addresses": st.none() | OPTIONAL["addresses"],
        "metadata": st.none() | st.dictionaries(st.text(max_size=60), st.none(), max_size=80),
        "version": st.just(CURRENT["version"]),
        "deleted_at": st.none(),
    },
)
TAKEN: dict[str, st.SearchStrategy[Any]] = {
    "NewCustomer": GOOD,
    "NewCustomerList": st.builds(lambda items: {"items": items}, st.lists(GOOD, max_size=4)),
    "CustomerReplacement": st.builds(lambda good: {**good, "id": CURRENT["id"]}, GOOD),
    "CustomerPatch": PATCHES,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just("x" * 5_000),
    lambda inner: (
        st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=9), inner, max_size=5)
    ),
    max_leaves=9,
)
NAMES = st.sampled_from([*schemas.Customer().fields, "items", "line1", "unknown"])


def broken(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return bodies with one member more, or another one than there was."""
    return st.builds(lambda body, name, value: {**body, name: value}, good, NAMES, JSON)


@every_model
@often
@given(data=st.data())
def test_what_the_app_takes_the_model_takes(name: str, data: st.DataObject) -> None:
    body = data.draw(TAKEN[name] | broken(TAKEN[name]))
    assume(is_taken(name, body))

    assert fits(name, body)


@every_model
@often
@given(data=st.data())
def test_what_the_model_refuses_the_app_refuses(name: str, data: st.DataObject) -> None:
    body = data.draw(JSON | broken(TAKEN[name]))
    assume(not fits(name, body))

    assert not is_taken(name, body)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("NewCustomer", []),
        ("NewCustomer", {"email": "a@example.com", "unknown": 1}),
        ("NewCustomer", {"given_name": "Ada"}),
        ("NewCustomer", {"email": 5, "given_name": "Ada"}),
        ("NewCustomer", {"email": "a@example.com", "id": "x"}),
        ("NewCustomer", {"email": "a@example.com", "addresses": [{"line1": "x"}]}),
        ("NewCustomer", {"email": "a@example.com", "metadata": {"a": 1}}),
        ("NewCustomerList", {"items": []}),
        ("NewCustomerList", {"items": [{"email": "a@example.com", "x": 1}]}),
        ("CustomerPatch", {"unknown": None}),
        ("CustomerPatch", {"email": None}),
    ],
)
def test_model_refuses_what_has_another_shape(name: str, body: object) -> None:
    assert not fits(name, body)
    assert not is_taken(name, body)


@every_model
def test_strategies_reach_what_is_taken(name: str) -> None:
    """A body that is as full as it may be is taken by both."""
    address = dict.fromkeys(("line1", "line2", "city", "region", "postal_code"), "é" * 30)
    full = {
        **examples.ADA,
        "company_name": "\u3000" + "e\u0301" * 500,
        "addresses": [address | {"country": " GB "}] * 5,
    }
    body = {"items": [full]} if name == "NewCustomerList" else full

    assert is_taken(name, body)
    assert fits(name, body)
