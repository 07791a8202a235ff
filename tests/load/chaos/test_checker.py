"""Each rule, on handwritten histories: violations, and correct histories that look similar."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from load.chaos.checker import check
from load.chaos.facts import Final
from load.chaos.history import PAGE, Attempt, Fault, Operation, Seen
from tests.load.chaos.written import (
    EARLY,
    ONE,
    TWO,
    attempt,
    bulk,
    change,
    create,
    deleted,
    erased,
    event,
    final,
    listing,
    page,
    put,
    read,
    removed,
    restore,
    unknown_create,
    version,
)

FIRST = version(1, "k1")
SECOND = version(2, "k2")
CREATED = create("k1", 0, FIRST)
CHANGED = change("k2", 10, 1)
OTHER = version(1, "k3", TWO)


def breaches(operations: list[Operation], end: Final | None) -> dict[str, int]:
    verdict = check(operations, end)
    return {name: len(found) for name, found in verdict.breaches.items() if found}


def test_correct_history_passes() -> None:
    history = [
        CREATED,
        create("k3", 1, OTHER, before=(0, 503)),
        read(3, FIRST),
        listing(4, OTHER, FIRST),
        CHANGED,
        change("k4", 12, 1, 412),
        read(20, SECOND),
        change("k5", 30, 1, kind="delete", customer=TWO),
        read(40, None, status=404, customer=TWO),
    ]

    verdict = check(history, final(SECOND, deleted(OTHER)))

    assert (verdict.result, list(verdict.breaches.values())) == ("pass", [[]] * 12)
    assert verdict.counts == {
        "acknowledged": 4,
        "refused": 1,
        "unknown": 0,
        "recovered": 0,
        "repeated": 1,
        "restored": 0,
        "erased": 0,
        "of several": 0,
        "by external id": 0,
        "reads": 3,
        "pages of the feed": 0,
        "events": 0,
        "repeated events": 0,
    }


def test_history_without_final_data_is_unknown() -> None:
    assert check([CREATED], None).result == "unknown"
    assert check([], None).result == "unknown"


def test_violation_without_final_data_fails() -> None:
    assert check([CREATED, CHANGED, read(20, FIRST)], None).result == "fail"


def test_missing_acknowledged_customer_is_lost() -> None:
    assert breaches([CREATED], final()) == {"lost": 1}


def test_customer_with_changed_id_is_lost() -> None:
    assert breaches([CREATED], final(replace(FIRST, id=TWO))) == {"lost": 1, "duplicated": 1}


def test_create_stored_twice_is_duplicated() -> None:
    again = replace(FIRST, id=TWO)
    assert breaches([CREATED], final(FIRST, again)) == {"duplicated": 1}
    delete = change("k2", 5, 1, 0, kind="delete", customer=TWO)
    assert breaches([CREATED, delete], final(FIRST, deleted(again))) == {"duplicated": 1}


def test_duplicate_seen_only_in_a_list_is_duplicated() -> None:
    assert breaches([CREATED, listing(2, FIRST, replace(FIRST, id=TWO))], None) == {"duplicated": 1}


@pytest.mark.parametrize("there", [True, False])
def test_unknown_create_passes_whether_stored_or_not(there: bool) -> None:  # noqa: FBT001
    verdict = check([unknown_create("k1", 0, FIRST.email)], final(FIRST) if there else final())
    assert verdict.result == "pass"
    assert (verdict.counts["unknown"], verdict.counts["recovered"]) == (1, int(there))


def test_stored_unknown_change_and_delete_count_as_recovered() -> None:
    history = [CREATED, change("k2", 10, 1, 503), change("k3", 20, 2, 0, kind="delete")]
    assert check(history, final(deleted(SECOND))).counts["recovered"] == 2
    assert check(history, final(SECOND)).counts["recovered"] == 1
    assert check(history, final(FIRST)).counts["recovered"] == 0


def test_write_rejected_after_unknown_attempt_is_unknown() -> None:
    repeated = change("k2", 10, 1, 0, 412)
    history = [CREATED, repeated, change("k3", 9, 1)]
    assert repeated.outcome == "unknown"
    assert breaches(history, final(version(2, "k3"))) == {}


def test_partly_stored_batch_is_partial() -> None:
    both = unknown_create("k1", 0, "a@example.com", "b@example.com")
    second = version(1, "k1", TWO)
    assert breaches([both], final()) == {}
    assert breaches([both], final(FIRST, second)) == {}
    assert breaches([both], final(FIRST)) == {"partial": 1}
    assert breaches([create("k1", 0, FIRST, second)], final(FIRST)) == {"lost": 1, "partial": 1}


@pytest.mark.parametrize("status", [500, 504, 409, 422, 400, 401, 412, 404])
def test_unexplained_create_response_is_unexpected(status: int) -> None:
    refused = Operation(0, "create", "k1", attempts=[attempt(0, 1, status)])
    assert breaches([refused], final()) == {"unexpected": 1}


def test_response_503_without_retry_after_is_unexpected() -> None:
    refused = Operation(0, "create", "k1", attempts=[Attempt(0, 1, 503)])
    assert breaches([refused], final()) == {"unexpected": 1}


def test_write_applied_after_a_response_that_denies_it_is_unexpected() -> None:
    """A 503 whose outcome is unknown allows both. The final data shows a customer three times."""
    for outcome, found in (("unknown", {}), ("not-applied", {"unexpected": 3})):
        gave_up = replace(attempt(0, 1, 503), outcome=outcome)
        write = Operation(0, "create", "k1", emails=["a@example.com"], attempts=[gave_up])
        assert breaches([write], final(FIRST)) == found
        assert breaches([write], final()) == {}


def test_malformed_response_is_unexpected() -> None:
    assert breaches([replace(CREATED, wrong="no JSON")], final(FIRST)) == {"unexpected": 1}


def test_created_response_with_other_body_is_unexpected() -> None:
    of_another = replace(CREATED, emails=["z@example.com"])
    assert breaches([of_another], final(FIRST)) == {"unexpected": 1}


def test_change_returning_another_version_is_unexpected() -> None:
    of_another = replace(CHANGED, seen=[version(2, "k1")])
    assert breaches([CREATED, of_another], final(version(2, "k1"))) == {"unexpected": 1}


@pytest.mark.parametrize("kind", ["patch", "minimal", "replace", "delete"])
def test_response_412_without_another_write_is_unexpected(kind: str) -> None:
    refused = change("k4", 20, 1, 412, kind=kind)
    assert breaches([CREATED, refused], final(FIRST)) == {"unexpected": 1}
    assert breaches([CREATED, CHANGED, refused], final(SECOND)) == {}


def test_response_412_with_only_later_or_rejected_writes_is_unexpected() -> None:
    refused = change("k4", 5, 1, 412)
    assert breaches([CREATED, refused, CHANGED], final(SECOND)) == {"unexpected": 1}
    both = [change("k5", 5, 1, 412), change("k6", 5, 1, 412)]
    assert breaches([CREATED, *both], final(FIRST)) == {"unexpected": 2}


def test_response_412_with_only_older_version_written_is_unexpected() -> None:
    refused = change("k4", 20, 2, 412)
    assert breaches([CREATED, CHANGED, refused], final(SECOND)) == {"unexpected": 1}


def test_retry_rejected_because_of_its_first_attempt_is_unexpected() -> None:
    repeated = change("k2", 10, 1, 0, 412)
    assert breaches([CREATED, repeated], final(SECOND)) == {"unexpected": 1}
    overtaken = [CREATED, repeated, change("k3", 9, 2)]
    assert breaches(overtaken, final(version(3, "k3"))) == {}


def test_response_404_without_a_delete_is_unexpected() -> None:
    missing = read(10, None, status=404)
    delete = change("k2", 10.5, 1, 0, kind="delete")
    assert breaches([CREATED, missing], final(FIRST)) == {"unexpected": 1}
    assert breaches([CREATED, missing, delete], final(deleted(FIRST))) == {}


def test_response_404_with_only_its_own_delete_is_unexpected() -> None:
    repeated = change("k2", 10, 1, 0, 404, kind="delete")
    assert breaches([CREATED, repeated], final(deleted(FIRST))) == {"unexpected": 1}


def test_version_without_a_write_is_unexpected() -> None:
    assert breaches([CREATED, read(5, version(2, "?"))], None) == {"unexpected": 1}


def test_version_seen_before_its_write_is_unexpected() -> None:
    assert breaches([CREATED, read(5, SECOND), CHANGED], None)["unexpected"] == 1


def test_stored_version_of_rejected_write_is_unexpected() -> None:
    history = [CREATED, change("k3", 5, 1), change("k2", 10, 1, 412)]
    assert breaches(history, final(version(2, "k2")))["unexpected"] == 3


def test_read_version_of_rejected_write_is_unexpected() -> None:
    history = [CREATED, change("k3", 5, 1, 0), change("k2", 10, 1, 412), read(20, SECOND)]
    assert breaches(history, None) == {"unexpected": 1}


def test_difference_between_list_reads_and_database_is_reported() -> None:
    for end in (
        Final([FIRST, FIRST], {ONE: FIRST}, [FIRST]),
        Final([], {ONE: FIRST}, [FIRST]),
        Final([FIRST], {ONE: None}, [FIRST]),
        Final([FIRST], {ONE: FIRST}, [FIRST], gaps=[ONE]),
        Final([FIRST], {}, [FIRST]),
        Final([deleted(FIRST)], {ONE: deleted(FIRST)}, [deleted(FIRST)]),
    ):
        assert "unexpected" in breaches([CREATED, change("k2", 5, 1, 0, kind="delete")], end)


def test_read_of_older_than_known_version_is_stale() -> None:
    assert breaches([CREATED, CHANGED, read(20, FIRST)], final(SECOND)) == {"stale": 1}
    assert breaches([CREATED, CHANGED, listing(20, FIRST)], final(SECOND)) == {"stale": 1}


def test_read_begun_before_newer_version_was_known_passes() -> None:
    assert breaches([CREATED, CHANGED, read(10.5, FIRST)], final(SECOND)) == {}


def test_version_decreasing_between_reads_is_stale() -> None:
    unknown = change("k2", 10, 1, 0)
    history = [CREATED, unknown, read(12, SECOND), read(14, FIRST)]
    assert breaches(history, final(SECOND)) == {"stale": 1}


def test_read_of_deleted_customer_is_stale() -> None:
    delete = change("k2", 10, 1, kind="delete")
    history = [CREATED, delete, read(20, FIRST)]
    assert breaches(history, final(deleted(FIRST))) == {"stale": 1, "resurrected": 1}


def test_list_omitting_existing_customer_is_stale() -> None:
    history = [CREATED, create("k3", 1, OTHER)]
    end = final(FIRST, OTHER)
    assert breaches([*history, listing(5, OTHER)], end) == {"stale": 1}
    assert breaches([*history, listing(1.5, FIRST)], end) == {}
    gone = change("k4", 4, 1, 0, kind="delete")
    assert breaches([*history, gone, listing(5, OTHER)], end) == {}


def test_full_list_without_older_customers_passes() -> None:
    newer = [Seen(f"{TWO[:-2]}{n}", 1, f"{n}@example.com", f"n{n}") for n in range(10, 10 + PAGE)]
    history = [CREATED, *(create(seen.phone, 1, seen) for seen in newer)]
    end = final(FIRST, *newer)
    assert breaches([*history, listing(5, *newer)], end) == {}
    assert breaches([*history, listing(5, FIRST, *newer[1:])], end) == {"stale": 1}


def test_list_without_customer_created_after_it_began_passes() -> None:
    milliseconds = int((EARLY + 6) * 1000)
    later = f"{milliseconds:012x}"
    late = replace(OTHER, id=f"{later[:8]}-{later[8:]}-7000-8000-000000000001")
    history = [CREATED, listing(5, FIRST), create("k3", 5.5, late)]
    assert breaches(history, final(FIRST, late)) == {}


def test_two_changes_with_the_same_version_are_a_lost_update() -> None:
    history = [CREATED, CHANGED, change("k3", 10.5, 1)]
    assert "lost updates" in breaches(history, final(SECOND))


def test_change_of_outdated_version_is_a_lost_update() -> None:
    late = change("k4", 20, 1)
    assert breaches([CREATED, CHANGED, late], None)["lost updates"] == 3


def test_version_with_two_contents_is_a_lost_update() -> None:
    history = [CREATED, change("k2", 10, 1, 0), change("k3", 10, 1, 0)]
    seen = [read(12, SECOND), read(14, version(2, "k3"))]
    assert breaches([*history, *seen], None) == {"lost updates": 1}


def test_missing_acknowledged_version_is_a_lost_update() -> None:
    assert breaches([CREATED, CHANGED], final(FIRST)) == {"lost updates": 1}


def test_missing_version_seen_by_a_read_is_a_lost_update() -> None:
    history = [CREATED, change("k2", 10, 1, 0), read(12, SECOND)]
    assert breaches(history, final(FIRST)) == {"lost updates": 1}


def test_missing_acknowledged_delete_is_a_lost_update() -> None:
    delete = change("k2", 10, 1, kind="delete")
    assert breaches([CREATED, delete], final(FIRST))["lost updates"] == 1
    assert breaches([CREATED, delete], final(deleted(FIRST))) == {}


DELETE = change("k2", 10, 1, kind="delete")
RESTORED = replace(FIRST, version=3)
RESTORE = restore("k3", 20, 2, FIRST)
ERASE = change("k2", 10, 1, kind="erase")


def test_restored_customer_passes() -> None:
    history = [CREATED, DELETE, page(15, removed(FIRST)), RESTORE, read(30, RESTORED)]
    verdict = check(history, final(RESTORED))
    assert (verdict.result, verdict.counts["restored"]) == ("pass", 1)


def test_erased_customer_passes() -> None:
    history = [CREATED, ERASE, read(20, None, status=404), page(25, erased(FIRST))]
    verdict = check(history, final(erased(FIRST)))
    assert (verdict.result, verdict.counts["erased"]) == ("pass", 1)


def test_customer_shown_after_its_erasure_is_resurrected() -> None:
    for shown in (read(20, RESTORED), listing(20, RESTORED), page(20, RESTORED)):
        assert breaches([CREATED, ERASE, shown], final(erased(FIRST)))["resurrected"] == 1


def test_customer_stored_after_its_erasure_is_resurrected() -> None:
    for kind in ("erase", "purge"):
        erasure = change("k2", 10, None, kind=kind)
        for end in (final(FIRST), final(deleted(FIRST))):
            assert "resurrected" in breaches([CREATED, DELETE, erasure], end)


def test_customer_shown_during_its_erasure_passes() -> None:
    assert breaches([CREATED, ERASE, read(10.5, FIRST)], final(erased(FIRST))) == {}


def test_live_customer_after_delete_without_restore_is_resurrected() -> None:
    for delete in (DELETE, change("k2", 10, None, kind="delete")):
        history = [CREATED, delete, change("k3", 15, 2, 0), read(20, version(3, "k3"))]
        assert breaches(history, final(version(3, "k3")))["resurrected"] == 4
        assert breaches([*history, restore("k4", 12, 2, FIRST)], None).get("resurrected") is None


def test_restore_before_the_delete_does_not_explain_a_live_customer() -> None:
    history = [CREATED, DELETE, RESTORE, change("k4", 30, 3, kind="delete")]
    assert breaches(history, final(RESTORED))["resurrected"] == 3


def test_response_404_after_acknowledged_restore_is_unexpected() -> None:
    missing = read(30, None, status=404)
    assert breaches([CREATED, DELETE, RESTORE, missing], final(RESTORED)) == {"unexpected": 1}
    late = change("k4", 5, None, 0, kind="delete")
    assert breaches([CREATED, DELETE, RESTORE, missing, late], final(RESTORED)) == {}


def test_list_omitting_restored_customer_is_stale() -> None:
    history = [CREATED, DELETE, RESTORE]
    assert breaches([*history, listing(30)], final(RESTORED)) == {"stale": 1}


def test_restore_with_other_content_is_a_lost_update() -> None:
    history = [CREATED, CHANGED, change("k3", 20, 2, kind="delete"), restore("k4", 30, 3, FIRST)]
    assert breaches(history, final(version(4, "k1"))) == {"lost updates": 1}
    history[-1] = restore("k4", 30, 3, SECOND)
    assert breaches(history, final(version(4, "k2"))) == {}


def test_response_404_to_a_restore_requires_an_erasure() -> None:
    refused = change("k3", 20, 2, 404, kind="restore")
    assert breaches([CREATED, DELETE, refused], final(deleted(FIRST))) == {"unexpected": 1}
    purge = change("purge 1", 15, None, kind="purge")
    assert breaches([CREATED, DELETE, purge, refused], final(erased(deleted(FIRST)))) == {}


def test_change_of_any_version_may_follow_every_version() -> None:
    any_version = change("k3", 20, None)
    any_version.seen = [version(3, "k3")]
    history = [CREATED, CHANGED, any_version]
    assert breaches(history, final(version(3, "k3"))) == {}
    assert breaches([*history, change("k4", 19.5, 2, 412)], final(version(3, "k3"))) == {}


def test_change_of_any_version_is_never_outdated() -> None:
    refused = change("k3", 20, None, 412)
    assert breaches([CREATED, CHANGED, refused], final(SECOND)) == {"unexpected": 1}


def test_change_of_any_version_that_overwrites_is_a_lost_update() -> None:
    any_version = change("k3", 20, None)
    any_version.seen = [version(2, "k3")]
    assert "lost updates" in breaches([CREATED, CHANGED, any_version], None)


def test_repeated_delete_of_any_version_may_find_its_own_effect() -> None:
    repeated = change("k2", 10, None, 0, 404, kind="delete")
    assert breaches([CREATED, repeated], final(deleted(FIRST))) == {}
    first = change("k2", 10, None, 404, kind="delete")
    assert breaches([CREATED, first], final(FIRST)) == {"unexpected": 1}


def test_removal_without_a_request_is_unexpected() -> None:
    assert breaches([CREATED], final(erased(FIRST)))["unexpected"] == 1
    assert breaches([CREATED, page(5, removed(FIRST))], None)["unexpected"] == 1
    assert breaches([CREATED, DELETE], final(erased(deleted(FIRST))))["unexpected"] == 1


def test_data_of_erased_customer_is_half_erased() -> None:
    end = replace(final(erased(FIRST)), leftovers={ONE: ["phone"]})
    assert breaches([CREATED, ERASE], end) == {"half-erased": 1}


def test_late_create_after_an_erasure_is_no_duplicate() -> None:
    """The erasure also erases the key. docs/decisions/0008 says so."""
    again = replace(FIRST, id=TWO)
    history = [replace(CREATED, attempts=[attempt(0, 3, 0), *CREATED.attempts]), ERASE]
    assert breaches(history, final(erased(FIRST), again)) == {}


def test_batch_with_erased_customer_is_complete() -> None:
    second = version(1, "k1", TWO)
    history = [create("k1", 0, FIRST, second), ERASE]
    assert breaches(history, final(erased(FIRST), second)) == {}


def test_mirror_equal_to_the_database_passes() -> None:
    history = [CREATED, create("k3", 1, OTHER), DELETE]
    end = final(deleted(FIRST), OTHER)
    assert breaches(history, replace(end, mirror={ONE: removed(FIRST), TWO: OTHER})) == {}


@pytest.mark.parametrize("held", [None, FIRST, RESTORED, deleted(FIRST), erased(SECOND)])
def test_difference_between_mirror_and_database_is_reported(held: Seen | None) -> None:
    end = replace(final(erased(FIRST)), mirror={ONE: held} if held else {})
    assert breaches([CREATED, ERASE], end) == {"mirror": 1}


def test_customer_that_only_the_mirror_has_is_reported() -> None:
    end = replace(final(FIRST), mirror={ONE: FIRST, TWO: OTHER})
    assert breaches([CREATED], end) == {"mirror": 1}


def test_read_of_a_write_that_was_pending_at_a_crash_may_be_undone() -> None:
    """InnoDB shows a commit before it is on disk."""
    pending = change("k2", 10, 1, 503, 200)
    pending.seen = [SECOND]
    early = [read(9.5, SECOND), read(10.6, FIRST)]
    history = [CREATED, replace(pending, attempts=[attempt(9, 10.5, 503), attempt(11, 12, 200)])]
    crash = Fault("database killed", EARLY + 10.2, EARLY + 10.4)

    verdict = check([*history, *early], final(SECOND), [crash])

    assert verdict.result == "pass", verdict.breaches
    assert check([*history, *early], final(FIRST), [crash]).breaches["lost updates"]
    assert breaches(
        [*history, replace(early[0], attempts=[attempt(9, 10, 200)]), early[1]], None
    ) == {"stale": 1}


def test_create_that_was_shown_before_a_crash_may_be_repeated() -> None:
    repeated = replace(
        create("k1", 10, FIRST), attempts=[attempt(9, 10.5, 503), attempt(11, 12, 201)]
    )
    shown = replace(FIRST, id=TWO)
    crash = Fault("database killed", EARLY + 10.2, EARLY + 10.4)
    history = [repeated, listing(9.5, shown)]

    assert check(history, final(FIRST), [crash]).result == "pass"
    assert breaches(history, final(FIRST)) == {"duplicated": 1}


HISTORY = {1: "created", 2: "deleted"}
EVENTS = [event(ONE, 1, "created"), event(ONE, 2, "deleted")]


def breaches_of_events(*events: Mapping[str, Any]) -> dict[str, int]:
    end = replace(final(deleted(FIRST)), histories={ONE: HISTORY}, events=events)
    return breaches([CREATED, DELETE], end)


def test_repeated_events_pass() -> None:
    end = replace(final(deleted(FIRST)), histories={ONE: HISTORY}, events=[*EVENTS, *EVENTS])
    verdict = check([CREATED, DELETE], end)
    assert (verdict.result, verdict.counts["repeated events"]) == ("pass", 2)


def test_version_without_event_is_unsent() -> None:
    assert breaches_of_events(EVENTS[1]) == {"unsent events": 1}
    assert breaches_of_events() == {"unsent events": 2}


def test_event_after_that_of_a_later_version_is_disordered() -> None:
    assert breaches_of_events(*EVENTS[::-1]) == {"disordered events": 1}


def test_event_of_another_customer_in_between_passes() -> None:
    end = replace(
        final(deleted(FIRST), OTHER),
        histories={ONE: HISTORY, TWO: {1: "created"}},
        events=[EVENTS[0], event(TWO, 1, "created"), EVENTS[1]],
    )
    assert breaches([CREATED, DELETE, create("k3", 1, OTHER)], end) == {}


@pytest.mark.parametrize(
    "strange",
    [
        event(ONE, 1, "updated"),
        event(ONE, 3, "updated"),
        event(TWO, 1, "created"),
        {**EVENTS[0], "specversion": "2.0"},
        {name: value for name, value in EVENTS[0].items() if name != "time"},
    ],
)
def test_event_unlike_its_schema_or_its_version_is_wrong(strange: Mapping[str, Any]) -> None:
    assert breaches_of_events(*EVENTS, strange)["wrong events"] == 1


def test_event_of_a_version_before_an_erasure_passes() -> None:
    end = final(erased(FIRST))
    end = replace(end, histories={ONE: {2: "erased"}}, events=[EVENTS[0], event(ONE, 2, "erased")])
    assert breaches([CREATED, ERASE], end) == {}


BOTH = [CREATED, create("k3", 1, OTHER)]
BOTH_SECOND = (version(2, "b"), version(2, "b", TWO))
BOTH_DELETED = (deleted(FIRST), deleted(OTHER))


def test_write_of_several_customers_passes() -> None:
    verdict = check([*BOTH, bulk("b", 10)], final(*BOTH_SECOND))
    assert (verdict.result, verdict.counts["of several"]) == ("pass", 1)
    delete = bulk("b", 10, 0, 204, kind="delete all")
    assert breaches([*BOTH, delete], final(*BOTH_DELETED)) == {}


@pytest.mark.parametrize("stored", [BOTH_SECOND, (FIRST, OTHER)])
def test_unknown_write_of_several_customers_passes_whether_applied_or_not(
    stored: tuple[Seen, Seen],
) -> None:
    assert breaches([*BOTH, bulk("b", 10, 0)], final(*stored)) == {}


def test_write_of_several_customers_that_one_lacks_is_partial() -> None:
    history = [*BOTH, bulk("b", 10, 0)]
    assert breaches(history, final(BOTH_SECOND[0], OTHER)) == {"partial": 1}
    overtaken = change("k4", 20, 1, 0, customer=TWO)
    end = final(BOTH_SECOND[0], version(2, "k4", TWO))
    assert breaches([*history, overtaken], end) == {"partial": 1}


def test_write_of_several_customers_whose_effect_nobody_saw_passes() -> None:
    """A later write replaced the content of one of them before anyone read it."""
    later = change("k4", 20, None, 200, customer=TWO)
    stored = version(3, "k4", TWO)
    history = [*BOTH, bulk("b", 10, 0), later]
    assert breaches(history, final(BOTH_SECOND[0], stored)) == {}
    other = change("k5", 10, 1, 0, customer=TWO)
    assert breaches([*history, other], final(FIRST, stored)) == {}


def test_deletion_of_several_customers_that_one_survives_is_partial() -> None:
    history = [*BOTH, bulk("b", 10, 0, kind="delete all")]
    assert breaches(history, final(BOTH_DELETED[0], OTHER)) == {"partial": 1}
    rival = change("k4", 9, 1, 0, kind="delete")
    assert breaches([*history, rival], final(BOTH_DELETED[0], OTHER)) == {}


def test_deletion_of_several_customers_of_which_one_is_deleted_later_is_partial() -> None:
    history = [*BOTH, bulk("b", 10, kind="delete all"), change("k4", 20, 1, kind="purge")]
    end = final(erased(FIRST), BOTH_DELETED[1])
    assert breaches(history, end) == {"lost updates": 3, "partial": 1}


def test_acknowledged_write_of_several_customers_that_one_lacks_is_a_lost_update() -> None:
    end = final(BOTH_SECOND[0], OTHER)
    assert breaches([*BOTH, bulk("b", 10)], end) == {"lost updates": 1, "partial": 1}
    delete = bulk("b", 10, kind="delete all")
    late = read(20, OTHER, customer=TWO)
    found = breaches([*BOTH, delete, late], final(BOTH_DELETED[0], OTHER))
    assert found == {"stale": 1, "resurrected": 4, "lost updates": 1, "partial": 1}


def test_conflict_of_several_customers_needs_another_write_of_one() -> None:
    for status, kind in ((409, "patch"), (404, "delete")):
        refused = bulk("b", 10, status)
        assert breaches([*BOTH, refused], final(FIRST, OTHER)) == {"unexpected": 1}
        other = change("k4", 9, 1, 0, kind=kind, customer=TWO)
        assert breaches([*BOTH, refused, other], final(FIRST, OTHER)) == {}
    assert breaches([*BOTH, bulk("b", 10, 412)], final(FIRST, OTHER)) == {"unexpected": 1}


A = Seen(ONE, 1, "crm.1@example.com", "p1")
B = Seen(TWO, 1, "crm.1@example.com", "p2")
PUT = put("p1", 0, 0, 201, seen=A)
PUT_OTHER = put("p2", 20, 201, seen=B)


def external(key: str, at: float, *statuses: int, kind: str = "patch") -> Operation:
    return replace(change(key, at, 1, *statuses, kind=kind), emails=[A.email], seen=[])


def test_put_that_creates_and_one_that_replaces_pass() -> None:
    again = replace(A, version=2, phone="p2")
    verdict = check([PUT, put("p2", 10, seen=again), read(20, again)], final(again))
    assert (verdict.result, verdict.counts["by external id"]) == ("pass", 2)


def test_customer_of_a_put_that_does_not_exist_is_lost() -> None:
    assert breaches([PUT], final()) == {"lost": 1}


def test_put_that_creates_twice_is_duplicated() -> None:
    twice = replace(B, phone="p1")
    assert breaches([PUT], final(A, twice)) == {"duplicated": 1}
    assert breaches([PUT, PUT_OTHER], final(A, B)) == {"duplicated": 1}


def test_put_creates_again_after_a_deletion() -> None:
    history = [PUT, external("d", 10, 0, kind="delete"), PUT_OTHER]
    assert breaches(history, final(deleted(A), B)) == {}


def test_put_that_writes_two_versions_is_duplicated() -> None:
    second = replace(A, version=2)
    assert breaches([put("p1", 0, 0, seen=A)], final(second)) == {}
    assert breaches([PUT], final(second)) == {"duplicated": 1}


def test_put_overwritten_without_its_version_is_a_lost_update() -> None:
    rival = put("p2", 10, seen=replace(A, phone="p2"))
    assert breaches([PUT, rival], None) == {"lost updates": 3}


def test_put_that_only_creates_may_find_a_customer_of_another_put() -> None:
    refused = put("p3", 10, 412, seen=A, kind="put new")
    assert breaches([PUT, refused], final(A)) == {}
    assert breaches([refused], final()) == {"unexpected": 1}
    assert breaches([replace(refused, kind="put")], final()) == {"unexpected": 1}
    elsewhere = replace(PUT, emails=["crm.2@example.com"], seen=[])
    assert breaches([elsewhere, refused], None) == {"unexpected": 2}  # the PUT shows nothing
    retried = put("p3", 10, 0, 412, seen=A, kind="put new")
    assert breaches([retried], final()) == {"unexpected": 1}


def test_response_412_by_external_id_may_mean_that_another_customer_has_it() -> None:
    created, refused = put("p1", 0, 201, seen=A), external("k4", 15, 412)
    assert breaches([created, refused], final(A)) == {"unexpected": 1}
    gone = external("d", 10, 0, kind="delete")
    assert breaches([created, gone, refused], final(deleted(A))) == {}
    rival = put("p2", 10, 0, seen=A)
    assert breaches([created, rival, refused], final(A)) == {}
    late = put("p2", 10, seen=replace(A, version=2, phone="p2"))
    assert breaches([created, late, refused], final(*late.seen)) == {}
    repeated = put("p1", 0, 0, 201, seen=A)  # its first attempt may take effect later
    assert breaches([repeated, late, refused], final(*late.seen)) == {}
