"""What the SDK and we log about ourselves: once a minute a message."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from aumos_otel._internal import diagnostics


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Throttled loggers, and their clock."""
    now = [1000.0]
    monkeypatch.setattr(diagnostics.time, "monotonic", lambda: now[0])
    end = diagnostics.throttle()
    yield now
    end()


def test_a_message_is_said_once_a_minute(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """Then again, with the number of those that were held back; whatever its arguments are."""
    logger = logging.getLogger("opentelemetry.exporter.made_later")
    for number in range(5):
        logger.warning("retrying in %s s", number)
    clock[0] += diagnostics.INTERVAL
    logger.warning("retrying in %s s", 9)

    assert caplog.messages == ["retrying in 0 s", "retrying in 9 s (4 more like this were held back)"]


def test_different_messages(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """Each message has its own minute; a template without words is told apart by its text."""
    logging.getLogger("aumos_otel").warning("one thing")
    logging.getLogger("aumos_otel").warning("another")
    logging.getLogger("aumos_otel").warning("%s", "a third")
    logging.getLogger("aumos_otel").warning("%s", "a fourth")
    logging.getLogger("aumos_otel.part").warning("one thing")

    assert len(caplog.messages) == 5


def test_many_messages_are_not_remembered_for_ever(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """The oldest is forgotten."""
    logger = logging.getLogger("opentelemetry.sdk")
    for number in range(diagnostics._MESSAGES + 1):
        logger.warning("attribute " + str(number) + " is odd")  # noqa: G003 - each is a message of its own
    logger.warning("attribute 0 is odd")

    assert len(caplog.messages) == diagnostics._MESSAGES + 2


def test_it_ends() -> None:
    """Afterwards the loggers are as they were."""
    loggers = [logging.getLogger(name) for name in diagnostics._NAMES]
    before = [(logger.parent, logger.propagate, list(logger.handlers)) for logger in loggers]
    diagnostics.throttle()()

    assert before == [(logger.parent, logger.propagate, list(logger.handlers)) for logger in loggers]


def test_handlers_of_the_application_on_these_loggers(clock: list[float]) -> None:
    """One that is put on the logger itself gets everything: who does that wants to see it."""
    seen: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    handler = Handler()
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(handler)
    try:
        for _ in range(3):
            logger.warning("look here")
    finally:
        logger.removeHandler(handler)

    assert seen == ["look here"] * 3


def test_without_any_handler_it_goes_to_stderr(
    clock: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ever, where the application never set logging up."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logging.getLogger("opentelemetry.sdk").warning("look here")

    assert capsys.readouterr().err == "look here\n"
