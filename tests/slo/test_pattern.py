from __future__ import annotations

import contextlib
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo import pattern
from aumos_otel.slo.pattern import Pattern

ATOMS = st.sampled_from(["a", "b", "é", ".", "[ab]", "[^a]", r"\d", r"\W", "[b-d-]", r"\.", "/", r"\n", "()"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})")
        | st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "{0}"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        )
    ),
    max_leaves=8,
)
#: Patterns on which an engine that goes back in the text takes for ever, or time that grows with a power of it.
SLOW = ["(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*a){20}b", ".*a.*a.*a.*a.*b", "(a?){60}a{60}", "((a{0,5}){0,5}){0,5}b"]


class Text(str):
    """A text that counts how often its characters are looked at."""

    __slots__ = ()
    looks = 0

    def __iter__(self):
        for character in str.__iter__(self):
            Text.looks += 1
            yield character


@given(PATTERNS, st.text(st.sampled_from("abcdé1./-\n"), max_size=8))
def test_pattern_means_what_it_means_to_re(text, subject):
    """A pattern matches what Python's own engine matches whole, with ASCII classes and a dot for any character."""
    assert Pattern(text).matches(subject) is bool(re.fullmatch(text, subject, re.ASCII | re.DOTALL))


@given(st.text(st.sampled_from("ab[]^-\\dW{}2,1()?:|*+.é$"), max_size=10), st.text(max_size=3))
def test_any_text_is_a_pattern_or_is_refused(text, subject):
    """Any text is refused with a ValueError, or is a pattern that Python's own engine reads alike."""
    found = None
    with contextlib.suppress(ValueError):
        found = Pattern(text)
    assert found is None or found.matches(subject) is bool(re.fullmatch(text, subject, re.ASCII | re.DOTALL))


@pytest.mark.parametrize("text", SLOW)
def test_match_looks_at_each_character_once(text):
    """No pattern looks at a character of the text a second time, so none can be slow."""
    Text.looks = 0
    found = Pattern(text)

    assert not found.matches(Text("a" * 5000 + "!"))
    assert Text.looks <= 5001


def test_steps_are_learned_once():
    """A text that is like an earlier one needs no new step: the steps found stay."""
    found = Pattern("(.*a){20}b")
    found.matches("ab" * 200)
    known = found._steps

    found.matches("ab" * 2000)

    assert found._steps == known


def test_memory_of_a_pattern_is_bounded():
    """Texts of ever new characters do not make the automaton grow without end, and it keeps matching."""
    found = Pattern(".*a.{12}")
    for code in range(0x4E00, 0x4E00 + 20_000):
        found.matches(chr(code) + "a" + chr(code) * 12)

    assert len(found._states) <= pattern._MOST_STEPS
    assert len(found._wanting) <= pattern._MOST_STEPS
    assert found.matches("xa" + "y" * 12)


def test_deepest_pattern_is_read():
    """Nesting up to the limit needs no deep stack."""
    limit = sys.getrecursionlimit()

    assert Pattern("(" * 50 + "a" + ")" * 50).matches("a")
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("^/chat$", "a pattern is matched whole"),
        ("/users/{id}", r"a backslash before '{'"),
        ("a*?", "one quantifier at a time"),
        ("(?i)get", "groups of the forms"),
        ("*", "something before '*'"),
        (r"\bword", "one of"),
        ("[a", "a ']' for each '['"),
        ("a" * 251, "no more than 250 characters"),
    ],
)
def test_refusal_gives_advice(text, advice):
    """A pattern that is refused is answered with what would do, and where it went wrong."""
    with pytest.raises(ValueError, match=re.escape(advice)):
        Pattern(text)
