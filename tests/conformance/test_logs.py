"""The same records on the SDK's logger provider and on ours are the same on the wire."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any

import pytest
from conformance import sides
from conformance.scenarios_values import OBJECTS, VALUES
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LogRecordLimits
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from aumos_otel import LogsOptions
from aumos_otel._internal import quantities
from aumos_otel.processors.log_handler import StandardLibraryHandler
from aumos_otel.providers import logger as our_logger

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:Log record attributes were dropped")

NOW = 1_700_000_000_000_000_000
RESOURCE = Resource({"service.name": "desk"})

#: Limits under which records are written: of the SDK's, and as the variables that ours reads.
LIMITS: dict[str, tuple[Callable[[], LogRecordLimits], dict[str, str]]] = {
    "default": (LogRecordLimits, {}),
    "few": (lambda: LogRecordLimits(max_log_record_attributes=2), {"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "2"}),
    "short": (
        lambda: LogRecordLimits(max_log_record_attribute_length=5),
        {"OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": "5"},
    ),
}


class Desk:
    """A logger provider, and a logger of the standard library that writes to it."""

    def __init__(self, side: str, limits: str) -> None:
        self.memory = InMemoryLogRecordExporter()
        processor = SimpleLogRecordProcessor(self.memory)
        self.logger = logging.Logger("desk")  # noqa: LOG001 - one of the test's own
        handler: logging.Handler
        if side == "stock":
            self.provider = sides.stock("logs")(RESOURCE, shutdown_on_exit=False, log_record_limits=LIMITS[limits][0]())
            self.provider.add_log_record_processor(processor)
            handler = LoggingHandler(logger_provider=self.provider)
        else:
            read = quantities.read(LIMITS[limits][1], print)
            self.provider = our_logger.build(RESOURCE, [], [processor], {}, read)
            handler = StandardLibraryHandler(LogsOptions().resolve({}, {}, {}), self.provider, lambda: False)
        self.logger.addHandler(handler)
        self.direct = self.provider.get_logger("direct", "1", "https://example.com/schema", {"of": "scope"})

    def wire(self) -> list[str]:
        """The records as the SDK encodes them, but for when they were observed."""
        found = []
        for record in self.memory.get_finished_logs():
            try:
                message = encode_logs([record])
            except Exception as error:  # noqa: BLE001 - the SDK's encoder raises for some values
                found.append(f"{type(error).__name__}: {error}")
                continue
            for inside in message.resource_logs[0].scope_logs[0].log_records:
                inside.observed_time_unix_nano = 0
                inside.attributes.sort(key=lambda attribute: attribute.key)
            found.append(str(message))
        return found


def compare(scenario: Callable[[Desk], object], limits: str = "default") -> tuple[list[str], list[str]]:
    """What is on the wire of the SDK's provider, and of ours."""
    both = []
    for side in ("stock", "ours"):
        desk = Desk(side, limits)
        random.seed(7)
        scenario(desk)
        desk.provider.shutdown()
        both.append(desk.wire())
    return both[0], both[1]


def record(message: object, *arguments: object, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    """A record of the standard library, at a time of its own."""
    given = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], dict) else arguments
    made = logging.makeLogRecord(
        {"name": "desk.sub", "levelno": level, "levelname": logging.getLevelName(level), "msg": message, "args": given}
    )
    made.created = NOW / 1e9
    vars(made).update(extra)
    return made


def messages(desk: Desk) -> None:
    """Texts with and without arguments."""
    desk.logger.handle(record("plain"))
    desk.logger.handle(record("with %s and %d", "text", 5))
    desk.logger.handle(record("named %(a)s", {"a": 1}))
    desk.logger.handle(record("100%"))
    desk.logger.handle(record(""))
    desk.logger.handle(record("x" * 5_000))
    desk.logger.handle(record("\N{SNOWMAN}\x00"))


def severities(desk: Desk) -> None:
    """Levels of the standard library's, and others."""
    for level in (1, 5, 10, 11, 20, 25, 30, 35, 40, 45, 50, 60):
        desk.logger.handle(record("level", level=level))


def extras(desk: Desk) -> None:
    """Extra fields of every type."""
    for key, value in VALUES.items():
        desk.logger.handle(record("extra", **{key.replace(" ", "_"): value, "second": 2}))
    desk.logger.handle(record("several", a=1, b="x", c=[1], d={"e": 1}, long="y" * 100))


def traced(desk: Desk) -> None:
    """Records within spans carry their identity."""
    for flags in (0, 1):
        identity = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(flags))
        with trace.use_span(NonRecordingSpan(identity)):
            desk.logger.handle(record("within"))
            desk.direct.emit(LogRecord(timestamp=NOW, body="within"))
    desk.logger.handle(record("without"))


def direct(desk: Desk) -> None:
    """Records of the API: by object and by arguments, bodies of every type."""
    for body in (None, "text", 5, 1.5, True, b"bytes", [1, "a"], {"a": [1]}):
        desk.direct.emit(LogRecord(timestamp=NOW, observed_timestamp=5, body=body, severity_number=SeverityNumber.WARN))
    desk.direct.emit(
        LogRecord(
            timestamp=NOW,
            severity_text="ODD",
            event_name="happened",
            attributes={"a": 1, "b": [1], "c": "x" * 50, "": 1},
        )
    )
    desk.direct.emit(timestamp=NOW, body="by arguments", event_name="e", attributes={"k": None, "l": {"m": 1}})
    identity = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
    given = trace.set_span_in_context(NonRecordingSpan(identity), otel_context.Context())
    desk.direct.emit(timestamp=NOW, context=given, body="in a context")


def failing(desk: Desk) -> None:
    """Records with exceptions."""
    try:
        int("no")
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
        desk.logger.handle(record("failed", level=logging.ERROR, exc_info=told))
        desk.direct.emit(LogRecord(timestamp=NOW, body="failed", exception=error))
    desk.logger.handle(record("nothing", exc_info=(None, None, None)))


SCENARIOS = (messages, severities, extras, traced, direct, failing)


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_records(scenario: Callable[[Desk], None], limits: str) -> None:
    """Body, severity, time, attributes, limits, identity and exception are alike."""
    stock, ours = compare(scenario, limits)

    assert ours == stock
    assert stock


def test_objects() -> None:
    """Objects among the extra fields are kept as their texts."""

    def scenario(desk: Desk) -> None:
        for key, value in OBJECTS.items():
            desk.logger.handle(record("object", **{key.replace(" ", "_"): value}))

    stock, ours = compare(scenario)

    assert ours == stock


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
EXTRA = st.dictionaries(
    st.sampled_from(["a", "b", "c", "user.id"]),
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), TEXTS, st.binary(max_size=5)
        ),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS.filter(bool), inner, max_size=3)),
        max_leaves=5,
    ),
)


@given(TEXTS, EXTRA, st.sampled_from(list(LIMITS)), st.integers(1, 60))
def test_any_record(text: str, extra: dict[str, Any], limits: str, level: int) -> None:
    """Whatever is logged is the same on the wire."""
    stock, ours = compare(
        lambda desk: desk.logger.handle(record(text.replace("%", "%%"), level=level, **extra)), limits
    )

    assert ours == stock
