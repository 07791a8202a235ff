"""What clients ask for, how often, and what the service should say to it."""

import json
import random
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from load.traffic.customers import Customers, Known

JSON = {"Content-Type": "application/json"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


@dataclass(frozen=True)
class Answer:
    """What came back: the status, headers by their lower-case names, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def version(self) -> int:
        """The version of the customer in the ETag, or 0."""
        tag = self.headers.get("etag", "").removeprefix("W/").strip('"')
        return int(tag[1:]) if tag[:1] == "v" and tag[1:].isdecimal() else 0


@dataclass(frozen=True)
class Request:
    """What to send; the statuses that are right; and what then has to be right besides.

    `then` is called with the answer if its status is right, else with None; it says whether all is.
    """

    operation: str
    method: str
    path: str
    expected: frozenset[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    then: Callable[[Answer | None], bool] = lambda _: True


class Mix:
    """Draws requests: half of them read one customer, a fifth lists, the others write."""

    def __init__(self, customers: Customers, chance: random.Random) -> None:
        self._customers = customers
        self._chance = chance
        self._pages: deque[str] = deque(maxlen=100)
        self._operations: dict[Callable[[], Request], int] = {
            self.get: 42,
            self.get_if_changed: 8,
            self.list: 20,
            self.create: 10,
            self.patch: 8,
            self.put: 4,
            self.delete: 4,
            self.wrong: 4,
        }

    def draw(self) -> Request:
        [operation] = self._chance.choices([*self._operations], [*self._operations.values()])
        return operation()

    def get(self) -> Request:
        return self._read("get", self._customers.any(), {})

    def get_if_changed(self) -> Request:
        known = self._customers.any()
        tag = {"If-None-Match": f'"v{known.version}"'}
        return self._read("get, known", known, tag)

    def list(self) -> Request:
        """Ask for the next page of a list, or for a new one."""
        path = self._pages.popleft() if self._pages and self._chance.random() < 0.5 else self._new()

        def then(answer: Answer | None) -> bool:
            if answer and (following := json.loads(answer.body)["next"]):
                self._pages.append(following)
            return True

        return Request("list", "GET", path, frozenset({200}), then=then)

    def create(self) -> Request:
        customer = self._customers.new()
        key = {"Idempotency-Key": str(uuid.UUID(int=self._chance.getrandbits(128), version=4))}

        def then(answer: Answer | None) -> bool:
            if answer is None:
                return False
            document = json.loads(answer.body)
            self._customers.add(document, settled=False)
            return bool(document["email"] == customer["email"])

        body = json.dumps(customer).encode()
        return Request("create", "POST", "/customers", frozenset({201}), JSON | key, body, then)

    def patch(self) -> Request:
        return self._change("patch", "PATCH", MERGE_PATCH, lambda _: self._difference())

    def put(self) -> Request:
        return self._change("put", "PUT", JSON, lambda document: document | self._difference())

    def delete(self) -> Request:
        if not self._customers.young:
            return self.create()
        path = f"/customers/{self._customers.young.pop().id}"
        return Request("delete", "DELETE", path, frozenset({204}))

    def wrong(self) -> Request:
        """Make one of the mistakes that clients make."""
        path = f"/customers/{self._customers.any().id}"
        unknown = f"/customers/{uuid.UUID(int=self._chance.getrandbits(128), version=4)}"
        method, path, expected, headers, body = self._chance.choice(
            [
                ("GET", unknown, 404, {}, None),
                ("GET", "/customers?limit=0", 400, {}, None),
                ("POST", "/customers", 400, JSON, b'{"email": "nobody"}'),
                ("PUT", path, 428, JSON, b'{"email": "a@example.com", "given_name": "A"}'),
                ("PATCH", path, 412, MERGE_PATCH | {"If-Match": '"v0"'}, b'{"locale": "en"}'),
            ]
        )
        return Request("wrong input", method, path, frozenset({expected}), headers, body)

    def _read(self, name: str, known: Known, headers: Mapping[str, str]) -> Request:
        confirmed, expected = known.version, frozenset({200, 304} if headers else {200})

        def then(answer: Answer | None) -> bool:
            return answer is None or answer.version >= confirmed  # older would be a lost write

        return Request(name, "GET", f"/customers/{known.id}", expected, headers, None, then)

    def _change(
        self,
        name: str,
        method: str,
        kind: Mapping[str, str],
        change: Callable[[dict[str, object]], dict[str, object]],
    ) -> Request:
        known = self._customers.take()
        if known is None:
            return self.get()

        def then(answer: Answer | None) -> bool:
            if answer is None:
                self._customers.give_back(known, None)
                return False
            before, known.document = known.version, json.loads(answer.body)
            self._customers.give_back(known, answer.version)
            return answer.version == before + 1

        headers = {**kind, "If-Match": f'"v{known.version}"'}
        body = json.dumps(change(known.document)).encode()
        path = f"/customers/{known.id}"
        return Request(name, method, path, frozenset({200}), headers, body, then)

    def _difference(self) -> dict[str, object]:
        return {"metadata": {"load": f"{self._chance.getrandbits(64):x}"}}

    def _new(self) -> str:
        """Return the path of a list's first page."""
        document = self._customers.any().document
        queries = (
            "limit=20",
            "limit=50&status=active",
            "sort=-updated_at&limit=20",
            f"email={quote(document['email'])}",
            f"external_id={quote(document['external_id'])}",
            f"q={quote(document['family_name'][:3])}" if len(document["family_name"]) > 1 else "",
            f"updated_after={quote(document['updated_at'])}",
        )
        return f"/customers?{self._chance.choice(queries)}"
