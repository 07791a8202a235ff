"""A relay of a chaos run: that of the console, with shorter pauses, to the consumer EVENTS_URL.

It has the faults of `broken` that CHAOS_FAULTS names, as the API has.
"""

import os
import time

from chalicelib.database import connect
from chalicelib.settings import Settings
from load.chaos import broken
from local.console import events
from local.stack import EVENTS_SECRET

URL = "EVENTS_URL"
MAX_PAUSE_SECONDS = 0.5


def _sleep(seconds: float) -> None:
    print("A run has ended.")  # `service` waits for it
    time.sleep(min(seconds, MAX_PAUSE_SECONDS))


if __name__ == "__main__":
    broken.plant(os.environ)
    deliveries = events.Deliveries(os.environ[URL], EVENTS_SECRET)
    events.follow(connect(Settings.from_environ(os.environ)), deliveries, _sleep)
