"""Records of the standard library's logging become log records, whatever is in them, and do not feed themselves."""

from __future__ import annotations

import collections
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from processors.shelf import Shelf

from aumos_otel import LogsOptions, guard
from aumos_otel.delivery.cleaning import clean
from aumos_otel.processors.log_handler import EXPORT_PATH, StandardLibraryHandler
from aumos_otel.processors.logs import LogExportProcessor, LogIdentityProcessor
from aumos_otel.providers.logger import AumosLoggerProvider


class Desk:
    """A logger with our handler.

    Args:
        processors: of the provider.
        records: what they have kept; read like the SDK's.
        options: of the handler.
    """

    def __init__(self, processors: list[LogRecordProcessor], kept: Callable[[], list[Any]], **options: Any) -> None:
        self.provider = AumosLoggerProvider(Resource({}), shutdown_on_exit=False)
        for processor in processors:
            self.provider.add_log_record_processor(processor)
        self._kept = kept
        self.handler = StandardLibraryHandler(
            LogsOptions(**options).resolve({}, {}, {}), self.provider, lambda: self.paused
        )
        self.paused = False
        self.logger = logging.Logger("app")  # noqa: LOG001 - one of the test's own
        self.logger.addHandler(self.handler)

    @property
    def records(self) -> list[Any]:
        """What was logged."""
        return [record.log_record for record in self._kept()]

    @property
    def only(self) -> Any:
        """The one that was logged."""
        (record,) = self.records
        return record


def with_objects(**options: Any) -> Desk:
    """A desk where somebody wants the SDK's objects."""
    memory = InMemoryLogRecordExporter()
    return Desk([SimpleLogRecordProcessor(memory)], lambda: list(memory.get_finished_logs()), **options)


def with_logs(**options: Any) -> Desk:
    """A desk where all processors are ours."""
    shelf = Shelf()
    return Desk([LogIdentityProcessor(), LogExportProcessor(shelf.dispatch)], lambda: shelf.items, **options)


@pytest.fixture(params=[with_objects, with_logs])
def furnish(request: pytest.FixtureRequest) -> Iterator[Callable[..., Desk]]:
    """Makes desks of either kind."""
    desks: list[Desk] = []

    def make(**options: Any) -> Desk:
        desks.append(request.param(**options))
        return desks[-1]

    yield make
    for desk in desks:
        desk.provider.shutdown()


@pytest.fixture
def desk(furnish: Callable[..., Desk]) -> Desk:
    """A desk of the test's own."""
    return furnish()


class Broken:
    """A value that has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("hello", "hello"),
        ({"order": [1, 2]}, {"order": [1, 2]}),
        ([1, {"a": None}], [1, {"a": None}]),
        (b"bytes", b"bytes"),
        (None, None),
        (7, 7),
        (object(), "<object>"),
        (Broken(), "<Broken: str() failed>"),
        (ValueError("as it is"), "as it is"),
        (collections.OrderedDict(a=1), {"a": 1}),
    ],
    ids=["text", "dict", "list", "bytes", "None", "int", "object", "broken", "exception", "mapping"],
)
def test_any_body_arrives(message: Any, body: Any, desk: Desk) -> None:
    """A structure stays one, an object is told by its text."""
    desk.logger.warning(message)

    assert clean(desk.only.body) == body


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("world", 1), "hello world 1"),
        ((Broken(), 1), "hello %s %d ('<Broken: str() failed>', 1)"),
        (("world", "x"), "hello %s %d ('world', 'x')"),
        (("world",), "hello %s %d ('world',)"),
    ],
    ids=["good", "broken", "wrong type", "too few"],
)
def test_a_message_that_cannot_be_made_is_not_lost(arguments: tuple[Any, ...], body: str, desk: Desk) -> None:
    """Then the template and its arguments arrive."""
    desk.logger.warning("hello %s %d", *arguments)

    assert desk.only.body == body


def test_an_argument_that_hangs(desk: Desk) -> None:
    """It keeps the user for a moment; the record arrives."""
    let_go = threading.Event()

    class Hangs:
        def __str__(self) -> str:
            let_go.wait(30)
            return ""

    desk.logger.warning("hello %s", Hangs())
    let_go.set()

    assert desk.only.body == "hello %s ('<Hangs: str() took too long>',)"


def test_what_changes_later_does_not_show(desk: Desk) -> None:
    """A record holds what was there when it was written."""
    order, tags = {"state": "new"}, ["a"]
    desk.logger.warning(order, extra={"tags": tags})
    order["state"] = "paid"
    tags.append("b")

    assert desk.only.body == {"state": "new"}
    assert desk.only.attributes["tags"] == ("a",)


def test_an_exception_arrives(desk: Desk) -> None:
    """With type, message and stack trace, also when its text fails."""

    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    for kind in (ZeroDivisionError, BrokenError):
        try:
            raise kind("no")  # noqa: TRY301 - it has to be in flight
        except Exception:
            desk.logger.exception("failed")

    first, second = desk.records
    assert first.attributes["exception.type"] == "ZeroDivisionError"
    assert first.attributes["exception.message"] == "no"
    assert "in test_an_exception_arrives" in first.attributes["exception.stacktrace"]
    assert second.attributes["exception.message"] == "<BrokenError: str() failed>"


@pytest.mark.parametrize("exc_info", [(None, None, None), (ValueError, None, None), 7, True, "text"])
def test_odd_exception_information(exc_info: Any, desk: Desk) -> None:
    """Whatever a library puts there, the record arrives."""
    record = logging.makeLogRecord({"name": "app", "msg": "hello", "levelno": 30, "exc_info": exc_info})
    desk.handler.handle(record)

    assert desk.only.body == "hello"


def test_code_and_event_name(furnish: Callable[..., Desk]) -> None:
    """Where the line stands is told when asked for; an event's name is the record's."""
    asking, desk = furnish(code_attributes=True), furnish()
    for _ in range(2):
        asking.logger.warning("hello", extra={"otel.event.name": "order.paid"})
        desk.logger.warning("hello", extra={"event.name": "order.paid"})
        asking.logger.warning("hello")

    assert [record.event_name for record in asking.records] == ["order.paid", None] * 2
    assert {record.attributes["code.function.name"] for record in asking.records} == {"test_code_and_event_name"}
    assert [(record.event_name, dict(record.attributes)) for record in desk.records] == [("order.paid", {})] * 2


def test_a_formatter_makes_the_body(desk: Desk) -> None:
    """An application that gives the handler a formatter gets its text."""
    desk.handler.setFormatter(logging.Formatter("<%(message)s>"))
    desk.logger.warning("hello")

    assert desk.only.body == "<hello>"


@pytest.mark.parametrize("name", sorted(EXPORT_PATH))
def test_loggers_of_the_export_path_are_left_out(name: str, desk: Desk) -> None:
    """Their records would cause the next export."""
    for part in (name, f"{name}.part"):
        desk.handler.handle(logging.makeLogRecord({"name": part, "msg": "connection refused", "levelno": 40}))

    assert desk.records == []


def test_suppressed_contexts_and_our_threads_are_left_out(desk: Desk) -> None:
    """What is logged while something is exported is about the export."""
    with suppress_instrumentation():
        desk.logger.error("in an export")
    thread = threading.Thread(target=desk.logger.error, args=("on a worker",), name="aumos-otel-lane")
    thread.start()
    thread.join()
    desk.paused = True
    desk.logger.error("while paused")

    assert desk.records == []


def test_a_record_that_causes_another(desk: Desk) -> None:
    """Logging inside the text of a logged object ends, and the outer record arrives."""

    class Chatty:
        def __str__(self) -> str:
            desk.logger.error("inside")
            return "chatty"

    for _ in range(2):
        desk.logger.warning("hello %s", Chatty())

    assert [record.body for record in desk.records] == ["hello chatty"] * 2


def test_a_provider_that_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised into the user's code, nothing is printed."""
    before = guard.swallowed().get("processors.log_handler", 0)
    monkeypatch.setattr(desk.provider, "get_logger", lambda _name: 1 / 0)

    desk.logger.warning("hello")

    assert guard.swallowed()["processors.log_handler"] == before + 1


ANYTHING = st.recursive(
    st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object) | st.builds(Broken),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=10,
)


@given(ANYTHING, st.lists(ANYTHING, max_size=3), ANYTHING)
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost(message: Any, arguments: list[Any], extra: Any) -> None:
    """Whatever is logged, one record arrives, and nothing is raised."""
    for make in (with_objects, with_logs):
        desk = make()
        for _ in range(2):
            desk.logger.warning(message, *arguments, extra={"extra": extra})

        assert len(desk.records) == 2
        assert desk.records[0].severity_text == "WARN"
        assert sys.exc_info() == (None, None, None)
