"""The URL of the Data API: in every partition, with FIPS and dual stack, or a custom one.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

import re
from collections.abc import Mapping

from chalicelib.settings import SettingsError

# By prefix of the region: the domain, and the domain of dual stack.
_DOMAINS: Mapping[str, tuple[str, str]] = {
    "cn-": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    "eusc-": ("amazonaws.eu", "api.amazonwebservices.eu"),
    "us-iso-": ("c2s.ic.gov", "api.aws.ic.gov"),
    "us-isob-": ("sc2s.sgov.gov", "api.aws.scloud"),
    "eu-isoe-": ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    "us-isof-": ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    "": ("amazonaws.com", "api.aws"),
}
_NAME = r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*"
_URL = rf"((https?)://(?:{_NAME}|\[[0-9a-f:.]+\])(?::(\d{{1,5}}))?)/?"


def region(environ: Mapping[str, str]) -> str:
    """Return the function's region. Raises SettingsError."""
    name = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    if re.fullmatch("[a-z][a-z0-9-]{0,61}[a-z0-9]", name):
        return name
    raise SettingsError("The environment variable AWS_REGION must name a region, as eu-west-1.")


def choose(environ: Mapping[str, str], region: str, url: str | None) -> str:
    """Return the validated `url`, or else the environment's. Raises SettingsError."""
    url = url or environ.get("AWS_ENDPOINT_URL_RDS_DATA") or environ.get("AWS_ENDPOINT_URL")
    is_fips = environ.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true"
    is_dual = environ.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true"
    if url and (is_fips or is_dual):  # a custom URL is neither
        flags = "AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT"
        raise SettingsError(f"{flags} can't be used with an AWS_ENDPOINT_URL of one's own.")
    if url:
        return parse(url)
    domains = next(pair for start, pair in _DOMAINS.items() if region.startswith(start))
    return f"https://rds-data{'-fips' * is_fips}.{region}.{domains[is_dual]}"


def parse(url: str) -> str:
    """Return `http://host:port` or `https://host` in canonical form.

    Raises SettingsError if it is neither.
    """
    match = re.fullmatch(_URL, url.lower())
    if not match or int(match[3] or 0) > 65_535:  # noqa: PLR2004 (the last port)
        raise SettingsError("The Data API's address must be of the form https://host:port.")
    return match[1].removesuffix(":443" if match[2] == "https" else ":80")
