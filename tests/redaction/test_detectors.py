"""What is found, what is not, and that no text makes looking expensive."""

from __future__ import annotations

import pytest
from redaction import report
from redaction.corpus import positives

from aumos_otel.redaction import cards, checksums, lint
from aumos_otel.redaction.detectors import DETECTORS

#: Processor seconds that 80 000 characters may cost unquestioned: what 1 MB may (50 ms), by length.
SLOW = 0.004
IDENTIFIED = [f"{place:02} {detector.name}" for place, detector in enumerate(DETECTORS)]


def test_almost_nothing_planted_comes_out() -> None:
    """Of each kind of the corpus at least 99 in 100 are found, whatever text stands around."""
    missed = report.recall()
    planted = len(positives.cases())
    assert {name: texts[:3] for name, texts in missed.items() if texts} == {}
    assert planted >= 20 * len(positives.SHAPED | positives.NAMED)


def test_each_detector_is_in_the_corpus() -> None:
    """A detector that nothing plants anything for would never be seen to break."""
    planted = set(positives.SHAPED) | set(positives.NAMED) | set(positives.NATIONAL)
    assert {detector.name for detector in DETECTORS} == planted


def test_clean_text_stays_as_it_is() -> None:
    """Secrets on by default change next to nothing in prose, code, logs, ids and numbers."""
    for kind, (count, names, examples) in report.false_positives().items():
        assert len(examples) <= count * (0.002 if kind == "code" else 0), (kind, names, examples[:5])


def test_personal_data_is_seldom_seen_where_there_is_none() -> None:
    """Phone numbers and accounts are not seen in ids, prices, versions and timestamps."""
    for kind, (_, names, examples) in report.false_positives(personal="mask", secrets="keep").items():
        assert names.keys() <= {"email"}, (kind, names, examples[:5])


@pytest.mark.parametrize("detector", DETECTORS, ids=IDENTIFIED)
def test_patterns_are_linear_by_their_shape(detector) -> None:
    """Our own patterns pass what is asked of the user's: no quantifier inside another, no trial that is slow."""
    lint.check(detector.name, detector.pattern)


@pytest.mark.parametrize("detector", DETECTORS, ids=IDENTIFIED)
def test_four_times_the_text_costs_about_four_times(detector) -> None:
    """On each adversary the cost grows with the text: far less than the sixteenfold of a quadratic pattern."""
    from bench import redaction as bench

    for unit, text in bench.adversaries(detector, 80_000):
        # Only what is slow at all is compared, and more than once: the machine does other things too.
        if bench.scan_seconds(detector, text, rounds=1) < SLOW:
            continue
        quarter = bench.scan_seconds(detector, text[: len(text) // 4], rounds=5)
        assert bench.scan_seconds(detector, text, rounds=5) < max(8 * quarter, SLOW), unit


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "5555555555554444",
        "378282246310005",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
    ],
)
def test_published_test_cards_are_cards(number) -> None:
    """The numbers that payment schemes publish for tests are recognised, and no neighbour of theirs."""
    assert cards.is_card(number)
    assert not cards.is_card(number[:-1] + str((int(number[-1]) + 1) % 10))


def test_check_digits_tell() -> None:
    """One changed digit is noticed by each checksum."""
    assert checksums.mod97("DE89370400440532013000")
    assert not checksums.mod97("DE89370400440532013001")
    assert checksums.verhoeff("234123412346")
    assert not checksums.verhoeff("234123412347")
    assert checksums.mod11_10("86095742719")
    assert not checksums.mod11_10("86095742718")


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "trace a4111111111111111f",
        "1234567890123456",
        "eyJhbGciOi.not-base64.x",
        "eyJub3QganNvbg.e30.x",
        "basic knowledge of user:password pairs",
        "bearer of bad news",
        "max_tokens=1024 token=2048",
        "token_count: 123456789",
        "password: str = None",
        "password=${DB_PASSWORD}",
        "password = get_password(user)",
        "the task-force-for-next-generation-2026-systems",
        "https://example.com:8080/a@b",
    ],
)
def test_what_looks_alike_stays(text) -> None:
    """A wrong check digit, a word in the place of a value and code are no secrets."""
    assert report.redactor().text("text", text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4111 1111 1111 1111 123", "[REDACTED:payment_card] 123"),
        ("4111 1111 1111 1111 5555 5555 5555 4444", "[REDACTED:payment_card] [REDACTED:payment_card]"),
        ("order 12 4111-1111-1111-1111 ok", "order 12 [REDACTED:payment_card] ok"),
        ('{"password": "a\\"b"}', '{"password": "[REDACTED:password]"}'),
        ("Pwd=a,b;Uid=c", "Pwd=[REDACTED:password];Uid=c"),
        ("postgres://u:p@q@h/db", "postgres://u:[REDACTED:url_password]@h/db"),
        ("pay DE89 3704 0044 0532 0130 00 NOW", "pay [REDACTED:iban] NOW"),
        ("xAKIAIOSFODNN7EXAMPLEx", "x[REDACTED:aws_access_key]x"),
    ],
)
def test_exactly_the_secret_is_masked(text, expected) -> None:
    """What stands around a secret stays readable, to the character."""
    assert report.redactor(personal="mask").text("text", text) == expected
