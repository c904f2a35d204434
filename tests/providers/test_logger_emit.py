"""What is emitted through the API is the same whether it is kept as a `Log` or becomes objects of the SDK's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import Logger as SdkLogger
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, SynchronousMultiLogRecordProcessor
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from processors.shelf import Shelf
from processors.slis import PythonSli

import aumos_otel as aumos
from aumos_otel import _compat, guard
from aumos_otel._compat import required
from aumos_otel.delivery.reading import log_record
from aumos_otel.processors.logs import LogExportProcessor, LogIdentityProcessor
from aumos_otel.processors.sli import SliCounter, SliLogProcessor
from aumos_otel.providers.log_keeper import Logger
from aumos_otel.providers.logger import AumosLoggerProvider
from aumos_otel.recording.log import Log

IN_SPAN = trace.set_span_in_context(
    NonRecordingSpan(SpanContext(5, 6, is_remote=False, trace_flags=TraceFlags(1))), Context()
)


class Setup:
    """A provider of ours that keeps logs, and one with somebody who wants the SDK's objects."""

    def __init__(self, *, limits: LogRecordLimits | None = None, slis: SliCounter | None = None) -> None:
        self.shelf, self.memory = Shelf(), InMemoryLogRecordExporter()
        counting = [] if slis is None else [SliLogProcessor(slis)]
        exporting = LogExportProcessor(self.shelf.dispatch)
        self.ours = AumosLoggerProvider(Resource({"service.name": "a"}), False, log_record_limits=limits)
        self.theirs = LoggerProvider(Resource({"service.name": "a"}), False, log_record_limits=limits)
        for processor in (LogIdentityProcessor(), *counting, exporting):
            self.ours.add_log_record_processor(processor)
        for processor in (LogIdentityProcessor(), SimpleLogRecordProcessor(self.memory)):
            self.theirs.add_log_record_processor(processor)
        self.logger: Any = self.ours.get_logger("app", "1")

    def emit(self, *records: Any, **parts: Any) -> None:
        """Emit through both."""
        self.logger.emit(*records, **parts)
        self.theirs.get_logger("app", "1").emit(*records, **parts)

    def pair(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What delivery reads of the last record, both ways."""
        return fields(self.shelf.items[-1]), fields(self.memory.get_finished_logs()[-1])

    @property
    def last(self) -> Any:
        """The last record of ours."""
        return self.shelf.items[-1]


def fields(item: Any) -> dict[str, Any]:
    """A record as a dict; but for when it was handed over, where nobody said."""
    record = log_record(item)
    left_out = {"origin"} if record.observed_time == 7 else {"origin", "observed_time"}
    return {name: repr(getattr(record, name)) for name in record._fields if name not in left_out} | {
        "attributes": sorted((key, repr(value)) for key, value in record.attributes.items()),
        "resource": record.resource_attributes,
        "scope": (record.scope_name, record.origin.scope_version),
    }


@pytest.fixture
def setup() -> Setup:
    """Both."""
    return Setup()


texts = st.sampled_from(["", "done", "\ud83d", "x" * 30])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=4)
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(texts, scalars, max_size=2)
times = st.none() | st.integers(0, 2**63 - 1)
parts = st.fixed_dictionaries(
    {},
    optional={
        "timestamp": times,
        "observed_timestamp": st.just(7),
        "context": st.sampled_from([None, Context(), IN_SPAN]),
        "severity_number": st.none() | st.sampled_from(SeverityNumber),
        "severity_text": st.none() | texts,
        "body": values,
        "attributes": st.none() | st.dictionaries(texts, values, max_size=4),
        "event_name": st.none() | texts,
        "exception": st.sampled_from([None, ValueError("no")]),
    },
)
LIMITS = st.sampled_from([None, {"max_log_record_attributes": 2}, {"max_log_record_attribute_length": 3}])


@pytest.mark.filterwarnings("ignore:Log record attributes were dropped")
@settings(max_examples=400, deadline=None)
@given(parts, LIMITS, st.booleans(), st.booleans())
def test_both_ways_lead_to_the_same(given_parts: dict[str, Any], limits: Any, whole: bool, bound: bool) -> None:
    """Delivery reads the same of whatever is emitted, as a record or in parts."""
    setup = Setup(limits=LogRecordLimits(**limits) if limits else None)
    with aumos.bind(tenant_id="acme" if bound else None):
        for provider in (setup.ours, setup.theirs):
            logger = provider.get_logger("app", "1")
            if whole:
                logger.emit(LogRecord(**given_parts))
            else:
                logger.emit(**given_parts)

    one, other = setup.pair()
    assert one == other


def test_a_plain_record_is_kept_as_a_log(setup: Setup) -> None:
    """The usual record and the usual event take the short way."""
    setup.emit(body="hello", attributes={"order": 7}, severity_number=SeverityNumber.ERROR, event_name="order.failed")
    assert type(setup.last) is Log
    setup.emit(LogRecord(body="hello", attributes={"messages": [{"role": "user"}]}))

    assert type(setup.last) is Log
    assert setup.pair()[0] == setup.pair()[1]
    assert [valued for _, valued in setup.shelf.weights] == [True, False]


def test_ids_that_were_set_on_the_record(setup: Setup) -> None:
    """A record may belong to another span than the one around it."""
    for trace_id, span_id in ((8, 9), (8, 0), (0, 0)):
        record = LogRecord(context=IN_SPAN, body="hello", observed_timestamp=7)
        record.trace_id, record.span_id = trace_id, span_id
        setup.emit(record)

        assert setup.pair()[0] == setup.pair()[1]
        assert (setup.last.trace_id, setup.last.span_id) == (trace_id, span_id)


def test_what_changes_later_does_not_show(setup: Setup) -> None:
    """Attributes are as they were when they were emitted."""
    attributes: dict[str, Any] = {"tags": ["a"], "state": "new"}
    setup.logger.emit(body="hello", attributes=attributes)
    attributes["tags"].append("b")
    attributes["state"] = "paid"

    assert setup.last.attributes == {"tags": ("a",), "state": "new"}


def test_events_are_counted() -> None:
    """An SLI counts events, with the tenant that is bound, and no other records."""
    counter = SliCounter([PythonSli("orders")])
    setup = Setup(slis=counter)
    with aumos.bind(tenant_id="acme"):
        setup.logger.emit(event_name="order.paid", attributes={"order": 7})
    setup.logger.emit(body="no event")

    assert type(setup.last) is Log
    assert counter.counts() == {"orders": (1, 1)}
    assert [tenant for (_, tenant), (events, _) in counter.read().series.items() if events] == ["acme"]


def test_a_resource_that_changes(setup: Setup) -> None:
    """Records of a forked child tell the child; those from before it what was true then."""
    setup.logger.emit(body="before")
    before = setup.last
    _compat.update_resource(setup.ours, Resource({"service.instance.id": "child"}))
    setup.logger.emit(body="after")

    assert "service.instance.id" not in before.resource.attributes
    assert setup.last.resource.attributes == {"service.name": "a", "service.instance.id": "child"}


def test_a_logger_that_is_switched_off(setup: Setup) -> None:
    """A logger that the configurator disables emits nothing, until it is enabled again."""
    config = type(setup.logger._logger_config)
    setup.ours._set_logger_configurator(logger_configurator=lambda _scope: config(is_enabled=False))
    setup.logger.emit(body="off")
    assert not setup.logger.enabled()
    setup.ours._set_logger_configurator(logger_configurator=lambda _scope: config())
    setup.logger.emit(body="on")

    assert [item.body for item in setup.shelf.items] == ["on"]


def test_what_is_handed_out() -> None:
    """A logger and its provider are the SDK's classes; the same logger comes each time."""
    provider = AumosLoggerProvider(Resource({}), False)

    assert isinstance(provider, LoggerProvider)
    assert isinstance(provider.get_logger("app"), SdkLogger)
    assert provider.get_logger("app") is provider.get_logger("app")
    assert isinstance(provider.get_logger("app", attributes={"a": 1}), Logger)


def test_processors_of_the_user_s_own() -> None:
    """A provider that is given its processors in one hands the SDK's objects to it."""
    memory = InMemoryLogRecordExporter()
    processors: Any = SynchronousMultiLogRecordProcessor()  # type: ignore[no-untyped-call]  # the SDK left it untyped
    provider = AumosLoggerProvider(Resource({}), False, processors)
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    provider.get_logger("app").emit(body="hello")

    assert [record.log_record.body for record in memory.get_finished_logs()] == ["hello"]


def test_the_metrics_of_the_sdk_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK counts its records, it goes on doing so."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    reader, shelf = InMemoryMetricReader(), Shelf()
    meters = MeterProvider([reader])
    provider = AumosLoggerProvider(Resource({}), False, meter_provider=meters)
    for processor in (LogIdentityProcessor(), LogExportProcessor(shelf.dispatch)):
        provider.add_log_record_processor(processor)
    provider.get_logger("app").emit(body="hello")
    data: Any = reader.get_metrics_data()
    meters.shutdown()

    ((metric,),) = [scope.metrics for resource in data.resource_metrics for scope in resource.scope_metrics]
    assert metric.data.data_points[0].value == 1
    assert len(shelf.items) == 1


def test_an_sdk_that_keeps_its_fields_otherwise(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the logger stays the SDK's, records arrive, and it is told which field is missing."""
    monkeypatch.setattr(required, "MISSING", [])
    monkeypatch.setattr(SdkLogger, "_logger_config", property(lambda self: self.elsewhere), raising=False)
    monkeypatch.setattr(SdkLogger, "__init__", lambda self, *_args, **_kwargs: None)

    assert type(setup.ours.get_logger("another")) is SdkLogger
    assert required.MISSING == ["Logger.elsewhere"]


def test_an_exit_that_fails(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is counted as lost, and nothing is raised."""
    refused: list[tuple[int, str]] = []
    shelf = Shelf()
    shelf.dispatch.books = type("Books", (), {"refuse": lambda _self, *about: refused.append(about)})()
    monkeypatch.setattr(shelf, "put", lambda *_args, **_named: 1 / 0)
    setup.ours.add_log_record_processor(LogExportProcessor(shelf.dispatch))
    monkeypatch.setattr(guard, "_strict", False)

    setup.logger.emit(body="hello")

    assert refused == [(1, "encode_error")]
    assert len(setup.shelf.items) == 1
