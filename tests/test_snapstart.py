"""Many environments start from the same snapshot, so it must not contain ids or connections.

The test forks after the import: each child represents a restored environment. It calls the C
library's fork, because Python's reseeds the random numbers, and restoring a snapshot does not.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from benchmarks.meter import LAMBDA
from tests.slim.server import always, serving

PROGRAM = """
import ctypes, json, os, sys
import app
from benchmarks.events import event
from benchmarks.measured import CONTEXT

os.environ |= {"AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
for number in (1, 2):
    if not ctypes.PyDLL(None).fork():
        os.environ["AWS_ACCESS_KEY_ID"] = f"AKIDRESTORED{number}"
        for _ in range(2):
            said = app.app(event("create", 7), CONTEXT)
            with open(sys.argv[1], "a") as file:
                print(json.loads(said["body"])["id"], file=file)
        os._exit(0)
    assert os.wait()[1] == 0
"""
BODY = b'{"numberOfRecordsUpdated":1,"generatedFields":[]}'
CREATED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
RANDOM = (1 << 62) - 1


def test_restored_functions_share_no_id_key_or_connection(tmp_path: Path) -> None:
    with serving(always(CREATED)) as server:
        more = {"AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{server.port}", "PATH": os.defpath}
        environment = {k: v for k, v in LAMBDA.items() if "KEY" not in k or k == "CURSOR_KEY"}
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "ids")]
        subprocess.run(command, env={**environment, **more}, check=True, timeout=60)

    ids = [UUID(line).int & RANDOM for line in (tmp_path / "ids").read_text().split()]
    keys = [re.search(rb"Credential=(\w+)/", request) for request in server.requests]
    assert (len(ids), len(set(ids))) == (4, 4)
    assert [key and key[1] for key in keys] == [b"AKIDRESTORED1"] * 2 + [b"AKIDRESTORED2"] * 2
    assert server.connections == 2
