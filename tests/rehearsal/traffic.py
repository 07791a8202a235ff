"""A client that sends requests continuously while versions change, and checks the responses."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from infrastructure.failures import Failure

PAUSE_SECONDS = 0.02
PATIENCE_SECONDS = 120.0


class Traffic:
    """Reads the document and, with the token, customers; records versions and failures."""

    def __init__(self, url: str, token: str) -> None:
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._url = url
        self._stop = threading.Event()
        self.failures: list[str] = []
        self.versions: list[str] = []
        """The versions that responded, in order, as the document names them."""
        self.count = 0

    def version(self) -> str:
        """Return the version that responds now, as the API's document names it."""
        return str(self._get("/openapi.json")["info"]["version"])

    def await_version(self, wanted: str) -> None:
        """Wait until this version responds. Raises Failure after PATIENCE_SECONDS."""
        wait_for(lambda: self.versions[-1:] == [wanted], f"{wanted} does not respond")

    def await_requests(self, more: int) -> None:
        """Wait until `more` further requests have been sent."""
        until = self.count + more
        while self.count < until:
            time.sleep(PAUSE_SECONDS)

    def check(self, versions: list[str]) -> None:
        """Raise Failure unless every request succeeded, served by these versions in this order."""
        if self.failures:
            raise Failure(f"{len(self.failures)} of {self.count} failed: {self.failures[0]}")
        if self.versions != versions:
            raise Failure(f"responses came from {self.versions} instead of {versions}")

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send requests from two threads until `with` ends."""
        threads = [threading.Thread(target=item) for item in (self._read, self._read_customers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _read(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            try:
                version = self.version()
            except (requests.RequestException, ValueError) as error:
                self.failures.append(f"/openapi.json: {error}")
            else:
                if self.versions[-1:] != [version]:
                    self.versions.append(version)

    def _read_customers(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            try:
                self._get("/customers?limit=1")
            except (requests.RequestException, ValueError) as error:
                self.failures.append(f"/customers: {error}")

    def _get(self, path: str) -> dict[str, dict[str, str]]:
        self.count += 1
        response = self._session.get(self._url + path, timeout=60)
        response.raise_for_status()
        document: dict[str, dict[str, str]] = response.json()
        return document


def wait_for(is_done: Callable[[], bool], problem: str) -> None:
    """Wait until something is done. Raises Failure, with the problem, after PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise Failure(f"{problem} within {PATIENCE_SECONDS:.0f} s")
        time.sleep(PAUSE_SECONDS)
