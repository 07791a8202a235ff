from load.traffic.limit import Step, table
from load.traffic.outcomes import Outcome


def test_rejections_count_from_sending_and_the_delay_of_the_sender_is_shown() -> None:
    """A sender without processor time must not make the service look slow."""
    outcomes = [
        Outcome(5.75, "10 times", "get", 10.5, 10.25, 429, "status 429"),
        Outcome(0.0, "10 times", "get", 7.75, 7.0, 429, "status 429"),
        Outcome(0.0, "10 times", "get", 2.0, 0.0, 200, ""),
        Outcome(0.0, "10 times", "get", 1.0, 0.0, 500, "status 500"),
    ]

    head, row = table([Step("10 times", 160.0, outcomes * 64, {"API": 1.0})])

    shown = dict(zip(head, row, strict=True))
    assert (shown["slowest"], shown["429, 503"], shown["faults"]) == ("10.50 s", "128", "64")
    assert (shown["slowest 429, 503"], shown["sender late"]) == ("0.75 s", "10.25 s")
    assert (shown["due per second"], shown["sent per second"]) == ("160", "16")
