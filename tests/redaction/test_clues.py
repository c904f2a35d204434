"""The quick look at a text misses nothing that a search would find."""

from __future__ import annotations

import random
import re
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redaction.corpus import clean, positives
from redaction.report import redactor

from aumos_otel.redaction.clues import Clues
from aumos_otel.redaction.detector import ASSIGNED, DIGIT
from aumos_otel.redaction.detectors import DETECTORS
from aumos_otel.redaction.scan import _lower

CLUES = Clues(DETECTORS)
#: All but those whose clue is any digit.
SOUGHT = [detector for detector in DETECTORS if detector.needs != DIGIT]
PIECES = [
    *(guard for detector in DETECTORS for guard in detector.guard),
    *(" ", "\n", '"', "'", "\\", "]", "=", ":", "=>", ":=", "-", "_", ".", "/", "&", "?", "7", "42", "2024", "a", "Z", "\u00a0"),
    *("\u212aey", "\u0130", "ß", "漢", "\ud800", "[REDACTED:jwt]", "x" * 30, "A1b2C3d4" * 3, "4111 1111 1111 1111", "4111111111111111"),
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
SECRETS = [text for _, _, text in positives.cases()]


def finders(text: str) -> set[str]:
    """The names of detectors whose patterns match, each looked for by itself."""
    searched = {False: text, True: _lower(text)}
    matching = {detector.name for detector in DETECTORS if detector.compiled.search(searched[detector.lowered])}
    # These two take any white space after their word, and are asked for with a plain one only.
    return matching - {name for name in ("bearer", "basic") if f"{name} " not in searched[True]}


def candidates(text: str) -> set[str]:
    """The names of detectors that have to look."""
    return {detector.name for detector in CLUES.candidates(text)}


@pytest.mark.parametrize(
    "detector", SOUGHT, ids=[f"{place:02} {detector.name}" for place, detector in enumerate(SOUGHT)]
)
def test_whatever_a_pattern_matches_has_its_clue(detector) -> None:
    """Texts made from the pattern itself, in either case, among anything."""

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.filter_too_much])
    @given(st.from_regex(re.compile(detector.pattern, detector.flags)), TEXTS, TEXTS, st.booleans())
    def look(match: str, before: str, after: str, upper: bool) -> None:
        text = before + (match.upper() if upper and detector.lowered else match) + after
        if detector.name in finders(text):
            assert detector.name in candidates(text)

    look()


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example("To\u212aen=abcdefgh12345678")
@example("To\u212aen=abcdefgh12345678 \u0130")
@example("PASSWD-x_y-z\\\"'] =  'hunter2'")
@example("sk-ant-sk-ant-sk-" + "a1" * 20)
@example("GOCSPX--" + "a1" * 20)
@example("api?key=abcdefgh12345678")
def test_whatever_matches_has_its_clue(text) -> None:
    """Guards, separators and secrets in any order, also where one begins within another."""
    assert finders(text) <= candidates(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS | st.sampled_from(SECRETS), st.integers(0, 80), st.integers(0, 80))
def test_no_part_has_more_clues_than_the_whole(text, start, end) -> None:
    """What is proved of a text is proved of each stretch of it."""
    assert candidates(text[start : len(text) - end]) <= candidates(text)


def test_one_character_alone_becomes_ascii_in_lower_case() -> None:
    """The folding knows it; a Python that knew another would have to be told of it."""
    strange = [chr(code) for code in range(128, sys.maxunicode + 1) if chr(code).lower().isascii()]
    assert strange == ["\u212a"]


def test_words_before_an_assignment_are_whole() -> None:
    """A guard that the sign must follow is not the beginning of a longer word that its pattern takes."""
    for detector in DETECTORS:
        if detector.needs == ASSIGNED:
            for guard in detector.guard:
                assert detector in CLUES.candidates(f'x {guard}_rest-of"] = value'), guard


def test_most_clean_text_has_no_clue() -> None:
    """Prose, code, logs and ids are told clean without a search, or the quick look would be for nothing."""
    made, texts = redactor(), clean.texts()
    for kind in ("prose", "code", "logs", "uuids", "digests", "trace contexts", "isbns", "prices", "versions", "blobs"):
        told = sum(map(made.is_surely_clean, texts[kind]))
        assert told >= len(texts[kind]) * (0.7 if kind == "prose" else 0.9), kind


@pytest.mark.parametrize(
    "options",
    [{}, {"personal": "mask"}, {"personal": "mask", "national_ids": "mask"}, {"patterns": {"badge": "B-[0-9]{6}"}}, {"custom": lambda _, text: text + "!"}],
    ids=["secrets", "personal", "all", "patterns", "custom"],
)  # fmt: skip
def test_what_is_surely_clean_stays_as_it_is(options) -> None:
    """Whatever else is looked for: positive, clean and mixed texts, and texts that were cut before."""
    made, rng = redactor(**options), random.Random(3)
    texts = [text for several in clean.texts().values() for text in several[:60]] + SECRETS[::3]
    texts += [rng.choice(texts) + rng.choice(PIECES) + rng.choice(texts) for _ in range(300)]
    texts += [f"half a sec… (len 300, sha256 {'0' * 64})", "x" * 200_000, "BADGE B-123456"]
    told = [text for text in texts if made.is_surely_clean(text)]
    assert [text for text in told if made.text("log.body", text) != text] == []
    assert [text for text in told if made.value("note", text) != text] == []
    assert bool(told) == (not options.keys() & {"patterns", "custom"})
