"""Each rule on histories written by hand: what breaks it, and what looks like it and is right."""

from dataclasses import replace

import pytest

from load.chaos.checker import check
from load.chaos.facts import Final
from load.chaos.history import PAGE, Attempt, Operation, Seen
from tests.load.chaos.written import (
    EARLY,
    ONE,
    TWO,
    attempt,
    change,
    create,
    deleted,
    final,
    listing,
    read,
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


def test_a_history_in_which_all_is_kept_passes() -> None:
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

    assert (verdict.result, list(verdict.breaches.values())) == ("pass", [[]] * 5)
    assert verdict.counts == {
        "acknowledged": 4,
        "refused": 1,
        "unknown": 0,
        "recovered": 0,
        "repeated": 1,
        "reads": 3,
    }


def test_without_a_final_reading_nothing_passes() -> None:
    assert check([CREATED], None).result == "unknown"
    assert check([], None).result == "unknown"


def test_a_breach_that_was_seen_fails_without_a_final_reading_too() -> None:
    assert check([CREATED, CHANGED, read(20, FIRST)], None).result == "fail"


def test_an_acknowledged_customer_that_is_not_there_is_lost() -> None:
    assert breaches([CREATED], final()) == {"lost": 1}


def test_a_customer_whose_id_is_another_now_is_lost() -> None:
    assert breaches([CREATED], final(replace(FIRST, id=TWO))) == {"lost": 1, "duplicated": 1}


def test_a_create_that_is_there_twice_is_duplicated() -> None:
    again = replace(FIRST, id=TWO)
    assert breaches([CREATED], final(FIRST, again)) == {"duplicated": 1}
    assert breaches([CREATED], final(FIRST, replace(again, deleted=True))) == {"duplicated": 1}


def test_a_duplicate_that_only_a_list_has_shown_counts() -> None:
    assert breaches([CREATED, listing(2, FIRST, replace(FIRST, id=TWO))], None) == {"duplicated": 1}


@pytest.mark.parametrize("there", [True, False])
def test_an_unknown_create_may_be_there_or_not(there: bool) -> None:  # noqa: FBT001
    verdict = check([unknown_create("k1", 0, FIRST.email)], final(FIRST) if there else final())
    assert verdict.result == "pass"
    assert (verdict.counts["unknown"], verdict.counts["recovered"]) == (1, int(there))


def test_an_unknown_change_and_an_unknown_delete_are_recovered() -> None:
    history = [CREATED, change("k2", 10, 1, 503), change("k3", 20, 2, 0, kind="delete")]
    assert check(history, final(deleted(SECOND))).counts["recovered"] == 2
    assert check(history, final(SECOND)).counts["recovered"] == 1
    assert check(history, final(FIRST)).counts["recovered"] == 0


def test_what_was_refused_after_an_unknown_attempt_is_unknown() -> None:
    repeated = change("k2", 10, 1, 0, 412)
    history = [CREATED, repeated, change("k3", 9, 1)]
    assert repeated.outcome == "unknown"
    assert breaches(history, final(version(2, "k3"))) == {}


def test_a_batch_is_done_whole_or_not_at_all() -> None:
    both = unknown_create("k1", 0, "a@example.com", "b@example.com")
    second = version(1, "k1", TWO)
    assert breaches([both], final()) == {}
    assert breaches([both], final(FIRST, second)) == {}
    assert breaches([both], final(FIRST)) == {"unexpected": 1}
    assert breaches([create("k1", 0, FIRST, second)], final(FIRST)) == {
        "lost": 1,
        "unexpected": 1,
    }


@pytest.mark.parametrize("status", [500, 504, 409, 422, 400, 401, 412, 404])
def test_an_answer_to_a_create_that_no_rule_explains_is_unexpected(status: int) -> None:
    refused = Operation(0, "create", "k1", attempts=[attempt(0, 1, status)])
    assert breaches([refused], final()) == {"unexpected": 1}


def test_a_503_must_say_when_to_come_again() -> None:
    refused = Operation(0, "create", "k1", attempts=[Attempt(0, 1, 503)])
    assert breaches([refused], final()) == {"unexpected": 1}


def test_an_answer_that_was_garbled_is_unexpected() -> None:
    assert breaches([replace(CREATED, wrong="no JSON")], final(FIRST)) == {"unexpected": 1}


def test_a_201_for_another_body_is_unexpected() -> None:
    of_another = replace(CREATED, emails=["z@example.com"])
    assert breaches([of_another], final(FIRST)) == {"unexpected": 1}


def test_a_change_that_is_answered_with_anothers_version_is_unexpected() -> None:
    of_another = replace(CHANGED, seen=[version(2, "k1")])
    assert breaches([CREATED, of_another], final(version(2, "k1"))) == {"unexpected": 1}


@pytest.mark.parametrize("kind", ["patch", "minimal", "replace", "delete"])
def test_a_412_needs_another_write(kind: str) -> None:
    refused = change("k4", 20, 1, 412, kind=kind)
    assert breaches([CREATED, refused], final(FIRST)) == {"unexpected": 1}
    assert breaches([CREATED, CHANGED, refused], final(SECOND)) == {}


def test_a_412_is_not_explained_by_what_came_later_or_was_refused_itself() -> None:
    refused = change("k4", 5, 1, 412)
    assert breaches([CREATED, refused, CHANGED], final(SECOND)) == {"unexpected": 1}
    both = [change("k5", 5, 1, 412), change("k6", 5, 1, 412)]
    assert breaches([CREATED, *both], final(FIRST)) == {"unexpected": 2}


def test_a_412_is_not_explained_by_a_write_on_an_older_version() -> None:
    refused = change("k4", 20, 2, 412)
    assert breaches([CREATED, CHANGED, refused], final(SECOND)) == {"unexpected": 1}


def test_a_repetition_is_not_refused_for_what_the_first_attempt_did() -> None:
    repeated = change("k2", 10, 1, 0, 412)
    assert breaches([CREATED, repeated], final(SECOND)) == {"unexpected": 1}
    overtaken = [CREATED, repeated, change("k3", 9, 2)]
    assert breaches(overtaken, final(version(3, "k3"))) == {}


def test_a_404_needs_a_delete() -> None:
    missing = read(10, None, status=404)
    delete = change("k2", 10.5, 1, 0, kind="delete")
    assert breaches([CREATED, missing], final(FIRST)) == {"unexpected": 1}
    assert breaches([CREATED, missing, delete], final(deleted(FIRST))) == {}


def test_a_delete_does_not_explain_its_own_404() -> None:
    repeated = change("k2", 10, 1, 0, 404, kind="delete")
    assert breaches([CREATED, repeated], final(deleted(FIRST))) == {"unexpected": 1}


def test_a_version_that_nobody_wrote_is_unexpected() -> None:
    assert breaches([CREATED, read(5, version(2, "?"))], None) == {"unexpected": 1}


def test_a_version_that_was_seen_before_it_was_sent_is_unexpected() -> None:
    assert breaches([CREATED, read(5, SECOND), CHANGED], None)["unexpected"] == 1


def test_a_write_that_was_refused_has_no_effect() -> None:
    history = [CREATED, change("k3", 5, 1), change("k2", 10, 1, 412)]
    assert breaches(history, final(version(2, "k2")))["unexpected"] == 3


def test_a_read_of_what_was_refused_is_unexpected() -> None:
    history = [CREATED, change("k3", 5, 1, 0), change("k2", 10, 1, 412), read(20, SECOND)]
    assert breaches(history, None) == {"unexpected": 1}


def test_list_reads_and_database_must_agree() -> None:
    for end in (
        Final([FIRST, FIRST], {ONE: FIRST}, [FIRST]),
        Final([], {ONE: FIRST}, [FIRST]),
        Final([FIRST], {ONE: None}, [FIRST]),
        Final([FIRST], {}, [FIRST]),
        Final([deleted(FIRST)], {ONE: deleted(FIRST)}, [deleted(FIRST)]),
    ):
        assert "unexpected" in breaches([CREATED, change("k2", 5, 1, 0, kind="delete")], end)


def test_a_read_that_began_after_a_newer_version_was_known_is_stale() -> None:
    assert breaches([CREATED, CHANGED, read(20, FIRST)], final(SECOND)) == {"stale": 1}
    assert breaches([CREATED, CHANGED, listing(20, FIRST)], final(SECOND)) == {"stale": 1}


def test_a_read_that_had_begun_before_may_show_the_older_version() -> None:
    assert breaches([CREATED, CHANGED, read(10.5, FIRST)], final(SECOND)) == {}


def test_a_version_does_not_go_back_from_one_read_to_the_next() -> None:
    unknown = change("k2", 10, 1, 0)
    history = [CREATED, unknown, read(12, SECOND), read(14, FIRST)]
    assert breaches(history, final(SECOND)) == {"stale": 1}


def test_a_deleted_customer_that_is_read_is_stale() -> None:
    delete = change("k2", 10, 1, kind="delete")
    assert breaches([CREATED, delete, read(20, FIRST)], final(deleted(FIRST))) == {"stale": 1}


def test_a_list_that_leaves_out_who_was_there_is_stale() -> None:
    history = [CREATED, create("k3", 1, OTHER)]
    end = final(FIRST, OTHER)
    assert breaches([*history, listing(5, OTHER)], end) == {"stale": 1}
    assert breaches([*history, listing(1.5, FIRST)], end) == {}
    gone = change("k4", 4, 1, 0, kind="delete")
    assert breaches([*history, gone, listing(5, OTHER)], end) == {}


def test_a_full_list_need_not_show_the_older_ones() -> None:
    newer = [Seen(f"{TWO[:-2]}{n}", 1, f"{n}@example.com", f"n{n}") for n in range(10, 10 + PAGE)]
    history = [CREATED, *(create(seen.phone, 1, seen) for seen in newer)]
    end = final(FIRST, *newer)
    assert breaches([*history, listing(5, *newer)], end) == {}
    assert breaches([*history, listing(5, FIRST, *newer[1:])], end) == {"stale": 1}


def test_a_customer_who_was_created_after_a_list_began_need_not_be_in_it() -> None:
    milliseconds = int((EARLY + 6) * 1000)
    later = f"{milliseconds:012x}"
    late = replace(OTHER, id=f"{later[:8]}-{later[8:]}-7000-8000-000000000001")
    history = [CREATED, listing(5, FIRST), create("k3", 5.5, late)]
    assert breaches(history, final(FIRST, late)) == {}


def test_two_changes_that_made_the_same_version_are_a_lost_update() -> None:
    history = [CREATED, CHANGED, change("k3", 10.5, 1)]
    assert "lost updates" in breaches(history, final(SECOND))


def test_a_change_of_a_version_that_was_known_to_be_gone_is_a_lost_update() -> None:
    late = change("k4", 20, 1)
    assert breaches([CREATED, CHANGED, late], None)["lost updates"] == 3


def test_a_version_that_is_seen_in_two_ways_is_a_lost_update() -> None:
    history = [CREATED, change("k2", 10, 1, 0), change("k3", 10, 1, 0)]
    seen = [read(12, SECOND), read(14, version(2, "k3"))]
    assert breaches([*history, *seen], None) == {"lost updates": 1}


def test_an_acknowledged_version_that_is_not_there_is_a_lost_update() -> None:
    assert breaches([CREATED, CHANGED], final(FIRST)) == {"lost updates": 1}


def test_a_version_that_was_read_and_is_not_there_is_a_lost_update() -> None:
    history = [CREATED, change("k2", 10, 1, 0), read(12, SECOND)]
    assert breaches(history, final(FIRST)) == {"lost updates": 1}


def test_an_acknowledged_delete_that_is_not_there_is_a_lost_update() -> None:
    delete = change("k2", 10, 1, kind="delete")
    assert breaches([CREATED, delete], final(FIRST)) == {"lost updates": 1}
    assert breaches([CREATED, delete], final(deleted(FIRST))) == {}
