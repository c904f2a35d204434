"""The whole numbers among the specification's variables."""

from __future__ import annotations

import pytest

from aumos_otel._internal import quantities


def read(**environ: str) -> tuple[dict[str, int | None], list[str]]:
    """The numbers in force, and what was reported."""
    reported: list[str] = []
    return quantities.read(environ, reported.append), reported


def test_defaults_are_the_specifications() -> None:
    """With nothing set each number is the specification's default; only the queue is longer."""
    found, reported = read()

    assert reported == []
    assert found["OTEL_BSP_SCHEDULE_DELAY"] == 5000
    assert found["OTEL_BLRP_SCHEDULE_DELAY"] == 1000
    assert found["OTEL_BSP_MAX_QUEUE_SIZE"] == found["OTEL_BLRP_MAX_QUEUE_SIZE"] == 65_536
    assert found["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] == 2048
    assert found["OTEL_METRIC_EXPORT_INTERVAL"] == 60000
    assert found["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"] == 128
    assert found["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"] is None


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "0x10", "²", "1_000", "99999999999"])
def test_what_is_no_number(text: str) -> None:
    """What is no whole number, or out of range, is reported and ignored."""
    found, (report,) = read(OTEL_BSP_MAX_QUEUE_SIZE=text)

    assert found["OTEL_BSP_MAX_QUEUE_SIZE"] == 65_536
    assert (
        report == f"OTEL_BSP_MAX_QUEUE_SIZE: got {text!r}, expected a whole number from 1 to 2147483647; it is ignored"
    )


@pytest.mark.parametrize("text", ["", "  "])
def test_empty_is_unset(text: str) -> None:
    """An empty variable is an unset one."""
    found, reported = read(OTEL_SPAN_EVENT_COUNT_LIMIT=text)

    assert found["OTEL_SPAN_EVENT_COUNT_LIMIT"] == 128
    assert reported == []


def test_zero() -> None:
    """Zero is a limit; as a time-out it means as long as it takes; as a queue it is refused."""
    found, reported = read(
        OTEL_SPAN_EVENT_COUNT_LIMIT="0",
        OTEL_BSP_EXPORT_TIMEOUT="0",
        OTEL_BSP_SCHEDULE_DELAY="0",
        OTEL_BLRP_MAX_QUEUE_SIZE="0",
    )

    assert found["OTEL_SPAN_EVENT_COUNT_LIMIT"] == 0
    assert found["OTEL_BSP_EXPORT_TIMEOUT"] == quantities.LARGEST
    assert found["OTEL_BSP_SCHEDULE_DELAY"] == 0
    assert found["OTEL_BLRP_MAX_QUEUE_SIZE"] == 65_536
    assert len(reported) == 1


@pytest.mark.parametrize("name", ["SPAN", "EVENT", "LINK", "LOGRECORD"])
def test_general_and_particular_counts(name: str) -> None:
    """The particular limit, the general one, the default."""
    particular = f"OTEL_{name}_ATTRIBUTE_COUNT_LIMIT"

    assert read(OTEL_ATTRIBUTE_COUNT_LIMIT="7")[0][particular] == 7
    assert read(OTEL_ATTRIBUTE_COUNT_LIMIT="7", **{particular: "9"})[0][particular] == 9
    assert read(OTEL_ATTRIBUTE_COUNT_LIMIT="7", **{particular: "bad"})[0][particular] == 7
    assert read(OTEL_ATTRIBUTE_COUNT_LIMIT="bad")[0][particular] == 128


@pytest.mark.parametrize("name", ["SPAN", "LOGRECORD"])
def test_general_and_particular_lengths(name: str) -> None:
    """The same holds for lengths, which have no limit by default."""
    particular = f"OTEL_{name}_ATTRIBUTE_VALUE_LENGTH_LIMIT"

    assert read(OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="7")[0][particular] == 7
    assert read(OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="7", **{particular: "9"})[0][particular] == 9
    assert read()[0][particular] is None


@pytest.mark.parametrize("prefix", ["OTEL_BSP", "OTEL_BLRP"])
def test_a_batch_is_no_larger_than_the_queue(prefix: str) -> None:
    """A small queue shrinks the default batch silently; a batch that was asked for is reported."""
    silent, nothing = read(**{f"{prefix}_MAX_QUEUE_SIZE": "10"})
    told, reported = read(**{f"{prefix}_MAX_QUEUE_SIZE": "10", f"{prefix}_MAX_EXPORT_BATCH_SIZE": "20"})

    assert silent[f"{prefix}_MAX_EXPORT_BATCH_SIZE"] == 10
    assert told[f"{prefix}_MAX_EXPORT_BATCH_SIZE"] == 10
    assert nothing == []
    assert len(reported) == 1
