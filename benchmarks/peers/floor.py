"""The minimum: the standard library, one persistent socket, and handwritten Signature Version 4.

Not deployable: it has no TLS, timeouts, reconnects or handling of Data API errors.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import json
import os
import socket
import time
import uuid

from benchmarks.peers.rules import GET, INSERT, LIST, LONGEST, customers, errors, parameters

PATH, SERVICE = "/Execute", "rds-data"
NAMES = "host;x-amz-date;x-amz-security-token"
HOST = os.environ["AWS_ENDPOINT_URL_RDS_DATA"].removeprefix("http://")
CLUSTER = {
    "resourceArn": os.environ["DATABASE_RESOURCE_ARN"],
    "secretArn": os.environ["DATABASE_SECRET_ARN"],
    "database": "customers",
}
connection = socket.create_connection(HOST.split(":"))


def handler(event, _context):
    if event["httpMethod"] == "POST":
        return create(json.loads(event["body"]))
    if path := event["pathParameters"]:
        found = execute(GET, id=path["customer_id"])
        return answer(200, found[0]) if found else answer(404, {"message": "Not found"})
    limit = int((event["queryStringParameters"] or {}).get("limit", 20))
    return answer(200, {"items": execute(LIST, rows=limit)})


def create(body):
    if wrong := errors(body):
        return answer(400, {"errors": wrong})
    customer = {"id": str(uuid.uuid4()), **dict.fromkeys(LONGEST), "status": "active", **body}
    execute(INSERT, **customer)
    return answer(201, customer)


def execute(sql, **values):
    document = {**CLUSTER, "sql": sql, "parameters": parameters(values)}
    return customers(json.loads(send(json.dumps(document).encode())))


def send(body):
    """Return the body of the response."""
    head = "".join(f"{name}: {value}\r\n" for name, value in signed(body).items())
    connection.sendall(f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + body)
    said, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    size = int(said.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < size:
        body += connection.recv(65536)
    return body


def signed(body):
    """Return the signed headers of a request."""
    now, token = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), os.environ["AWS_SESSION_TOKEN"]
    scope = f"{now[:8]}/{os.environ['AWS_REGION']}/{SERVICE}/aws4_request"
    own = f"host:{HOST}\nx-amz-date:{now}\nx-amz-security-token:{token}\n"
    request = f"POST\n{PATH}\n\n{own}\n{NAMES}\n{hashlib.sha256(body).hexdigest()}".encode()
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request).hexdigest()}"
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    by = f"Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    found = f"AWS4-HMAC-SHA256 {by}, SignedHeaders={NAMES}, Signature={key.hex()}"
    more = {"X-Amz-Date": now, "X-Amz-Security-Token": token, "Content-Length": len(body)}
    return {"Host": HOST, **more, "Content-Type": "application/json", "Authorization": found}


def answer(status, body):
    headers = {"Content-Type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
