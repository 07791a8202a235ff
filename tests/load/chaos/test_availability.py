"""How long nothing succeeded, and for which fault that counts."""

import pytest

from load.chaos.availability import outages, successes
from load.chaos.history import Fault
from tests.load.chaos.written import EARLY, change, create, version


def test_a_silence_counts_from_the_fault_on() -> None:
    moments = [0.0, 0.1, 0.2, 3.0, 3.1, 3.2]
    outage = outages([Fault("killed", 0.5, 2.5)], moments)["killed"]
    assert outage.unavailable == outage.longest == pytest.approx(2.5)
    assert list(outage.recoveries) == pytest.approx([0.5])
    assert (outage.times, outage.given) == (1, 1)


def test_short_pauses_are_none() -> None:
    moments = [0.0, 0.4, 0.8, 1.2]
    assert outages([Fault("killed", 0.1, 0.2)], moments)["killed"].unavailable == 0


def test_a_silence_is_laid_to_the_fault_before_it() -> None:
    moments = [0.0, 1.0, 1.1, 1.2, 4.0, 4.1]
    found = outages([Fault("first", 0.2, 0.9, 7), Fault("second", 1.15, 3.9)], moments)
    assert found["first"].unavailable == pytest.approx(0.8)
    assert found["second"].unavailable == pytest.approx(2.8)
    assert found["first"].given == 7


def test_a_silence_that_goes_on_into_the_next_fault_is_divided() -> None:
    found = outages([Fault("first", 0.2, 0.9), Fault("second", 1.0, 3.9)], [0.0, 0.3, 4.0])
    assert found["first"].unavailable == pytest.approx(0.7)
    assert found["second"].unavailable == pytest.approx(3.0)


def test_faults_of_a_kind_are_added_up() -> None:
    moments = [0.0, 2.0, 2.1, 5.0, 5.1]
    found = outages([Fault("killed", 0.0, 1.9), Fault("killed", 2.1, 4.0)], moments)["killed"]
    assert found.times == 2
    assert found.longest == pytest.approx(2.9)
    assert found.unavailable == pytest.approx(4.9)
    assert list(found.recoveries) == pytest.approx([0.1, 1.0])


def test_a_fault_without_a_success_after_it_has_no_recovery() -> None:
    assert list(outages([Fault("killed", 1.0, 2.0)], [0.5])["killed"].recoveries) == []


def test_only_successes_count() -> None:
    operations = [create("k1", 0, version(1, "k1")), change("k2", 5, 1, 0, 412)]
    assert successes(operations) == [EARLY + 1]


def test_a_run_without_faults_has_no_outages() -> None:
    assert outages([], [1.0, 9.0]) == {}
