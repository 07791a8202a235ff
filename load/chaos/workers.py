"""Threads that work during a run."""

import threading
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

from load.chaos.history import Log


class Worker(threading.Thread):
    """Repeats a step until `stopping` is set, each time after a pause.

    `failure` is the exception that ended the thread before.
    """

    pause: tuple[float, float]
    """Minimum and maximum in seconds."""

    def __init__(self, name: str, log: Log, rng: Random) -> None:
        super().__init__(name=name)
        self._log = log
        self._rng = rng
        self.stopping = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stopping.wait(self._rng.uniform(*self.pause)):
                self.step()
        except Exception as error:  # noqa: BLE001 (reported by the thread that joins this one)
            self.failure = error

    @abstractmethod
    def step(self) -> None:
        """Do one thing, and add it to the history."""


@contextmanager
def working(workers: Sequence[Worker]) -> Iterator[None]:
    """Let threads work until the block ends, then let them finish their steps."""
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stopping.set()
        for worker in workers:
            worker.join()
    if failures := [worker.failure for worker in workers if worker.failure]:
        raise failures[0]
