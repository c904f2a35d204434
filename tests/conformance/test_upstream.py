"""What `upstream.py` makes of the outcomes of the SDK's own tests."""

from __future__ import annotations

from conformance import upstream


def test_flips() -> None:
    """A test that passed and fails, is skipped or is gone counts; one that failed before does not."""
    before = {"fails": "passed", "skipped": "passed", "gone": "passed", "same": "passed", "bad": "failed"}
    after = {"fails": "failed", "skipped": "skipped", "same": "passed", "bad": "failed", "new": "failed"}

    assert upstream.flips(before, after) == {"fails", "skipped", "gone"}


def test_a_run_that_conforms() -> None:
    """Expected flips and enough spans of ours are no finding."""
    made = {"span of aumos_otel": 5, "span of opentelemetry": 3}

    assert upstream.judge({"known"}, {"known": "why"}, made, {"span": 5}, constructed=False) == []


def test_a_run_that_does_not() -> None:
    """Unexpected flips, reasons without a flip, few spans and meters of ours, and spans of the SDK's are told."""
    made = {"span of aumos_otel": 4, "span of opentelemetry": 1}
    found = upstream.judge({"new"}, {"old": "why"}, made, {"span": 5, "meter": 1}, constructed=True)

    assert [line.partition(":")[0] for line in found] == [
        "passes with the SDK, fails with us",
        "passes again, its reason can go",
        "4 times a span of ours, of at least 5",
        "0 times a meter of ours, of at least 1",
        "1 spans were the SDK's where all should be ours",
    ]


def test_expected() -> None:
    """Each flip that is expected has its reason."""
    assert all(reason for suite in upstream.EXPECTED.values() for reason in suite["reasons"].values())
