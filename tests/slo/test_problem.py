from __future__ import annotations

import pytest

from aumos_otel.slo.problem import Problem, path_text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "the document"),
        (("slos", 0, "sli", "match"), "slos[0].sli.match"),
        ((0, "name"), "[0].name"),
        (("match", "http.route", "eq"), "match['http.route'].eq"),
        (("match", ""), "match['']"),
    ],
)
def test_path_reads_like_the_document(path, text):
    """A path is written as one would go down the document; keys with dots stand in brackets."""
    assert path_text(path) == text


def test_problem_is_one_short_line():
    """A problem is one line, however long or odd what was seen is."""
    text = str(Problem(("a",), "x\n" * 500, "less"))

    assert len(text) < 120
    assert "\n" not in text
    assert text.endswith("…, expected less")
