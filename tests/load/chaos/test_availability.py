"""Outages: the time without a success, and the fault that it counts for."""

import pytest

from load.chaos.availability import outages, successes
from load.chaos.history import Fault
from tests.load.chaos.written import EARLY, change, create, version


def test_outage_starts_with_its_fault() -> None:
    moments = [0.0, 0.1, 0.2, 3.0, 3.1, 3.2]
    outage = outages([Fault("killed", 0.5, 2.5)], moments)["killed"]
    assert outage.unavailable == outage.longest == pytest.approx(2.5)
    assert list(outage.recoveries) == pytest.approx([0.5])
    assert (outage.times, outage.given) == (1, 1)


def test_short_gap_is_no_outage() -> None:
    moments = [0.0, 0.4, 0.8, 1.2]
    assert outages([Fault("killed", 0.1, 0.2)], moments)["killed"].unavailable == 0


def test_outage_counts_for_the_preceding_fault() -> None:
    moments = [0.0, 1.0, 1.1, 1.2, 4.0, 4.1]
    found = outages([Fault("first", 0.2, 0.9, 7), Fault("second", 1.15, 3.9)], moments)
    assert found["first"].unavailable == pytest.approx(0.8)
    assert found["second"].unavailable == pytest.approx(2.8)
    assert found["first"].given == 7


def test_outage_across_two_faults_is_divided() -> None:
    found = outages([Fault("first", 0.2, 0.9), Fault("second", 1.0, 3.9)], [0.0, 0.3, 4.0])
    assert found["first"].unavailable == pytest.approx(0.7)
    assert found["second"].unavailable == pytest.approx(3.0)


def test_faults_of_one_kind_are_summed() -> None:
    moments = [0.0, 2.0, 2.1, 5.0, 5.1]
    found = outages([Fault("killed", 0.0, 1.9), Fault("killed", 2.1, 4.0)], moments)["killed"]
    assert found.times == 2
    assert found.longest == pytest.approx(2.9)
    assert found.unavailable == pytest.approx(4.9)
    assert list(found.recoveries) == pytest.approx([0.1, 1.0])


def test_fault_without_later_success_has_no_recovery() -> None:
    assert list(outages([Fault("killed", 1.0, 2.0)], [0.5])["killed"].recoveries) == []


def test_failed_operations_do_not_end_an_outage() -> None:
    operations = [create("k1", 0, version(1, "k1")), change("k2", 5, 1, 0, 412)]
    assert successes(operations) == [EARLY + 1]


def test_run_without_faults_has_no_outages() -> None:
    assert outages([], [1.0, 9.0]) == {}
