import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo import selector
from aumos_otel.slo.selector import Matcher, Selector

LABELS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True)
SELECTORS = st.builds(
    Selector,
    st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,9}", fullmatch=True),
    st.lists(st.builds(Matcher, LABELS, st.sampled_from(["=", "!=", "=~", "!~"]), st.text()), max_size=3).map(tuple),
)


@given(SELECTORS)
def test_what_is_written_is_read_as_the_same(series):
    """Any selector is read again from its own text, whatever its values are."""
    assert selector.parse(str(series)) == series


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up", "up"),
        ("up{}", "up"),
        ("  up { job = 'a' , } ", 'up{job="a"}'),
        ("up{job=~`a\\.b|}{`}", 'up{job=~"a\\\\.b|}{"}'),
        ('{__name__="up"}', '{__name__="up"}'),
    ],
)
def test_every_spelling_of_a_selector_is_read(text, expected):
    """Spaces, the three kinds of quotes and a comma at the end make no difference."""
    assert str(selector.parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "{}", "sum(up)", "up[5m]", "up offset 5m", 'up{a="b" c="d"}', "up{,}", "up{", "up}", 'up{a="\\q"}', "up{a=b}", 'a{x="1"} or b{y="2"}'],
)  # fmt: skip
def test_what_is_no_selector_is_none(text):
    """An expression, a range, an offset and a malformed matcher are no selectors."""
    assert selector.parse(text) is None


@given(st.text(alphabet='ab{}"=,\\ ~!`', max_size=40))
def test_no_text_is_too_strange(text):
    """Any text is read as a selector or as none, and nothing is raised."""
    found = selector.parse(text)
    assert found is None or selector.parse(str(found)) == found
