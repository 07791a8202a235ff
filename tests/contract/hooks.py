"""What Schemathesis is told of this API: values that only it knows, and rules beyond JSON Schema.

A request that the schema admits may still break a rule that no schema can tell. Such an answer is
accepted when it is 400 and every error in it has the code of one of these rules.
"""

import importlib.resources
import json
import re
from typing import Any

import requests
import schemathesis
from hypothesis import strategies
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData

BEYOND_THE_SCHEMA = {
    "email": "what is an address is more than its form: domains have rules, too",
    "time-zone": "the document has no list of the zones, as that changes every year",
    "repeated": "two customers of a batch must not have the same email or external id",
    "too-short": "text is measured when it is trimmed",
    "too-large": "it is counted in bytes of the whole",
    "marks": "how many combining characters follow each other, no pattern counts",
    "name": "a name of the metadata must be in Unicode's normal form C",
}

ZONES = importlib.resources.files("tzdata").joinpath("zones").read_text().split()

schemathesis.openapi.format("time-zone", strategies.sampled_from(sorted({*ZONES} - {"Factory"})))


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    """Mend what a request is not about."""
    if case.meta is None:
        return
    is_negative = case.meta.generation.mode.is_negative
    place = getattr(case.meta.phase.data, "parameter_location", None)
    if not is_negative or place not in (None, ParameterLocation.HEADER):
        _mend_headers(case)
    if not is_negative:
        _mend_query(case.query)


def _mend_headers(case: Any) -> None:
    """Replace the bare 0 that Schemathesis tries out for If-Match, and then sends along."""
    for parameter in case.operation.headers:
        example = parameter.definition.get("example", "")
        pattern = parameter.definition["schema"].get("pattern", "")
        if not re.search(pattern, case.headers.get(parameter.name, example)):
            case.headers[parameter.name] = example


def _mend_query(query: Any) -> None:
    """Leave out what does not go together, so that the rest is tried."""
    query.pop("cursor", None)  # the service signs it for the other parameters
    if "q" in query:
        query.pop("updated_after", None)
    if "q" in query or "updated_after" in query:
        query.pop("sort", None)


@schemathesis.hook
def filter_failure(_: Any, failure: Exception, __: Any, response: Any) -> bool:
    """Return whether the failure is one."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return True
    codes = _codes(response)
    return not codes or not codes <= BEYOND_THE_SCHEMA.keys()


def _codes(response: Any) -> set[str]:
    body = response.content
    if not body:  # HEAD leaves it out
        sent = response.request
        body = requests.get(sent.url, headers=sent.headers, timeout=30).content
    return {error["code"] for error in json.loads(body).get("errors", ())}
