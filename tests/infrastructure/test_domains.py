"""Faults of a domain are found before anything is changed."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from botocore.response import StreamingBody

from infrastructure import checking, domains, parameters
from infrastructure.domains import check_domain
from infrastructure.findings import Finding
from infrastructure.run import Run
from infrastructure.stacks import Stack
from infrastructure.stages import ROOT, STAGES, Domain
from tests.infrastructure.cloudformation import Template
from tests.infrastructure.stubbed import Aws

ARN = "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd"
NAME = "api.example.com"
OWN = Domain(NAME, certificate=ARN)
IN_ZONE = Domain(NAME, hosted_zone="Z1ABC")
MUTUAL = replace(OWN, truststore="s3://trust/clients.pem", truststore_version="v1")
ZONE = {"Id": "Z1ABC", "Name": "example.com.", "CallerReference": "1"}
PATH = ROOT / "infrastructure" / "domain.yaml"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(Run, "outputs", lambda *_: {"CertificateArn": ARN})
    monkeypatch.setattr(Stack, "exists", True)
    return Aws()


def found(aws: Aws, domain: Domain) -> list[Finding]:
    stage = replace(STAGES["prod"], domain=domain)
    findings = checking.find(Run(aws, stage), [check_domain])
    aws.check_all_were_called()
    return findings


def certificate(**changes: Any) -> dict[str, Any]:
    described = {
        "DomainName": NAME,
        "Status": "ISSUED",
        "Type": "AMAZON_ISSUED",
        "NotAfter": datetime.now(UTC) + timedelta(days=200),
    }
    return {"Certificate": {**described, **changes}}


def test_stage_without_a_domain_needs_nothing(aws: Aws) -> None:
    assert checking.find(Run(aws, STAGES["prod"]), [check_domain]) == []


@pytest.mark.parametrize(
    "names",
    [
        {"DomainName": NAME},
        {"DomainName": "*.example.com"},
        {"DomainName": "example.com", "SubjectAlternativeNames": ["example.com", NAME]},
    ],
)
def test_certificate_that_covers_the_domain_is_no_finding(
    aws: Aws, names: dict[str, object]
) -> None:
    aws.says("acm", "describe_certificate", certificate(**names), {"CertificateArn": ARN})
    assert found(aws, OWN) == []


IN = timedelta(days=1)


@pytest.mark.parametrize(
    ("changes", "words", "is_certain"),
    [
        ({"Status": "PENDING_VALIDATION"}, "has the status PENDING_VALIDATION.", True),
        ({"Status": "EXPIRED"}, "has the status EXPIRED.", True),
        ({"DomainName": "example.com"}, f"is for example.com, not for {NAME}.", True),
        ({"DomainName": "*.com"}, "is for *.com, not", True),
        ({"DomainName": "*.api.example.com"}, "is for *.api.example.com, not", True),
        ({"NotAfter": datetime.now(UTC) + IN * 29}, "expires on 20", False),
        (
            {"RenewalSummary": {"RenewalStatus": "PENDING_VALIDATION"}},
            "can't renew the certificate",
            False,
        ),
        (
            {
                "RenewalSummary": {
                    "RenewalStatus": "FAILED",
                    "RenewalStatusReason": "CAA_ERROR",
                }
            },
            ": FAILED CAA_ERROR.",
            False,
        ),
    ],
)
def test_faulty_certificate_is_found(
    aws: Aws, changes: dict[str, Any], words: str, *, is_certain: bool
) -> None:
    if renewal := changes.get("RenewalSummary"):
        renewal |= {"UpdatedAt": datetime.now(UTC), "DomainValidationOptions": []}
        renewal["DomainValidationOptions"] = [{"DomainName": NAME}]
    aws.says("acm", "describe_certificate", certificate(**changes))
    (finding,) = found(aws, OWN)
    assert words in finding.what
    assert finding.is_certain is is_certain


def test_renewal_in_progress_is_no_finding(aws: Aws) -> None:
    renewal = {
        "RenewalStatus": "PENDING_AUTO_RENEWAL",
        "UpdatedAt": datetime.now(UTC),
        "DomainValidationOptions": [{"DomainName": NAME}],
    }
    aws.says("acm", "describe_certificate", certificate(RenewalSummary=renewal))
    assert found(aws, OWN) == []


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_certificate_of_another_region_is_found(
    aws: Aws, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edge-optimized API would need us-east-1, but this API is regional."""
    elsewhere = ARN.replace("eu-west-1", region)
    monkeypatch.setattr(Run, "outputs", lambda *_: {"CertificateArn": elsewhere})
    (finding,) = found(aws, replace(OWN, certificate=elsewhere))
    assert finding.what == f"The certificate of {NAME} is in {region}, the API in eu-west-1."


def test_missing_certificate_is_found(aws: Aws) -> None:
    aws.denies("acm", "describe_certificate", "ResourceNotFoundException")
    (finding,) = found(aws, OWN)
    assert finding.what == f"The certificate {ARN} does not exist."


def test_renewal_of_the_stacks_own_certificate_is_checked(aws: Aws) -> None:
    soon = certificate(NotAfter=datetime.now(UTC) + IN)
    aws.says("acm", "describe_certificate", soon, {"CertificateArn": ARN})
    aws.says("route53", "get_hosted_zone", {"HostedZone": ZONE}, {"Id": "Z1ABC"})
    (finding,) = found(aws, IN_ZONE)
    assert "expires on" in finding.what


def test_new_domain_needs_only_its_zone(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "exists", False)
    aws.denies("apigateway", "get_domain_name", "NotFoundException")
    aws.says("route53", "get_hosted_zone", {"HostedZone": ZONE})
    assert found(aws, IN_ZONE) == []


def test_domain_of_no_stack_is_found(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "exists", False)
    aws.says("apigateway", "get_domain_name", {"domainName": NAME}, {"domainName": NAME})
    aws.says("acm", "describe_certificate", certificate())
    (finding,) = found(aws, OWN)
    assert f"The domain {NAME} exists in API Gateway, but not the stack" in finding.what


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ({"Name": "example.org."}, "is for example.org, not for api.example.com"),
        ({"Name": "i.example.com."}, "is for i.example.com, not for api.example.com"),
        ({"Config": {"PrivateZone": True}}, "is private"),
    ],
)
def test_wrong_zone_is_found(
    aws: Aws, zone: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "exists", False)
    aws.denies("apigateway", "get_domain_name", "NotFoundException")
    aws.says("route53", "get_hosted_zone", {"HostedZone": {**ZONE, **zone}})
    (finding,) = found(aws, IN_ZONE)
    assert words in finding.what


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (Domain(NAME), "neither a certificate nor a hosted zone"),
        (replace(OWN, certificate="1234abcd"), "1234abcd is not the ARN of a certificate"),
        (replace(OWN, base_path="crm/v1"), "'crm/v1' is not one segment"),
        (replace(MUTUAL, truststore_version=""), "Only one of `truststore`"),
        (replace(MUTUAL, truststore="clients.pem"), "clients.pem is no object in S3"),
    ],
)
def test_wrong_setting_is_found_without_aws(aws: Aws, domain: Domain, words: str) -> None:
    (finding,) = found(aws, domain)
    assert words in finding.what
    assert "infrastructure/stages.py" in finding.remedy


def test_truststore_of_valid_certificates_is_no_finding(aws: Aws) -> None:
    asked = {"Bucket": "trust", "Key": "clients.pem", "VersionId": "v1"}
    authorities = trustme.CA(), trustme.CA()
    content = b"".join(each.cert_pem.bytes() for each in authorities)
    aws.says("acm", "describe_certificate", certificate())
    aws.says("s3", "get_object", {"Body": body(content)}, asked)
    assert found(aws, MUTUAL) == []


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----"])
def test_truststore_without_certificates_is_found(aws: Aws, content: bytes) -> None:
    aws.says("acm", "describe_certificate", certificate())
    aws.says("s3", "get_object", {"Body": body(content)})
    (finding,) = found(aws, MUTUAL)
    assert finding.what == "s3://trust/clients.pem contains no certificates in PEM format."


def test_expired_certificate_of_the_truststore_is_found(aws: Aws) -> None:
    past = datetime.now(UTC) - IN
    signer = trustme.CA()
    expired = signer.issue_cert("old.example.com", not_after=past, not_before=past - IN)
    content = signer.cert_pem.bytes() + expired.cert_chain_pems[0].bytes()
    aws.says("acm", "describe_certificate", certificate())
    aws.says("s3", "get_object", {"Body": body(content)})
    (finding,) = found(aws, MUTUAL)
    assert "1 of 2 certificates in s3://trust/clients.pem expired" in finding.what
    assert not finding.is_certain


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", "NoSuchBucket", "InvalidArgument"])
def test_missing_truststore_is_found(aws: Aws, code: str) -> None:
    aws.says("acm", "describe_certificate", certificate())
    aws.denies("s3", "get_object", code)
    (finding,) = found(aws, MUTUAL)
    assert finding.what == "s3://trust/clients.pem has no version v1."


def test_mutual_tls_needs_a_certificate_of_acm(aws: Aws) -> None:
    aws.says("acm", "describe_certificate", certificate(Type="IMPORTED"))
    aws.says("s3", "get_object", {"Body": body(trustme.CA().cert_pem.bytes())})
    (finding,) = found(aws, MUTUAL)
    assert "is not issued by ACM (IMPORTED)" in finding.what


def test_denied_check_is_no_certain_finding(aws: Aws) -> None:
    aws.denies("acm", "describe_certificate")
    (finding,) = found(aws, OWN)
    assert not finding.is_certain


def test_domain_is_checked_before_provision() -> None:
    assert domains.check_domain in checking.BEFORE_PROVISION


def body(content: bytes) -> StreamingBody:
    return StreamingBody(io.BytesIO(content), len(content))


def template(domain: Domain) -> Template:
    return Template(PATH, parameters.domain(domain))


def test_template_with_a_given_certificate() -> None:
    made = template(OWN)
    (domain,) = made.of_type("AWS::ApiGateway::DomainName").values()

    assert made.refusals() == []
    assert made.resources.keys() == {"Domain"}
    assert domain["RegionalCertificateArn"] == ARN
    assert domain["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert domain["SecurityPolicy"] == "TLS_1_2"
    assert "MutualTlsAuthentication" not in domain


def test_template_with_a_zone_issues_a_certificate_and_creates_the_record() -> None:
    made = template(IN_ZONE)
    (own,) = made.of_type("AWS::CertificateManager::Certificate").values()
    (record,) = made.of_type("AWS::Route53::RecordSet").values()

    assert made.refusals() == []
    assert own["ValidationMethod"] == "DNS"
    assert own["DomainValidationOptions"] == [{"DomainName": NAME, "HostedZoneId": "Z1ABC"}]
    assert (record["Name"], record["Type"], record["HostedZoneId"]) == (NAME, "A", "Z1ABC")
    assert made.document["Resources"]["Record"]["Properties"]["AliasTarget"] == {
        "DNSName": {"Fn::GetAtt": ["Domain", "RegionalDomainName"]},
        "HostedZoneId": {"Fn::GetAtt": ["Domain", "RegionalHostedZoneId"]},
    }


def test_template_with_mutual_tls() -> None:
    (domain,) = template(MUTUAL).of_type("AWS::ApiGateway::DomainName").values()
    assert domain["MutualTlsAuthentication"] == {
        "TruststoreUri": "s3://trust/clients.pem",
        "TruststoreVersion": "v1",
    }


@pytest.mark.parametrize(
    ("domain", "refused"),
    [
        (Domain(NAME), "Set CertificateArn"),
        (replace(MUTUAL, truststore_version=""), "Set TruststoreVersion"),
        (replace(OWN, name="https://api.example.com"), "DomainName"),
        (replace(OWN, name="API.example.com"), "DomainName"),
    ],
)
def test_template_rejects_impossible_values(domain: Domain, refused: str) -> None:
    assert [said[: len(refused)] for said in template(domain).refusals()] == [refused]
