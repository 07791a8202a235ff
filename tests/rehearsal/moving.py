"""Move the stage's data to `python -m serve` and back, with the commands of docs/serve.md."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests

from infrastructure.run import Run
from infrastructure.smoke import MERGE_PATCH, Client
from local.processes import Child, answers, free_port
from tests.rehearsal.checks import expect
from tests.rehearsal.emulator import REGION

BATCHES, BATCH = 2, 100
FEW = 10
THREADS = 4
LIST = "/customers?include_deleted=true&sort=created_at&limit=100"
FEED = "/customers/changes?limit=100"

JSONObject = dict[str, Any]


class Move:
    """Customers in every state, which move from a stage to a server, and back.

    `start` runs a module of Python with variables of the environment.
    """

    def __init__(self, run: Run, token: str, start: Callable[..., Child]) -> None:
        self._run = run
        self._start = start
        self._stage = Client(str(run.url), token)
        self._port = free_port()
        self._server = Client(f"http://127.0.0.1:{self._port}", token)
        self._erased: list[str] = []

    def prepare(self) -> str:
        """Create customers of the stage; change, delete, restore and erase some of them."""
        batches = [_create(self._stage, number) for number in range(BATCHES)]
        created = [customer for batch in batches for customer in batch.json()["items"]]
        changed, deleted = created[:BATCH], created[-BATCH:]
        patches = [_reference(customer) | {"metadata": {"plan": "ü"}} for customer in changed]
        self._stage.send(200, "PATCH", "/customers", {"items": patches})
        references = [_reference(customer) for customer in deleted]
        self._stage.send(204, "POST", "/customers/delete", {"items": references})
        for customer in deleted[:FEW]:
            self._stage.send(200, "POST", f"/customers/{customer['id']}/restore")
        for customer in (*changed[-FEW:], *deleted[-FEW:]):
            self._erase(self._stage, customer["id"])
        return f"{len(created)} customers, {len(self._erased)} of them erased"

    def move(self, database_url: str) -> str:
        """Copy all data to the server's database, change some there, and copy all back.

        Raises Failure if the API responds differently on the other side.
        """
        self._database_url = database_url
        before, changes = self._responses(self._stage), _items(self._stage, FEED)
        # The feed is a minute late; the consumer of events has waited for later erasures.
        erased = {item["id"] for item in changes if "erased_at" in item}
        expect("whether the feed shows the erasures", erased.issuperset(self._erased), wanted=True)
        self._run_module("migrations")
        pulled = self._run_module("serve", "pull", **self._stage_variables())
        with self._serving():
            _compare(self._responses(self._server), before)
            same = _items(self._server, FEED)[: len(changes)] == changes
            expect("whether the feed begins with the same changes", same, wanted=True)
            replayed = _create(self._server, 0).headers.get("Idempotency-Replayed")
            expect("whether a create with a key of the stage is replayed", replayed, "true")
            self._change()
            after = self._responses(self._server)
        pushed = self._run_module("serve", "push", **self._stage_variables())
        _compare(self._responses(self._stage), after)
        return f"{pulled}, {pushed}: {len(before)} and {len(after)} responses are the same"

    def _change(self) -> None:
        """Create a customer of the server, and change, delete and erase others there."""
        live = [item for item in _items(self._server, LIST) if not item["deleted_at"]]
        tag = f'"v{live[0]["version"]}"'
        patch = {"given_name": "Ada"}
        send = self._server.send
        send(201, "POST", "/customers", {"email": "moved@example.com", **patch})
        path = f"/customers/{live[0]['id']}"
        send(200, "PATCH", path, patch, if_match=tag, content_type=MERGE_PATCH)
        send(204, "DELETE", f"/customers/{live[1]['id']}")
        self._erase(self._server, live[2]["id"])

    def _erase(self, client: Client, customer: str) -> None:
        client.erase(customer)
        self._erased.append(customer)

    def _responses(self, client: Client) -> dict[str, tuple[Any, str | None]]:
        """Return the body and ETag of each customer, by its path.

        Of a deleted customer, the body is the export with its history; of an erased one, the proof.
        """
        listed = _items(client, LIST)
        paths = [_path(item) for item in listed]
        paths += [f"/customers/{customer}/erasure" for customer in self._erased]
        with ThreadPoolExecutor(THREADS) as threads:
            found = [*threads.map(lambda path: client.send(200, "GET", path), paths)]
        each = {
            path: (one.json(), one.headers.get("ETag"))
            for path, one in zip(paths, found, strict=True)
        }
        return {"/customers": (listed, None), **each}

    @contextmanager
    def _serving(self) -> Iterator[None]:
        with self._start("serve", ["serve"], **self._variables()) as child:
            child.wait_until(lambda: answers(self._port))
            yield

    def _run_module(self, *arguments: str, **variables: str) -> str:
        """Run a module to its end; return its last line. Raises LocalError if it fails."""
        child = self._start("-".join(arguments), [*arguments], **self._variables(), **variables)
        child.finish()
        return child.log.read_text().splitlines()[-1].removeprefix("serve: ")

    def _variables(self) -> dict[str, str]:
        """Return the server's settings, with the stage's CURSOR_KEY."""
        client = self._run.session.client("lambda")
        function = self._run.outputs("api")["ApiFunctionName"]
        settings = client.get_function_configuration(FunctionName=function)["Environment"]
        return {
            "DATABASE_URL": self._database_url,
            "CURSOR_KEY": settings["Variables"]["CURSOR_KEY"],
            "PORT": str(self._port),
            "METRICS_PORT": str(free_port()),
            "PROCESSES": "1",
        }

    def _stage_variables(self) -> dict[str, str]:
        """Return where the stage's data are."""
        outputs = self._run.outputs("database")
        return {
            "DATABASE_RESOURCE_ARN": outputs["ClusterArn"],
            "DATABASE_SECRET_ARN": outputs["MigrationsSecretArn"],
            "AWS_REGION": REGION,
        }


def _create(client: Client, number: int) -> requests.Response:
    """Create a batch, or retry its creation."""
    items = [
        {"email": f"move.{number}.{n}@example.com", "given_name": "Zoë", "external_id": f"{n}"}
        for n in range(number * BATCH, (number + 1) * BATCH)
    ]
    key = f"move-{number}"
    return client.send(201, "POST", "/customers/batch", {"items": items}, idempotency_key=key)


def _reference(customer: JSONObject) -> JSONObject:
    return {"id": customer["id"], "version": customer["version"]}


def _path(customer: JSONObject) -> str:
    return f"/customers/{customer['id']}{'/export' if customer['deleted_at'] else ''}"


def _items(client: Client, path: str) -> list[JSONObject]:
    """Return the items of all pages from the path on."""
    items: list[JSONObject] = []
    has_more = True
    while has_more:
        page = client.send(200, "GET", path).json()
        items += page["items"]
        has_more = page["has_more"]
        path = str(page["next"]).removeprefix(urlsplit(client.url).path)
    return items


def _compare(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise Failure, which names some of the paths, unless all responses are the same."""
    paths = [path for path in {**wanted, **found} if found.get(path) != wanted.get(path)]
    expect("the number and paths of different responses", (len(paths), paths[:FEW]), (0, []))
