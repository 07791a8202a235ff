"""Schemathesis hooks: values for our formats, and rules that JSON Schema can't express.

A request that the schema allows may still break such a rule. These hooks accept a response with
status 400 if all its errors have the code of one of these rules. With `fields`, a response may lack
required properties.
"""

import importlib.resources
import json
import re
from typing import Any

import requests
import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import JsonSchemaError, RejectedPositiveData

BEYOND_THE_SCHEMA = {
    "email": "email addresses must satisfy more than a pattern: domains have rules, too",
    "phone": "phone numbers have the lengths of their countries",
    "country": "the document lists no countries, because the list changes",
    "locale": "language tags have a grammar that no short pattern expresses",
    "invisible-character": "joiners belong in some places only",
    "noncharacter": "no pattern knows characters from U+10000",
    "blank": "the visible character may be one that only Unicode's properties exclude",
    "time-zone": "the document lists no time zones, because the list changes every year",
    "repeated": "items of a batch must not have the same id, email or external id",
    "mismatch": "the external id in a body must be that in the path",
    "too-short": "the length is that of the trimmed text",
    "too-large": "the limit is in bytes of the whole document",
    "marks": "no pattern limits the number of consecutive combining characters",
    "name-required": "a patch must not remove the customer's only name",
    "name": "keys of the metadata must be in Unicode's normal form C",
}

ZONES = importlib.resources.files("tzdata").joinpath("zones").read_text().split()

schemathesis.openapi.format("time-zone", strategies.sampled_from(sorted({*ZONES} - {"Factory"})))


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    """Make the parts of a request valid that the test case doesn't cover."""
    if case.meta is None:
        return
    is_negative = case.meta.generation.mode.is_negative
    place = getattr(case.meta.phase.data, "parameter_location", None)
    if not is_negative or place not in (None, ParameterLocation.HEADER):
        _fix_headers(case)
    if not is_negative:
        _fix_query(case.query)


def _fix_headers(case: Any) -> None:
    """Replace the bare 0 that Schemathesis generates for If-Match and keeps in later requests."""
    for parameter in case.operation.headers:
        example = parameter.definition.get("example", "")
        pattern = parameter.definition["schema"].get("pattern", "")
        if not re.search(pattern, case.headers.get(parameter.name, example)):
            case.headers[parameter.name] = example


def _fix_query(query: Any) -> None:
    """Remove parameters that can't be combined, so that the others are tested."""
    query.pop("cursor", None)  # signed together with the other parameters
    if "id" in query:
        for name in query.keys() - {"id", "fields"}:
            del query[name]
    if "q" in query:
        query.pop("updated_after", None)
    if "q" in query or "updated_after" in query:
        query.pop("sort", None)


@schemathesis.hook
def filter_failure(_: Any, failure: Exception, __: Any, response: Any) -> bool:
    """Return whether to report the failure."""
    if isinstance(failure, JsonSchemaError) and "fields=" in response.request.url:
        return bool(failure.schema_path[-1] != "required")
    if isinstance(failure, AcceptedNegativeData):
        return not _is_decided_before(response)
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return True
    codes = _codes(response)
    return not codes or not codes <= BEYOND_THE_SCHEMA.keys()


def _is_decided_before(response: Any) -> bool:
    """Return whether the service rejects each item itself, or the preconditions before the body.

    With `handling=lenient`, invalid items have their own status. `If-Match` and `If-None-Match: *`
    exclude each other.
    """
    sent = response.request.headers
    is_contradiction = "If-Match" in sent and sent.get("If-None-Match") == "*"
    return response.status_code == 207 or (response.status_code == 412 and is_contradiction)


def _codes(response: Any) -> set[str]:
    body = response.content
    if not body:  # HEAD has none
        sent = response.request
        body = requests.get(sent.url, headers=sent.headers, timeout=30).content
    return {error["code"] for error in json.loads(body).get("errors", ())}
