"""The instructions of a request belong to the parts that are missing without them."""

from benchmarks import meter, parts


def test_cost_of_a_part_is_the_difference_to_requests_without_it() -> None:
    requests = [1_000, 700, 600]  # with all parts, without the first, without the first two
    children = [n * meter.FURTHER * times + 5.0 for n in requests for times in (1, 2)]

    assert parts.costs([*children, 123.0]) == [300, 100, 600]
