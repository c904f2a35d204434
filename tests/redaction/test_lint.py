"""Patterns of the user: linear ones are taken, others refused in words that help."""

from __future__ import annotations

import pytest

from aumos_otel.errors import ConfigError
from aumos_otel.redaction import lint


@pytest.mark.parametrize(
    "pattern",
    [
        r"EMP-\d{6}",
        r"(?i)badge[ -]?no\.? ?\d{4,8}",
        r"\bACME[A-Z0-9]{10}\b",
        r"(?:ab|cd){1,8}x",
        r"ID:\w++",
        r"x(?=y)\d+",
    ],
)
def test_linear_patterns_are_taken(pattern) -> None:
    """Bounded quantifiers, literals in front and possessive quantifiers pass."""
    lint.check("redaction.patterns.p", pattern)


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (r"(a+)+$", "a quantifier is inside another"),
        (r"(?:[a-z]+\.)*x", "a quantifier is inside another"),
        (r"((ab)*c?)*d", "a quantifier is inside another"),
        (r"(a|a)*$", "takes longer"),
        (r"(\w)\1", "refers back"),
        (r"\w+@\w+", "takes longer"),
        (r"a.*b.*c", "takes longer"),
        (r"\d+\d+x", "takes longer"),
        (r"\s+$", "takes longer"),
    ],
)
def test_others_are_refused_with_the_reason(pattern, fault) -> None:
    """The error names the option, the pattern, what is super-linear and the remedy."""
    with pytest.raises(ConfigError) as caught:
        lint.check("redaction.patterns.p", pattern)
    assert caught.value.subject == "redaction.patterns.p"
    assert caught.value.seen == pattern
    assert fault in caught.value.expected
    assert "possessive" in caught.value.remedy


@pytest.mark.parametrize("pattern", ["(", "", None, 3, "a{2,1}"])
def test_what_is_no_pattern_is_refused(pattern) -> None:
    """Not a regular expression at all."""
    with pytest.raises(ConfigError, match="regular expression"):
        lint.check("redaction.patterns.p", pattern)
