"""Linters find nothing in the OpenAPI document except what has a reason here."""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from openapi import ASYNCAPI, SHOWN

SPECTRAL = ["spectral:oas", "@stoplight/spectral-owasp-ruleset"]
TEXTS = r"problem\+json|schemas/(Problem|InputError)|components/headers|text/html"
NO_BODY = "a response to HEAD has no body"
EXCEPTIONS = [  # rules, places, reason
    (r"string-limit|string-restricted", TEXTS, "the service writes these, and people read them"),
    (
        r"string-limit|string-restricted",
        r"/parameters/\d+/schema$",
        "API Gateway limits headers and query strings to 10,240 bytes together",
    ),
    (r"string-limit", r"properties/(id|\w+_at|next)$", "the format or the service limits them"),
    (r"string-limit|string-restricted", r"/then/", "the property's own schema has the limits"),
    (
        r"string-restricted",
        r"schemas/(Partial)?Customer(Address|Change)?/properties/",
        "responses have no pattern, so that it can change",
    ),
    (
        r"string-limit|string-restricted",
        r"schemas/Customer(Erasure|Export|Version)/",
        "the service makes these values",
    ),
    (r"define-cors-origin", "", "the operator lists the origins; the default list is empty"),
    (r"rate-limit", "", "API Gateway can't tell a client what remains; 429 has Retry-After"),
    (r"define-error-responses|rate-limit-responses", r"/head/", NO_BODY),
    (r"define-error-responses-401|read-restricted", "health|openapi|problems", "no token needed"),
    (r"inventory-access", "servers", "the only server is that of the document"),
    (r"operation-security-defined", "", "OpenAPI 3.1 allows scopes for every security scheme"),
]


def _is_excepted(rule: str, place: str) -> bool:
    return any(re.search(r, rule) and re.search(p, place) for r, p, _ in EXCEPTIONS)


def _spectral(node_modules: Path, directory: Path, document: Path) -> set[tuple[str, str]]:
    """Return rules and places that Spectral reports."""
    directory.joinpath("ruleset.json").write_text(json.dumps({"extends": SPECTRAL}))
    directory.joinpath("node_modules").symlink_to(node_modules)
    options = ["--format", "json", "--quiet", "--ruleset", "ruleset.json"]
    found = _json(directory, [node_modules / ".bin" / "spectral", "lint", document, *options])
    return {(each["code"], "/".join(map(str, each["path"]))) for each in found}


def _json(directory: Path, command: Sequence[str | Path]) -> Any:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_spectral_finds_only_exceptions(node_modules: Path, tmp_path: Path) -> None:
    found = _spectral(node_modules, tmp_path, SHOWN)

    assert [each for each in sorted(found) if not _is_excepted(*each)] == []
    unused = [
        exception
        for exception in EXCEPTIONS
        if not any(re.search(exception[0], r) and re.search(exception[1], p) for r, p in found)
    ]
    assert unused == []


def test_spectral_finds_faults(node_modules: Path, tmp_path: Path) -> None:
    document = json.loads(SHOWN.read_text())
    del document["components"]["schemas"]["Customer"]["properties"]["version"]["format"]
    faulty = tmp_path / "faulty.json"
    faulty.write_text(json.dumps(document))

    found = _spectral(node_modules, tmp_path, faulty)

    place = "components/schemas/Customer/properties/version"
    assert ("owasp:api4:2023-integer-format", place) in found


@pytest.mark.parametrize("is_broken", [False, True])
def test_redocly_finds_nothing(node_modules: Path, tmp_path: Path, *, is_broken: bool) -> None:
    document = json.loads(SHOWN.read_text())
    if is_broken:
        del document["info"]["license"]
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    options = ["--extends", "recommended-strict"]
    # only an extension refers to PartialCustomer
    options += ["--skip-rule", "no-unused-components"]
    # gateways prefer /by-external-id to an id: tests/local/test_gateway.py
    options += ["--skip-rule", "no-ambiguous-paths"]

    redocly = node_modules / ".bin" / "redocly"
    found = _json(tmp_path, [redocly, "lint", "openapi.json", "--format", "json", *options])

    rules = [each["ruleId"] for each in found["problems"]]
    assert rules == (["info-license"] if is_broken else [])


@pytest.mark.parametrize("is_broken", [False, True])
def test_asyncapi_document_is_valid(node_modules: Path, tmp_path: Path, *, is_broken: bool) -> None:
    document = json.loads(ASYNCAPI.read_text())
    if is_broken:
        document["channels"]["customers"]["messages"]["erased"]["$ref"] += "d"
    (tmp_path / "asyncapi.json").write_text(json.dumps(document))
    # AsyncAPI has no security scheme for AWS's signatures
    options = ["--extends", "recommended-strict", "--skip-rule", "security-defined"]

    redocly = node_modules / ".bin" / "redocly"
    found = _json(tmp_path, [redocly, "lint", "asyncapi.json", "--format", "json", *options])

    rules = [each["ruleId"] for each in found["problems"]]
    assert rules == (["no-unresolved-refs"] if is_broken else [])
