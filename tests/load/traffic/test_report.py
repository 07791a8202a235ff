import re

from load.traffic import report
from load.traffic.outcomes import Outcome
from load.traffic.thresholds import Threshold

OUTCOMES = [
    Outcome(0.2, "steady", "get", 0.010, 0.0, 200, ""),
    Outcome(0.7, "steady", "get", 0.030, 0.0, 200, ""),
    Outcome(1.2, "steady", "create", 0.020, 0.0, 429, "status 429"),
    Outcome(1.6, "spike", "create", 30.0, 0.0, 0, "time-out"),
]


def test_phases_table_has_figures_of_each_phase() -> None:
    head, steady, spike = report.phases(OUTCOMES)

    assert dict(zip(head, steady, strict=True)) == {
        "phase": "steady",
        "requests": "3",
        "a second": "3.0",
        "p50": "20 ms",
        "p95": "30 ms",
        "p99": "30 ms",
        "slowest": "30 ms",
        "429, 503": "1",
        "faults": "0",
    }
    assert spike[-3:] == ("30000 ms", "0", "1")


def test_faults_table_counts_by_kind() -> None:
    assert report.faults(OUTCOMES)[1:] == [
        ("steady", "create", "status 429", "1"),
        ("spike", "create", "time-out", "1"),
    ]


def test_table_is_aligned_markdown() -> None:
    thresholds = [Threshold("steady: get, p50", "100 ms", "120 ms", is_met=False)]

    assert report.markdown(report.thresholds(thresholds)).splitlines() == [
        "| threshold        | allowed | measured |        |",
        "|------------------|---------|----------|--------|",
        "| steady: get, p50 | 100 ms  | 120 ms   | MISSED |",
    ]


def test_page_is_self_contained_and_escaped() -> None:
    page = report.page("<rate> 20", OUTCOMES, [report.phases(OUTCOMES), report.faults([])])

    assert "&lt;rate&gt; 20" in page
    assert page.count("<table>") == 1
    assert not re.search(r"(src|href)=", page)


def test_plots_are_svg_with_a_line_for_each_measurement() -> None:
    svg = report.plots(OUTCOMES)

    assert svg.count("<polyline") == 2 + 3 + 2 + 1
    assert "prefers-color-scheme: dark" in svg


def test_run_interrupted_at_once_can_be_plotted() -> None:
    assert "<svg" in report.plots(OUTCOMES[:1])
