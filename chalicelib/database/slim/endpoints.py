"""Where the Data API is: in every partition, with FIPS and dual stack, or elsewhere.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from chalicelib.database.slim.connections import Address
from chalicelib.settings import SettingsError

_DEFAULT = ("amazonaws.com", "api.aws")
# By how regions' names begin: the domain, and that of dual stack. GovCloud has the default ones.
_DOMAINS: Mapping[str, tuple[str, str]] = {
    "cn-": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    "eusc-": ("amazonaws.eu", "api.amazonwebservices.eu"),
    "us-iso-": ("c2s.ic.gov", "api.aws.ic.gov"),
    "us-isob-": ("sc2s.sgov.gov", "api.aws.scloud"),
    "eu-isoe-": ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    "us-isof-": ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
}


def region(environ: Mapping[str, str]) -> str:
    """Return the function's region. Raises SettingsError."""
    name = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    if re.fullmatch("[a-z][a-z0-9-]{0,61}[a-z0-9]", name):
        return name
    raise SettingsError("The environment variable AWS_REGION must name a region, as eu-west-1.")


def choose(environ: Mapping[str, str], region: str, url: str | None) -> Address:
    """Return the address at `url`, or else the environment's. Raises SettingsError."""
    url = url or environ.get("AWS_ENDPOINT_URL_RDS_DATA") or environ.get("AWS_ENDPOINT_URL")
    is_fips = _is_set(environ, "AWS_USE_FIPS_ENDPOINT")
    is_dual = _is_set(environ, "AWS_USE_DUALSTACK_ENDPOINT")
    if url and (is_fips or is_dual):  # which would be neither
        raise SettingsError(
            "AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT can't be used with an endpoint's"
            " own address, AWS_ENDPOINT_URL_RDS_DATA or AWS_ENDPOINT_URL."
        )
    if url:
        return parse(url)
    domains = (pair for start, pair in _DOMAINS.items() if region.startswith(start))
    domain = next(domains, _DEFAULT)[is_dual]
    return Address(True, f"rds-data{'-fips' * is_fips}.{region}.{domain}", 443)


def parse(url: str) -> Address:
    """Return the address that `http://host:port` or `https://host` is. Raises SettingsError."""
    try:
        parts = urlsplit(url)
        is_https, host = parts.scheme == "https", parts.hostname or ""
        port = parts.port or (443 if is_https else 80)
    except ValueError:
        host = ""
    named = re.fullmatch(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*|[0-9a-f:]*:[0-9a-f:.]*", host)
    if (
        not named
        or parts.scheme not in {"http", "https"}
        or "@" in parts.netloc
        or url != (f"{url.partition(':')[0]}://{parts.netloc}{'/' * url.endswith('/')}")
    ):
        raise SettingsError("The Data API's address must be of the form https://host:port.")
    return Address(is_https, host, port)


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() == "true"
