"""A record of the standard library's logging is the same whether it is kept as a `Log` or becomes objects of the SDK's."""

from __future__ import annotations

import copy
import decimal
import gc
import logging
import pathlib
import pickle
import threading
import uuid
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk._logs import LogRecordLimits, LogRecordProcessor
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from processors.shelf import Shelf

import aumos_otel as aumos
from aumos_otel import LogsOptions, guard
from aumos_otel.delivery.reading import log_record
from aumos_otel.processors.log_handler import StandardLibraryHandler
from aumos_otel.processors.logs import LogExportProcessor, LogIdentityProcessor
from aumos_otel.providers.logger import AumosLoggerProvider
from aumos_otel.providers.tracer import AumosTracerProvider
from aumos_otel.recording.log import Log


class Both:
    """A logger with two handlers: one keeps logs, the other has somebody who wants the SDK's objects."""

    def __init__(self, limits: LogRecordLimits | None = None, **options: Any) -> None:
        self.shelf, self.memory = Shelf(), InMemoryLogRecordExporter()
        self.logger = logging.Logger("app", 1)  # noqa: LOG001 - one of the test's own
        exporting = LogExportProcessor(self.shelf.dispatch)
        self.provider = self._attach([LogIdentityProcessor(), exporting], limits, options)
        self._attach([LogIdentityProcessor(), SimpleLogRecordProcessor(self.memory)], limits, options)

    def _attach(
        self, processors: list[LogRecordProcessor], limits: LogRecordLimits | None, options: dict[str, Any]
    ) -> AumosLoggerProvider:
        provider = AumosLoggerProvider(Resource({}), False, log_record_limits=limits)
        for processor in processors:
            provider.add_log_record_processor(processor)
        resolved = LogsOptions(**options).resolve({}, {}, {})
        handler = StandardLibraryHandler(resolved, provider, lambda: False)
        handler.setLevel(logging.NOTSET)
        self.logger.addHandler(handler)
        return provider

    def pairs(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """What delivery reads of each record, both ways; but for when it was handed over."""
        objects = self.memory.get_finished_logs()
        return [(fields(one), fields(other)) for one, other in zip(self.shelf.items, objects, strict=True)]

    def agree(self) -> bool:
        """Whether both ways led to the same."""
        return all(one == other for one, other in self.pairs())

    def kept(self) -> list[bool]:
        """Whether each record has been kept as a `Log`."""
        return [type(item) is Log for item in self.shelf.items]


def fields(item: Any) -> dict[str, Any]:
    """A record as a dict."""
    record = log_record(item)
    left_out = {"observed_time", "origin"}
    return {name: repr(getattr(record, name)) for name in record._fields if name not in left_out} | {
        "attributes": sorted((key, repr(value)) for key, value in record.attributes.items()),
        "resource": record.resource_attributes,
        "scope": record.scope_name,
    }


class Mood:
    """A value with a text of its own."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class Loud(str):
    """A text that tells something else."""

    __slots__ = ()

    def __str__(self) -> str:
        return "loud"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4)
harmless = st.sampled_from(
    [uuid.UUID(int=7), decimal.Decimal("1.50"), pathlib.PurePosixPath("/a"), pathlib.Path("b"), datetime.now(UTC)]
)
objects = harmless | st.sampled_from([Mood("fine"), Loud("x"), [1, "a"], {"": 1, "k": (2,)}, object, ValueError("no")])
anything = scalars | objects
keys = st.sampled_from(
    [
        "order",
        "",
        "message2",
        "event.name",
        "otel.event.name",
        "gen_ai.operation.name",
        "\ud83d",
        "aumos.tenant.id",
    ]
)
messages = (
    st.sampled_from(["done", "", "%s", "%s of %s", "%d%%", "%(a)s", "%c", "%s %s %s"]) | st.text(max_size=6) | objects
)
arguments = st.lists(anything, max_size=3) | st.just([{"a": 7}])
levels = st.sampled_from([1, 10, 20, 25, 30, 40, 50, 60, 100])


@pytest.mark.filterwarnings("ignore:Log record attributes were dropped")
@settings(max_examples=400, deadline=None)
@given(messages, arguments, st.dictionaries(keys, anything, max_size=3), levels, st.booleans(), st.booleans())
def test_both_ways_lead_to_the_same(  # noqa: PLR0917 - drawn
    message: Any, given_arguments: list[Any], extra: dict[str, Any], level: int, where: bool, bound: bool
) -> None:
    """Whatever is logged, delivery reads the same from both, the first time and when its names are known."""
    both = Both(code_attributes=where)
    strict = guard.set_strict(False)
    for _ in range(2):
        with aumos.bind(tenant_id="acme" if bound else None):
            both.logger.log(level, message, *given_arguments, extra=extra)
    guard.set_strict(strict)

    assert len(both.shelf.items) == 2
    assert both.agree(), both.pairs()


@pytest.fixture
def both() -> Both:
    """Both ways."""
    return Both()


def test_scalars_are_kept_as_a_log(both: Both) -> None:
    """The usual record takes the short way from the second one with the same names on."""
    for _ in range(3):
        both.logger.info("order %s took %d ms", 7, 5, extra={"user": "ann", "ok": True, "id": uuid.UUID(int=7)})

    assert both.kept()[1:] == [True, True]
    assert both.shelf.items[-1].values == {"user": "ann", "ok": True, "id": str(uuid.UUID(int=7))}
    assert both.agree()


def test_other_handlers_leave_their_marks(both: Both) -> None:
    """What a formatter puts on the record before it comes to us is no attribute."""
    first = logging.StreamHandler(open("/dev/null", "w"))  # noqa: SIM115, PTH123 - closed below
    first.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    both.logger.handlers.insert(0, first)
    for _ in range(2):
        both.logger.info("hello %s", "you", extra={"user": "ann"})
    first.stream.close()

    assert both.agree()
    assert both.kept()[1]
    assert [dict(item.log_record.attributes) for item in both.shelf.items] == [{"user": "ann"}] * 2


@pytest.mark.parametrize(
    "tamper",
    [
        lambda record: vars(record).update({"late": 1}),
        lambda record: delattr(record, "processName"),
        lambda record: setattr(record, "args", ["a list"]),
        lambda record: setattr(record, "msg", Loud("%s")),
        lambda record: setattr(record, "levelname", Mood("odd")),
        lambda record: setattr(record, "created", 7),
        lambda record: vars(record).update({7: "no name"}),
    ],
    ids=["adds", "deletes", "other arguments", "another text", "another level", "another time", "no name"],
)
def test_records_that_were_tampered_with(tamper: Callable[[Any], None], both: Both) -> None:
    """Whatever a filter did to the record, both ways see the same of it."""
    for _ in range(2):
        record = both.logger.makeRecord("app", 20, "f.py", 3, "hello %s", ("you",), None, "f", {"user": "ann"})
        tamper(record)
        both.logger.handle(record)

    assert len(both.shelf.items) == 2
    assert both.agree(), both.pairs()


@pytest.mark.parametrize(
    "way",
    [copy.copy, lambda record: pickle.loads(pickle.dumps(record)), lambda record: logging.makeLogRecord(vars(record))],
)
def test_records_that_came_through_a_queue(way: Callable[[Any], Any], both: Both) -> None:
    """A copy of a record is as good as the record."""
    for _ in range(2):
        record = both.logger.makeRecord("app", 20, "f.py", 3, "hello %s", ("you",), None, "f", {"user": "ann"})
        both.logger.handle(way(record))

    assert both.kept() == [False, True] or both.kept() == [True, True]
    assert both.agree(), both.pairs()


def test_a_class_of_the_application_s(both: Both) -> None:
    """A record of another class makes its message as it likes, and may log meanwhile."""

    class Braces(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802 - the standard library's
            both.logger.error("inside")
            return str(self.msg).format(*self.args)  # type: ignore[misc]  # a tuple here

    both.logger.handle(Braces("app", 20, "f.py", 3, "hello {}", ("you",), None))

    assert [fields(item)["body"] for item in both.shelf.items] == ["'hello you'"]


def test_another_way_to_make_messages(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application may let all records make their messages in another way."""
    monkeypatch.setattr(logging.LogRecord, "getMessage", lambda record: record.msg.format(*record.args))
    both.logger.info("hello {}", "you")  # noqa: PLE1205 - as that way wants it

    assert [fields(item)["body"] for item in both.shelf.items] == ["'hello you'"]
    assert both.agree()


@pytest.mark.parametrize(
    "limits", [{"max_log_record_attributes": 2}, {"max_log_record_attribute_length": 3}, {"max_attributes": 0}]
)
@pytest.mark.filterwarnings("ignore:Log record attributes were dropped")
def test_limits_hold(limits: dict[str, int]) -> None:
    """Attributes over the limit are dropped and counted, long ones are cut, as the SDK does it."""
    both = Both(LogRecordLimits(**limits))
    for _ in range(3):
        both.logger.info("a message is never cut", extra={"a": 1, "b": "long text", "c": uuid.UUID(int=7)})
        both.logger.info("short", extra={"a": 1, "b": "abc"})

    assert both.agree(), both.pairs()


@pytest.mark.parametrize("provider", [TracerProvider, AumosTracerProvider])
def test_the_span_around_it(provider: type[TracerProvider], both: Both) -> None:
    """A record belongs to the span in which it was written, whoever made that; outside of any to none."""
    tracer = provider(shutdown_on_exit=False).get_tracer("tests")
    with tracer.start_as_current_span("work") as span:
        both.logger.info("inside")
    remote = trace.SpanContext(5, 6, is_remote=True, trace_flags=trace.TraceFlags(0))
    with trace.use_span(trace.NonRecordingSpan(remote)):
        both.logger.info("inside another")
    with trace.use_span(trace.INVALID_SPAN):
        both.logger.info("inside none")
    both.logger.info("outside")

    assert both.agree(), both.pairs()
    ids = [(item.trace_id, item.span_id, item.trace_flags) for item in both.shelf.items]
    context = span.get_span_context()
    assert ids == [(context.trace_id, context.span_id, context.trace_flags), (5, 6, 0), (0, 0, 0), (0, 0, 0)]


def test_identity_is_stamped_beneath_what_is_given(both: Both) -> None:
    """The bound identity is on the record, unless the record says otherwise."""
    with aumos.bind(tenant_id="acme", user_id="u"):
        for _ in range(2):
            both.logger.info("hello", extra={"aumos.tenant.id": "other"})

    assert both.kept()[1]
    assert both.shelf.items[1].attributes == {"aumos.tenant.id": "other", "user.id": "u"}
    assert both.agree()


def test_what_is_worth_more(both: Both) -> None:
    """Errors, and events of LLM calls, are dropped last."""
    for level, extra in ((20, {}), (40, {}), (20, {"gen_ai.operation.name": "chat"})):
        for _ in range(2):
            both.logger.log(level, "hello", extra=extra)

    assert [valued for _, valued in both.shelf.weights] == [False] * 2 + [True] * 4


def test_the_weight_grows_with_the_texts(both: Both) -> None:
    """What a record is estimated to take includes its message, its arguments and its attributes."""
    for _ in range(2):
        both.logger.info("x")
        both.logger.info("x" * 1000)
        both.logger.info("%s", "x" * 1000)
        both.logger.info("x", extra={"user": "x" * 1000})

    first, *others = [size for size, _ in both.shelf.weights[-4:]]
    assert all(999 <= size - first <= 1100 for size in others)


def test_a_large_record_is_shortened_before_it_waits(both: Both) -> None:
    """It is cut down at once, and told by length and fingerprint."""
    both.logger.info("x" * 2_000_000)

    ((size, _),) = both.shelf.weights
    body = log_record(both.shelf.items[0]).body
    assert isinstance(body, str)
    assert "(len 2000000, sha256 " in body
    assert len(body) < size < 300_000


def test_nothing_of_the_caller_s_is_kept_alive(both: Both) -> None:
    """Neither record, arguments, extra nor exception outlive the call."""

    class HeldError(Exception):
        """Somebody's."""

    held = [HeldError("a"), HeldError("b"), HeldError("c")]
    ghosts = [weakref.ref(each) for each in held]
    try:
        raise held[0]
    except HeldError:
        both.logger.exception("failed: %s", held[1], extra={"held": held[2]})
    del held
    both.memory.clear()
    gc.collect()

    assert [ghost() for ghost in ghosts] == [None] * 3
    assert len(both.shelf.items) == 1


def test_many_threads(both: Both) -> None:
    """No record is lost or mixed up among threads."""

    def work(number: int) -> None:
        for count in range(200):
            both.logger.info("%d-%d", number, count, extra={f"k{number}": count})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    bodies = {item.log_record.body: dict(item.log_record.attributes) for item in both.shelf.items}
    assert bodies == {f"{n}-{c}": {f"k{n}": c} for n in range(4) for c in range(200)}


def test_more_names_than_are_remembered(both: Both) -> None:
    """Attributes arrive however many different names there are."""
    for number in range(5000):
        both.logger.info("hello", extra={f"many{number}": number})

    assert [dict(item.log_record.attributes) for item in both.shelf.items] == [{f"many{n}": n} for n in range(5000)]


def test_a_reader_that_comes_later(both: Both) -> None:
    """From then on it gets the SDK's objects, and export goes on."""
    both.logger.info("before")
    memory = InMemoryLogRecordExporter()
    both.provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    both.logger.info("after")

    assert [record.log_record.body for record in memory.get_finished_logs()] == ["after"]
    assert both.kept() == [True, False]
    assert both.agree()
