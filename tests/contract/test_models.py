"""API Gateway's models accept everything that the app accepts; the app rejects what they reject."""

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
    "CustomerCreation": schemas.load_customer,
    "CustomerCreationList": schemas.load_batch,
    "CustomerReplacement": partial(schemas.load_customer, current={"id": CURRENT["id"]}),
    "CustomerPatch": partial(schemas.load_patch, current=CURRENT),
}
PADDING = ["", " ", "\u3000", "\u00a0" * 3]

every_model = pytest.mark.parametrize("name", LOADS)
often = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,  # a run that fails can be repeated, and one that passes, too
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def app_accepts(name: str, body: object) -> bool:
    try:
        LOADS[name](body)
    except ValidationError:
        return False
    return True


def model_accepts(name: str, body: object) -> bool:
    return bool(Draft4Validator(MODELS[name]).is_valid(body))


def padded(text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return text as the app accepts it: with surrounding space, and in either normal form."""
    forms = st.sampled_from(["NFC", "NFD"])
    return st.builds(
        lambda before, form, inner, after: before + unicodedata.normalize(form, inner) + after,
        st.sampled_from(PADDING),
        forms,
        text,
        st.sampled_from(PADDING),
    )


def words(max_length: int) -> st.SearchStrategy[str]:
    letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])
    return padded(st.text(letters, min_size=1, max_size=max_length) | st.just("é" * max_length))


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
VALID_BODIES: dict[str, st.SearchStrategy[Any]] = {
    "CustomerCreation": GOOD,
    "CustomerCreationList": st.builds(lambda items: {"items": items}, st.lists(GOOD, max_size=4)),
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
    """Return bodies with one field added or replaced."""
    return st.builds(lambda body, name, value: {**body, name: value}, good, NAMES, JSON)


@every_model
@often
@given(data=st.data())
def test_model_accepts_what_the_app_accepts(name: str, data: st.DataObject) -> None:
    body = data.draw(VALID_BODIES[name] | broken(VALID_BODIES[name]))
    assume(app_accepts(name, body))

    assert model_accepts(name, body)


@every_model
@often
@given(data=st.data())
def test_app_rejects_what_the_model_rejects(name: str, data: st.DataObject) -> None:
    body = data.draw(JSON | broken(VALID_BODIES[name]))
    assume(not model_accepts(name, body))

    assert not app_accepts(name, body)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("CustomerCreation", []),
        ("CustomerCreation", {"email": "a@example.com", "unknown": 1}),
        ("CustomerCreation", {"given_name": "Ada"}),
        ("CustomerCreation", {"email": 5, "given_name": "Ada"}),
        ("CustomerCreation", {"email": "a@example.com", "id": "x"}),
        ("CustomerCreation", {"email": "a@example.com", "addresses": [{"line1": "x"}]}),
        ("CustomerCreation", {"email": "a@example.com", "metadata": {"a": 1}}),
        ("CustomerCreationList", {"items": []}),
        ("CustomerPatch", {"unknown": None}),
        ("CustomerPatch", {"email": None}),
    ],
)
def test_model_and_app_reject_other_types_and_fields(name: str, body: object) -> None:
    assert not model_accepts(name, body)
    assert not app_accepts(name, body)


@every_model
def test_model_and_app_accept_the_fullest_body(name: str) -> None:
    address = dict.fromkeys(("line1", "line2", "city", "region", "postal_code"), "é" * 30)
    full = {
        **examples.ADA,
        "company_name": "\u3000" + "e\u0301" * 500,
        "addresses": [address | {"country": " GB "}] * 5,
    }
    body = {"items": [full]} if name == "CustomerCreationList" else full

    assert app_accepts(name, body)
    assert model_accepts(name, body)
