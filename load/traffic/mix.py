"""The mix of requests, and the expected responses."""

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
class Response:
    """A response: the status, headers by their lower-case names, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def version(self) -> int:
        """The customer's version from the ETag, or 0."""
        tag = self.headers.get("etag", "").removeprefix("W/").strip('"')
        number = tag[1:].partition("-")[0]  # by external id, the customer's id follows
        return int(number) if tag[:1] == "v" and number.isdecimal() else 0


@dataclass(frozen=True)
class Request:
    """A request, the expected statuses, and a further check.

    `check` receives the response if its status is expected, else None. It returns whether the
    response is correct.
    """

    operation: str
    method: str
    path: str
    expected: frozenset[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    check: Callable[[Response | None], bool] = lambda _: True


class Mix:
    """Draws random requests: half of them read one customer, a fifth lists, the others write."""

    def __init__(self, customers: Customers, rng: random.Random) -> None:
        self._customers = customers
        self._rng = rng
        self._pages: deque[str] = deque(maxlen=100)
        self._operations: dict[Callable[[], Request], int] = {
            self.get: 42,
            self.get_if_changed: 8,
            self.list: 20,
            self.create: 10,
            self.patch: 8,
            self.put: 4,
            self.delete: 4,
            self.client_error: 4,
        }

    def draw(self) -> Request:
        [operation] = self._rng.choices([*self._operations], [*self._operations.values()])
        return operation()

    def get(self) -> Request:
        return self._read("get", self._customers.any(), {})

    def get_if_changed(self) -> Request:
        known = self._customers.any()
        tag = {"If-None-Match": f'"v{known.version}"'}
        return self._read("get, known", known, tag)

    def list(self) -> Request:
        """Request the next page of a list, or the first page of a new one."""
        path = self._pages.popleft() if self._pages and self._rng.random() < 0.5 else self._new()

        def check(response: Response | None) -> bool:
            if response and (following := json.loads(response.body)["next"]):
                self._pages.append(following)
            return True

        return Request("list", "GET", path, frozenset({200}), check=check)

    def create(self) -> Request:
        customer = self._customers.new()
        key = {"Idempotency-Key": str(uuid.UUID(int=self._rng.getrandbits(128), version=4))}

        def check(response: Response | None) -> bool:
            if response is None:
                return False
            document = json.loads(response.body)
            self._customers.add(document, settled=False)
            return bool(document["email"] == customer["email"])

        body = json.dumps(customer).encode()
        return Request("create", "POST", "/customers", frozenset({201}), JSON | key, body, check)

    def patch(self) -> Request:
        return self._change("patch", "PATCH", MERGE_PATCH, lambda _: self._difference())

    def put(self) -> Request:
        return self._change("put", "PUT", JSON, lambda document: document | self._difference())

    def delete(self) -> Request:
        if not self._customers.young:
            return self.create()
        path = f"/customers/{self._customers.young.pop().id}"
        return Request("delete", "DELETE", path, frozenset({204}))

    def client_error(self) -> Request:
        """Make a typical client error."""
        path = f"/customers/{self._customers.any().id}"
        unknown = f"/customers/{uuid.UUID(int=self._rng.getrandbits(128), version=4)}"
        method, path, expected, headers, body = self._rng.choice(
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

        def check(response: Response | None) -> bool:
            return (
                response is None or response.version >= confirmed
            )  # an older version would mean a lost write

        return Request(name, "GET", f"/customers/{known.id}", expected, headers, None, check)

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

        def check(response: Response | None) -> bool:
            if response is None:
                self._customers.release(known, None)
                return False
            previous, known.document = known.version, json.loads(response.body)
            self._customers.release(known, response.version)
            return response.version == previous + 1

        headers = {**kind, "If-Match": f'"v{known.version}"'}
        body = json.dumps(change(known.document)).encode()
        path = f"/customers/{known.id}"
        return Request(name, method, path, frozenset({200}), headers, body, check)

    def _difference(self) -> dict[str, object]:
        return {"metadata": {"load": f"{self._rng.getrandbits(64):x}"}}

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
        return f"/customers?{self._rng.choice(queries)}"
