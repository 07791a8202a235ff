"""API Gateway's settings agree with the code, the OpenAPI document and the operators' queries."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

import app
from infrastructure import firewall, gateway
from infrastructure.gateway_responses import RESPONSES
from infrastructure.stages import CLIENT_SHARE, STAGES, Stage
from tests.infrastructure.operations import TEMPLATE

DRAFT_4 = {"type", "properties", "required", "items", "additionalProperties"} | {
    *("minItems", "maxItems", "minLength", "maxLength", "maxProperties"),
}
DOCUMENT = gateway.document(STAGES["prod"])
WITH_BODIES = {
    ("/customers", "POST"): "CustomerCreation",
    ("/customers", "PATCH"): "CustomerPatchList",
    ("/customers/delete", "POST"): "CustomerReferenceList",
    ("/customers/batch", "POST"): "CustomerCreationList",
    ("/customers/by-external-id/{external_id}", "PUT"): "CustomerReplacement",
    ("/customers/by-external-id/{external_id}", "PATCH"): "CustomerPatch",
    ("/customers/{customer_id}", "PUT"): "CustomerReplacement",
    ("/customers/{customer_id}", "PATCH"): "CustomerPatch",
}

every_stage = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)


def methods() -> set[tuple[str, str]]:
    return {(each.path, method) for each in app.operation.table.values() for method in each.methods}


def schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and its nested schemas."""
    if isinstance(schema, dict):
        yield schema
        for each in (*schema.get("properties", {}).values(), schema.get("items")):
            yield from schemas(each)
        yield from schemas(schema.get("additionalProperties"))


def test_document_is_json() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_bodies_have_models_for_the_media_types_that_the_app_accepts() -> None:
    found = {
        (path, method): set(models.values())
        for path, named in DOCUMENT["bodies"].items()
        for method, models in named.items()
        if path.startswith("/customers")
    }
    patch = DOCUMENT["bodies"]["/customers/{customer_id}"]["PATCH"]

    assert found == {key: {name} for key, name in WITH_BODIES.items()}
    assert patch.keys() == {"application/json", "application/merge-patch+json"}
    every = [
        set(models.values()) for named in DOCUMENT["bodies"].values() for models in named.values()
    ]
    assert DOCUMENT["models"].keys() == set().union(*every)


@pytest.mark.parametrize("name", WITH_BODIES.values())
def test_model_is_draft_4_without_references(name: str) -> None:
    found = list(schemas(DOCUMENT["models"][name]))

    assert found[0]["type"] == "object"
    assert found[0]["additionalProperties"] is False
    for schema in found:
        assert schema.keys() <= DRAFT_4
        assert isinstance(schema.get("type", ""), str)


def test_model_has_no_type_for_nullable_fields() -> None:
    fields = DOCUMENT["models"]["CustomerCreation"]["properties"]

    assert fields["given_name"] == {"minLength": 1, "maxLength": 2_400}
    assert fields["email"]["type"] == "string"
    assert "id" not in fields
    assert DOCUMENT["models"]["CustomerReplacement"]["properties"]["id"] == {}
    assert DOCUMENT["models"]["CustomerPatch"]["properties"]["metadata"] == {}


def test_cached_reads_are_keyed_by_the_caller() -> None:
    keyed = {(path, method) for path, named in DOCUMENT["cache_keys"].items() for method in named}

    with_scope = {
        (operation.path, "GET")
        for operation in app.operation.table.values()
        if operation.scope and "GET" in operation.methods
    }
    assert keyed == with_scope
    assert keyed >= {("/customers", "GET"), ("/customers/{customer_id}", "GET")}
    for named in DOCUMENT["cache_keys"].values():
        assert named["GET"] == ["method.request.header.Authorization"]
    assert DOCUMENT["cache_cluster"] is False


@every_stage
def test_settings_limit_every_method_and_name_only_existing_ones(stage: Stage) -> None:
    every, *some = gateway.settings(stage)
    named = {(each["ResourcePath"][1:].replace("~1", "/"), each["HttpMethod"]) for each in some}

    assert (every["ResourcePath"], every["HttpMethod"]) == ("/*", "*")
    assert every["ThrottlingRateLimit"] == stage.rate
    assert every["ThrottlingBurstLimit"] == stage.burst
    assert named <= methods()
    assert len(named) == len(some)
    for each in some:
        assert each["ResourcePath"].startswith("/~1")
        assert 0 < each["ThrottlingRateLimit"] < stage.rate
        assert 1 <= each["ThrottlingBurstLimit"] < stage.burst


@every_stage
def test_settings_log_no_bodies_and_cache_nothing_unencrypted(stage: Stage) -> None:
    for each in gateway.settings(stage):
        assert each["DataTraceEnabled"] is False
        assert each["LoggingLevel"] == "OFF"
        assert each["CachingEnabled"] is False
        assert each["CacheDataEncrypted"] is True
        assert each["MetricsEnabled"] is True


def test_batch_has_a_smaller_share_than_a_single_create() -> None:
    """Each batch creates up to a hundred customers."""
    table = app.operation.table

    assert table["create_customers"].share * 25 <= table["create_customer"].share


@every_stage
def test_operation_is_throttled_to_its_declared_share(stage: Stage) -> None:
    limits = {
        (each["ResourcePath"][1:].replace("~1", "/"), each["HttpMethod"]): each
        for each in gateway.settings(stage)
    }

    for operation in app.operation.table.values():
        for method in operation.methods:
            limit = limits.get((operation.path, method), limits["*", "*"])
            assert limit["ThrottlingRateLimit"] == stage.rate * operation.share


def test_access_log_has_the_fields_that_operators_query() -> None:
    log_format = json.loads(DOCUMENT["access_log"])

    assert log_format == json.loads(TEMPLATE.document["Outputs"]["AccessLogFormat"]["Value"])
    assert log_format["request_id"] == "$context.requestId"
    personal = ("identity.sourceIp", "identity.userAgent", ".path", "principalId", "requestTime")
    assert not any(word in DOCUMENT["access_log"] for word in personal)


def test_every_gateway_response_is_defined() -> None:
    assert {each["ResponseType"] for each in DOCUMENT["responses"]} == RESPONSES.keys()


@every_stage
def test_usage_plan_allows_several_keys(stage: Stage) -> None:
    plan = gateway.usage_plan(stage)

    assert 0 < plan["Throttle"]["RateLimit"] < stage.rate
    assert 0 < plan["Throttle"]["BurstLimit"] < stage.burst


# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL-custom-data-identifiers.html
CUSTOM_REGEX = r"[a-zA-Z0-9_#=@/;,\- ^$?\[\]{}|\\*+.]{1,200}"
COMMON_RULES = set(
    "NoUserAgent_HEADER UserAgent_BadBots_HEADER SizeRestrictions_QUERYSTRING"
    " SizeRestrictions_Cookie_HEADER SizeRestrictions_BODY SizeRestrictions_URIPATH"
    " EC2MetaDataSSRF_BODY EC2MetaDataSSRF_COOKIE EC2MetaDataSSRF_URIPATH"
    " EC2MetaDataSSRF_QUERYARGUMENTS GenericLFI_QUERYARGUMENTS GenericLFI_URIPATH GenericLFI_BODY"
    " RestrictedExtensions_URIPATH RestrictedExtensions_QUERYARGUMENTS GenericRFI_QUERYARGUMENTS"
    " GenericRFI_BODY GenericRFI_URIPATH CrossSiteScripting_COOKIE"
    " CrossSiteScripting_QUERYARGUMENTS CrossSiteScripting_BODY CrossSiteScripting_URIPATH".split()
)


@every_stage
@pytest.mark.parametrize("name", ["rate-of-an-address", "rate-without-token", "rate-of-a-token"])
def test_firewall_tells_a_client_when_to_retry(stage: Stage, name: str) -> None:
    firewall = gateway.document(stage)["firewall"]
    (rate,) = [rule for rule in firewall["Rules"] if rule["Name"] == name]
    response = rate["Action"]["Block"]["CustomResponse"]
    headers = {each["Name"]: each["Value"] for each in response["ResponseHeaders"]}
    body = firewall["CustomResponseBodies"][response["CustomResponseBodyKey"]]

    assert response["ResponseCode"] == 429
    seconds = rate["Statement"]["RateBasedStatement"]["EvaluationWindowSec"]
    assert headers["Retry-After"] == str(seconds)
    assert headers["Access-Control-Expose-Headers"] == "Retry-After"
    assert "content-type" not in {name.lower() for name in headers}  # WAF rejects it
    assert body["ContentType"] == "APPLICATION_JSON"
    problem = json.loads(body["Content"])
    assert problem["type"].endswith("#too-many-requests")
    assert problem["status"] == 429
    assert str(seconds) in problem["detail"]


@every_stage
def test_firewall_allows_large_bodies_and_limits_addresses(stage: Stage) -> None:
    rules = {rule["Name"]: rule for rule in gateway.document(stage)["firewall"]["Rules"]}
    common = rules["AWSManagedRulesCommonRuleSet"]["Statement"]["ManagedRuleGroupStatement"]
    overridden = {each["Name"]: each["ActionToUse"] for each in common["RuleActionOverrides"]}
    rate = rules["rate-of-an-address"]

    of_bodies = {rule for rule in COMMON_RULES if rule.endswith("_BODY")}
    assert of_bodies <= {name for name, each in overridden.items() if each == {"Count": {}}}
    assert overridden.keys() <= COMMON_RULES
    assert "AWSManagedRulesKnownBadInputsRuleSet" in rules
    assert rate["Statement"]["RateBasedStatement"]["Limit"] == stage.rate * 150
    assert len({rule["Priority"] for rule in rules.values()}) == len(rules)
    assert yaml.safe_dump(rules).count("SampledRequestsEnabled: false") == len(rules)


@every_stage
def test_firewall_blocks_addresses_of_bad_reputation_but_no_servers(stage: Stage) -> None:
    """Clients are programs, many of which run at hosting providers."""
    rules = {rule["Name"]: rule for rule in firewall.properties(stage)["Rules"]}
    anonymous = rules["AWSManagedRulesAnonymousIpList"]["Statement"]["ManagedRuleGroupStatement"]

    assert rules["AWSManagedRulesAmazonIpReputationList"]["OverrideAction"] == {"None": {}}
    assert anonymous["RuleActionOverrides"] == [
        {"Name": "HostingProviderIPList", "ActionToUse": {"Count": {}}}
    ]


@every_stage
def test_firewall_limits_requests_without_a_token_further(stage: Stage) -> None:
    rules = {rule["Name"]: rule["Statement"] for rule in firewall.properties(stage)["Rules"]}
    limits = [rules[name]["RateBasedStatement"] for name in rules if name.startswith("rate-")]
    every, tokenless, _ = limits
    present = tokenless["ScopeDownStatement"]["NotStatement"]["Statement"]

    assert 10 <= tokenless["Limit"] < every["Limit"] / 10
    assert present["SizeConstraintStatement"]["FieldToMatch"] == {
        "SingleHeader": {"Name": "authorization"}
    }


@every_stage
def test_firewall_limits_each_token_to_the_share_of_a_client(stage: Stage) -> None:
    rules = {rule["Name"]: rule["Statement"] for rule in firewall.properties(stage)["Rules"]}
    rate = rules["rate-of-a-token"]["RateBasedStatement"]
    (key,) = rate["CustomKeys"]

    assert rate["AggregateKeyType"] == "CUSTOM_KEYS"
    assert key["Header"]["Name"] == "authorization"
    assert rate["Limit"] / rate["EvaluationWindowSec"] == stage.rate * CLIENT_SHARE
    assert rate["EvaluationWindowSec"] in {60, 120, 300, 600}  # the windows that WAF accepts


def test_stage_that_limits_callers_does_not_limit_tokens_too() -> None:
    """API Gateway throttles exactly there, and the firewall would block instead."""
    stage = replace(STAGES["prod"], limit_by="caller")
    names = [rule["Name"] for rule in firewall.properties(stage)["Rules"]]

    assert "rate-of-a-token" not in names
    assert {"rate-of-an-address", "rate-without-token"} <= set(names)


@every_stage
def test_every_firewall_response_with_429_says_when_to_retry(stage: Stage) -> None:
    for rule in firewall.properties(stage)["Rules"]:
        if "Action" in rule:
            response = rule["Action"]["Block"]["CustomResponse"]
            names = {each["Name"] for each in response["ResponseHeaders"]}
            assert response["ResponseCode"] == 429
            assert "Retry-After" in names


def test_firewall_logs_only_what_it_stops_without_personal_data() -> None:
    logging, masking = firewall.logging(), firewall.masking("aws")
    (kept,) = logging["LoggingFilter"]["Filters"]
    hidden = {each["SingleHeader"]["Name"] for each in logging["RedactedFields"][1:]}
    audited, masked = masking["Statement"]

    assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"
    assert [each["ActionCondition"]["Action"] for each in kept["Conditions"]] == ["BLOCK", "COUNT"]
    assert logging["RedactedFields"][0] == {"QueryString": {}}
    assert hidden >= {"authorization", "cookie", "x-forwarded-for"}
    assert audited["DataIdentifier"] == masked["DataIdentifier"]
    assert {each.rpartition("/")[2] for each in masked["DataIdentifier"]} >= {
        "EmailAddress",
        "IpAddress",
    }
    assert masked["Operation"] == {"Deidentify": {"MaskConfig": {}}}
    (phone,) = masking["Configuration"]["CustomDataIdentifier"]
    assert phone["Name"] in masked["DataIdentifier"]
    for path in ("/customers/+442079460000", "/customers/%2B442079460000"):
        assert re.sub(phone["Regex"], "", path) in {"/customers/", "/customers/%2"}
    assert re.fullmatch(CUSTOM_REGEX, phone["Regex"])
