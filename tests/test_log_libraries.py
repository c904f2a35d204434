"""Records of the standard library, structlog and loguru arrive with everything they carry; docs/guides/logging.md."""

from __future__ import annotations

import logging
import logging.config

import loguru
import pytest
import structlog
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber

import aumos_otel as aumos
from aumos_otel.semconv import attributes


def standard(telemetry):
    """A logger of the standard library; nothing to set up."""
    return logging.getLogger("shop.orders")


def structured(telemetry):
    """A logger of structlog, set up as the guide says."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            add_trace_ids,
            structlog.stdlib.render_to_log_kwargs,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return structlog.get_logger("shop.orders")


def add_trace_ids(_logger, _method, event):
    """The guide's processor."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def loguru_logger(telemetry):
    """A logger of loguru, set up as the guide says."""
    loguru.logger.add(telemetry.log_handler, level="TRACE", format=lambda _record: "{message}")
    return loguru.logger


LIBRARIES = pytest.mark.parametrize("library", [standard, structured, loguru_logger])


@pytest.fixture(autouse=True)
def _untouched():
    """Levels and handlers of each library are as they were after the test."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    loguru.logger.remove()
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
    loguru.logger.remove()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def only(capture):
    """The one log record of the test."""
    (record,) = capture.logs
    return record.log_record


@LIBRARIES
def test_record_is_joined_to_its_trace(capture, library):
    """A line written inside a span has the ids of the span; outside it has none."""
    log = library(capture.telemetry)
    with aumos.span("place order"):
        context = trace.get_current_span().get_span_context()
        log.info("inside")
    log.info("outside")

    inside, outside = (record.log_record for record in capture.logs)

    assert (inside.trace_id, inside.span_id) == (context.trace_id, context.span_id)
    assert not outside.trace_id


@LIBRARIES
def test_record_has_body_and_identity(capture, library):
    """The body is the message; the bound tenant and user are attributes."""
    log = library(capture.telemetry)
    with aumos.bind(tenant_id="acme", user_id="u-1"):
        log.info("order 1742 placed")

    record = only(capture)

    assert record.body == "order 1742 placed"
    assert record.attributes[attributes.AUMOS_TENANT_ID] == "acme"
    assert record.attributes[attributes.USER_ID] == "u-1"


@LIBRARIES
@pytest.mark.parametrize(
    ("method", "number", "text"),
    [
        ("debug", SeverityNumber.DEBUG, "DEBUG"),
        ("info", SeverityNumber.INFO, "INFO"),
        ("warning", SeverityNumber.WARN, "WARN"),
        ("error", SeverityNumber.ERROR, "ERROR"),
        ("critical", SeverityNumber.FATAL, "FATAL"),
    ],
)
def test_severity_is_that_of_the_level(capture, library, method, number, text):
    """Each level arrives as OpenTelemetry's number and name for it."""
    getattr(library(capture.telemetry), method)("x")

    assert (only(capture).severity_number, only(capture).severity_text) == (number, text)


@LIBRARIES
def test_exception_arrives_once_and_whole(capture, library):
    """Type, message and stack trace are attributes, and the body is the message alone."""
    log = library(capture.telemetry)
    try:
        int("seven")
    except ValueError:
        log.exception("order failed")

    record = only(capture)

    assert record.body == "order failed"
    assert record.severity_number is SeverityNumber.ERROR
    assert record.attributes[attributes.EXCEPTION_TYPE] == "ValueError"
    assert "seven" in record.attributes[attributes.EXCEPTION_MESSAGE]
    assert "test_log_libraries.py" in record.attributes[attributes.EXCEPTION_STACKTRACE]


@LIBRARIES
def test_record_names_its_logger(capture, library):
    """The scope is the logger's name; loguru's is the module that wrote the line."""
    library(capture.telemetry).info("x")

    name = "shop.orders" if library is not loguru_logger else __name__
    assert capture.logs[0].instrumentation_scope.name == name


def test_arguments_and_extra_of_the_standard_library(capture):
    """Arguments are filled in; `extra` becomes attributes, of any type."""

    class Odd:
        def __repr__(self):
            return "<odd>"

    given = {"order": 1742, "open": True, "items": [1, 2], "nested": {"a": [1]}, "odd": Odd()}
    logging.getLogger("shop").info("%s of %d", "one", 2, extra=given)

    record = only(capture)

    assert record.body == "one of 2"
    assert {key: record.attributes[key] for key in ("order", "open", "odd")} == {
        "order": 1742,
        "open": True,
        "odd": "<odd>",
    }
    assert list(record.attributes["items"]) == [1, 2]
    assert list(record.attributes["nested"]["a"]) == [1]


def test_bound_values_of_structlog_are_attributes(capture):
    """What was bound, given, or kept in a context variable is an attribute; so are the ids that were added."""
    log = structured(capture.telemetry).bind(order=1742)
    with structlog.contextvars.bound_contextvars(request="r-1"), aumos.span("place order"):
        log.info("order placed", items=3)

    record = only(capture)

    assert record.body == "order placed"
    assert {key: record.attributes[key] for key in ("order", "items", "request")} == {
        "order": 1742,
        "items": 3,
        "request": "r-1",
    }
    assert record.attributes["trace_id"] == trace.format_trace_id(record.trace_id)
    assert record.attributes["span_id"] == trace.format_span_id(record.span_id)


def test_level_of_structlog_is_that_of_the_logger(capture):
    """`filter_by_level` obeys the standard library's levels."""
    logging.getLogger().setLevel(logging.WARNING)
    log = structured(capture.telemetry)
    log.info("quiet")
    log.warning("loud")

    assert only(capture).body == "loud"


def test_printing_json_with_structlog_leaves_what_is_sent(capture, capsys):
    """A printing handler with structlog's formatter prints JSON; the sent record keeps body and attributes."""
    printing = logging.StreamHandler()
    printing.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[printing], level=logging.INFO, force=True)

    structured(capture.telemetry).info("order placed", items=3)

    assert only(capture).body == "order placed"
    assert only(capture).attributes["items"] == 3
    assert '"event": "order placed"' in capsys.readouterr().err


def test_bound_values_of_loguru_are_in_extra(capture):
    """Bound values of loguru come over as one map."""
    loguru_logger(capture.telemetry).bind(order=1742).info("order {} placed", 7)

    assert only(capture).body == "order 7 placed"
    assert dict(only(capture).attributes["extra"]) == {"order": 1742}


def test_own_levels_of_loguru_keep_their_name(capture):
    """SUCCESS lies above INFO and below WARN, and is called SUCCESS."""
    loguru_logger(capture.telemetry).success("order placed")

    record = only(capture)

    assert record.severity_text == "SUCCESS"
    assert SeverityNumber.INFO.value < record.severity_number.value < SeverityNumber.WARN.value


def test_handler_survives_its_removal_from_loguru(capture):
    """`logger.remove()` closes its handlers; the standard library's records still arrive."""
    loguru_logger(capture.telemetry)
    loguru.logger.remove()

    logging.getLogger("shop").info("still here")

    assert only(capture).body == "still here"


@pytest.mark.parametrize("when", ["basicConfig", "dictConfig"])
def test_setting_logging_up_later_keeps_our_handler(capture, when, monkeypatch):
    """An application that sets its logging up after `configure()` gets what it asked for, and still sends."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [capture.telemetry.log_handler])  # pytest's own stand aside
    if when == "basicConfig":
        logging.basicConfig(level=logging.INFO)
    else:
        settings = {"version": 1, "disable_existing_loggers": False, "root": {"level": "INFO", "handlers": []}}
        logging.config.dictConfig(settings)

    logging.getLogger("shop").info("order placed")

    assert logging.getLogger().level == logging.INFO
    assert only(capture).body == "order placed"


def test_logger_that_does_not_propagate_takes_the_handler(capture):
    """The guide's remedy for loggers like uvicorn's: the handler on the logger itself."""
    logger = logging.getLogger("shop.quiet")
    logger.propagate = False
    logger.info("lost")
    logger.addHandler(capture.telemetry.log_handler)
    logger.info("found")
    logger.removeHandler(capture.telemetry.log_handler)

    assert only(capture).body == "found"
