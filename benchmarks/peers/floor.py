"""The floor: the standard library, one persistent socket, and handwritten Signature Version 4.

Not deployable, because TLS, timeouts, reconnecting and handling of Data API errors are missing.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import json
import os
import socket
import time

from benchmarks.peers.handwritten import Handler
from benchmarks.peers.rules import CLUSTER, Database

SERVICE = "rds-data"
PATHS = {"execute_statement": "/Execute", "batch_execute_statement": "/BatchExecute"}
NAMES = "host;x-amz-date;x-amz-security-token"
HOST = os.environ["AWS_ENDPOINT_URL_RDS_DATA"].removeprefix("http://")
connection = socket.create_connection(HOST.split(":"))


def call(operation, **arguments):
    path = PATHS[operation]
    return json.loads(send(path, json.dumps({**CLUSTER, **arguments}).encode()))


def send(path, body):
    """Return the body of the response."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in signed(path, body).items())
    connection.sendall(f"POST {path} HTTP/1.1\r\n{headers}\r\n".encode() + body)
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < size:
        body += connection.recv(65536)
    return body


def signed(path, body):
    """Return the signed headers of a request."""
    now, token = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), os.environ["AWS_SESSION_TOKEN"]
    scope = f"{now[:8]}/{os.environ['AWS_REGION']}/{SERVICE}/aws4_request"
    own = f"host:{HOST}\nx-amz-date:{now}\nx-amz-security-token:{token}\n"
    request = f"POST\n{path}\n\n{own}\n{NAMES}\n{hashlib.sha256(body).hexdigest()}".encode()
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request).hexdigest()}"
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    by = f"Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    return {
        "Host": HOST,
        "X-Amz-Date": now,
        "X-Amz-Security-Token": token,
        "Content-Length": len(body),
        "Content-Type": "application/json",
        "Authorization": f"AWS4-HMAC-SHA256 {by}, SignedHeaders={NAMES}, Signature={key.hex()}",
    }


handler = Handler(Database(call))
