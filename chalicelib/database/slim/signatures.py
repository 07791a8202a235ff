"""Signature Version 4, for a POST of JSON to the Data API and for a login to RDS.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
from functools import lru_cache, reduce
from hashlib import sha256
from time import gmtime, strftime
from urllib.parse import quote, urlencode

from chalicelib.database.slim.credentials import Key

TOKEN_SECONDS = 900
"""RDS accepts a token for 15 minutes. A connection that it has opened stays open."""


def signed(host: str, region: str, path: str, body: bytes, key: Key) -> bytes:
    """Return a complete request. The signed headers are sent exactly as signed."""
    date = strftime("%Y%m%dT%H%M%SZ", gmtime())
    scope = f"{date[:8]}/{region}/rds-data/aws4_request"
    names = "content-type;host;x-amz-date"
    headers = f"content-type:application/json\nhost:{host}\nx-amz-date:{date}\n"
    if key.token:
        names += ";x-amz-security-token"
        headers += f"x-amz-security-token:{key.token}\n"
    canonical = f"POST\n{path}\n\n{headers}\n{names}\n{sha256(body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    signature = _hmac(_signing_key(key.secret, scope), text).hex()
    lines = headers.replace("\n", "\r\n")
    return (
        f"POST {path} HTTP/1.1\r\n{lines}accept-encoding:identity\r\n"
        "user-agent:customers-api\r\nauthorization:AWS4-HMAC-SHA256 "
        f"Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}\r\n"
        f"content-length:{len(body)}\r\n\r\n"
    ).encode() + body


def login_token(location: str, region: str, user: str, key: Key) -> str:
    """Return a token that replaces a database user's password, at a server's `host:port`.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.html
    """
    date = strftime("%Y%m%dT%H%M%SZ", gmtime())
    scope = f"{date[:8]}/{region}/rds-db/aws4_request"
    query = {
        "Action": "connect",
        "DBUser": user,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key.id}/{scope}",
        "X-Amz-Date": date,
        "X-Amz-Expires": TOKEN_SECONDS,
        **({"X-Amz-Security-Token": key.token} if key.token else {}),
        "X-Amz-SignedHeaders": "host",
    }
    encoded = urlencode(query, quote_via=quote, safe="")
    canonical = f"GET\n/\n{encoded}\nhost:{location}\n\nhost\n{sha256().hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    signature = _hmac(_signing_key(key.secret, scope), text).hex()
    return f"{location}/?{encoded}&X-Amz-Signature={signature}"


@lru_cache(maxsize=1)
def _signing_key(secret: str, scope: str) -> bytes:
    """Return the signing key, which all requests of a day share."""
    return reduce(_hmac, scope.split("/"), f"AWS4{secret}".encode())


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
