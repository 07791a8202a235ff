"""What would stop a stage's domain: its settings, its certificate, and the truststore of clients.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-regional-api-custom-domain-create.html
         https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
         https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from cryptography import x509

from infrastructure.failures import code_of
from infrastructure.findings import Finding, Findings
from infrastructure.run import Run
from infrastructure.stages import Domain

SOON = timedelta(days=30)  # ACM renews its certificates 60 days before they expire
SEGMENT = re.compile(r"[A-Za-z0-9$_.+!*'()-]*")
CERTIFICATE = re.compile(r"(arn:[^:]+:acm:[^:]+:\d{12}:certificate/.+)?")
OBJECT = re.compile(r"s3://([^/]+)/(.+)")
MISSING = {"InvalidArgument", "NoSuchBucket", "NoSuchKey", "NoSuchVersion", "NotFoundException"}
PAGE = "docs/deploying.md, Custom domain"
REJECTED = "`provision` or `deploy` fails after other stacks were changed."


def check_domain(run: Run) -> Findings:
    """Check the stage's domain, if it has one."""
    if not (domain := run.stage.domain):
        return
    wrong = list(_settings(domain))
    yield from wrong
    if wrong:
        return
    certificate = domain.certificate
    if run.stack("domain").exists:
        certificate = run.outputs("domain")["CertificateArn"]
    else:
        yield from _taken(run, domain)
    if certificate:
        yield from _certificate(run, domain, certificate)
    if domain.hosted_zone:
        yield from _zone(run, domain)
    if domain.truststore:
        yield from _truststore(run, domain)


def _settings(domain: Domain) -> Findings:
    if not (domain.certificate or domain.hosted_zone):
        yield _wrong(
            f"{domain.name} has neither a certificate nor a hosted zone.",
            "Set `certificate`, or set `hosted_zone` so that ACM can issue a certificate.",
        )
    if not CERTIFICATE.fullmatch(domain.certificate):
        yield _wrong(
            f"{domain.certificate} is not the ARN of a certificate.",
            "`aws acm list-certificates` prints the ARNs.",
        )
    if not SEGMENT.fullmatch(domain.base_path):
        yield _wrong(
            f"The base path {domain.base_path!r} is not one segment of a path.",
            "Use letters, digits and $-_.+!*'(), without a slash, such as crm.",
        )
    if bool(domain.truststore) != bool(domain.truststore_version):
        yield _wrong(
            "Only one of `truststore` and `truststore_version` is set.",
            "Set both: a new version of the file takes effect only if the stack changes.",
        )
    elif domain.truststore and not OBJECT.fullmatch(domain.truststore):
        yield _wrong(f"{domain.truststore} is no object in S3.", "Use s3://bucket/key.")


def _wrong(what: str, remedy: str) -> Finding:
    return Finding(what, REJECTED, f"{remedy} It is in infrastructure/stages.py ({PAGE}).")


def _taken(run: Run, domain: Domain) -> Findings:
    """Look for the domain outside the stage's stack."""
    try:
        run.session.client("apigateway").get_domain_name(domainName=domain.name)
    except ClientError as error:
        if code_of(error) in MISSING:
            return
        raise
    yield Finding(
        f"The domain {domain.name} exists in API Gateway, but not the stack"
        f" {run.stage.stack('domain')}.",
        "CloudFormation can't create a second domain of this name.",
        "Delete the other domain, or use another name for this stage.",
    )


def _certificate(run: Run, domain: Domain, arn: str) -> Findings:
    region = arn.split(":")[3]
    if region != run.session.region_name:
        yield Finding(
            f"The certificate of {domain.name} is in {region}, the API in"
            f" {run.session.region_name}.",
            "The API is regional: API Gateway accepts only a certificate of the same region.",
            f"Request a certificate in {run.session.region_name} ({PAGE}).",
        )
        return
    try:
        found = run.session.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        yield Finding(
            f"The certificate {arn} does not exist.",
            REJECTED,
            "Check account, region and `certificate` in infrastructure/stages.py.",
        )
        return
    yield from _content(domain, found)


def _content(domain: Domain, found: Mapping[str, Any]) -> Findings:
    status, names = found["Status"], found.get("SubjectAlternativeNames", [])
    if status != "ISSUED":
        yield Finding(
            f"The certificate of {domain.name} has the status {status}.",
            "API Gateway accepts only an issued certificate, and clients only a valid one.",
            "For PENDING_VALIDATION, create the DNS record that `aws acm describe-certificate`"
            " prints. Otherwise request another certificate.",
        )
        return
    if not any(_covers(name, domain.name) for name in {found["DomainName"], *names}):
        yield Finding(
            f"The certificate is for {', '.join(sorted({found['DomainName'], *names}))}, not for"
            f" {domain.name}.",
            "Clients would reject the certificate. A wildcard covers one label only.",
            f"Request a certificate for {domain.name} ({PAGE}).",
        )
    if domain.truststore and found["Type"] != "AMAZON_ISSUED":
        yield Finding(
            f"The certificate of {domain.name} is not issued by ACM ({found['Type']}).",
            "With mutual TLS, API Gateway then requires a second certificate as a proof of"
            " ownership, which the stack doesn't support.",
            "Use a certificate that ACM has issued.",
        )
    yield from _expiry(domain, found)


def _covers(name: str, domain: str) -> bool:
    """Return whether a name of a certificate covers the domain (RFC 9525, 6.3)."""
    if name.startswith("*."):
        return domain.partition(".")[2] == name.removeprefix("*.")
    return name == domain


def _expiry(domain: Domain, found: Mapping[str, Any]) -> Findings:
    renewal = found.get("RenewalSummary", {})
    why = "After that, clients can't connect."
    if renewal.get("RenewalStatus") in {"PENDING_VALIDATION", "FAILED"}:
        yield Finding(
            f"ACM can't renew the certificate of {domain.name}, which expires on"
            f" {found['NotAfter']:%Y-%m-%d}: {renewal['RenewalStatus']}"
            f" {renewal.get('RenewalStatusReason', '')}".rstrip()
            + ".",
            why,
            "Create the DNS record of the validation again: `aws acm describe-certificate`"
            " prints it. Check CAA records of the domain.",
            is_certain=False,
        )
    elif found["NotAfter"] - datetime.now(UTC) < SOON:
        yield Finding(
            f"The certificate of {domain.name} expires on {found['NotAfter']:%Y-%m-%d}.",
            why,
            "If you have imported the certificate, import its successor under the same ARN."
            " Otherwise request another certificate.",
            is_certain=False,
        )


def _zone(run: Run, domain: Domain) -> Findings:
    zone = run.session.client("route53").get_hosted_zone(Id=domain.hosted_zone)["HostedZone"]
    name = zone["Name"].rstrip(".")
    if not f".{domain.name}".endswith(f".{name}"):
        yield Finding(
            f"The hosted zone {domain.hosted_zone} is for {name}, not for {domain.name}.",
            REJECTED,
            "Set `hosted_zone` in infrastructure/stages.py to the zone of the domain.",
        )
    if zone.get("Config", {}).get("PrivateZone"):
        yield Finding(
            f"The hosted zone {domain.hosted_zone} is private.",
            "ACM doesn't find its record there, and never issues the certificate.",
            "Set `hosted_zone` in infrastructure/stages.py to the public zone of the domain.",
        )


def _truststore(run: Run, domain: Domain) -> Findings:
    """Check the object's version, and the certificates in it."""
    bucket, key = OBJECT.fullmatch(domain.truststore).groups()  # type: ignore[union-attr]
    version = {"Bucket": bucket, "Key": key, "VersionId": domain.truststore_version}
    try:
        content = run.session.client("s3").get_object(**version)["Body"].read()
    except ClientError as error:
        if code_of(error) not in MISSING:
            raise
        yield Finding(
            f"{domain.truststore} has no version {domain.truststore_version}.",
            REJECTED,
            "`aws s3api list-object-versions` prints the versions. The bucket must be versioned.",
        )
        return
    try:
        certificates = x509.load_pem_x509_certificates(content)
    except ValueError:
        yield Finding(
            f"{domain.truststore} contains no certificates in PEM format.",
            "API Gateway would let no client connect.",
            "Upload the certificates that sign those of clients, one after the other.",
        )
        return
    now = datetime.now(UTC)
    if expired := [each for each in certificates if each.not_valid_after_utc < now]:
        yield Finding(
            f"{len(expired)} of {len(certificates)} certificates in {domain.truststore} expired.",
            "Clients whose certificates they signed can't connect.",
            "Upload their successors, and set `truststore_version` to the new version.",
            is_certain=False,
        )
