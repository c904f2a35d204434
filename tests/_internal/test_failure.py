"""How exceptions are told: as the library would, and never at the cost of the caller."""

from __future__ import annotations

import traceback

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from aumos_otel._internal import exception_class, failure


class OrderError(Exception):
    """An exception as most packages have them."""


class CodeError(KeyError):
    """One that tells its text as a builtin does."""


class OwnError(Exception):
    """One with a text of its own."""

    def __str__(self) -> str:
        return f"own {len(self.args)}"


class BrokenError(Exception):
    """One whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class CuriousError(Exception):
    """One that answers for whatever it is asked."""

    def __getattr__(self, name: str) -> str:
        raise RuntimeError(name)


class LoudError(Exception):
    """One whose arguments are not what was given."""

    @property
    def args(self) -> tuple:  # type: ignore[override]  # that is what is tried
        """Raise."""
        raise RuntimeError("args")


class Text(str):
    """A text with ideas of its own."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("str")

    def __format__(self, spec: str) -> str:
        raise RuntimeError("format")


class TextError(Exception):
    """One whose text is such a text."""

    def __str__(self) -> str:
        return Text("subclass")


def named(case: object) -> str:
    """A case by its class."""
    return type(case).__name__


def raised(error: BaseException) -> BaseException:
    """The same with a traceback."""
    try:
        raise error  # noqa: TRY301 - that is what is tried
    except BaseException as caught:  # noqa: BLE001 - each kind is told
        return caught


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("x"), "ValueError"),
        (OrderError("x"), "_internal.test_failure.OrderError"),
        (type("Made", (Exception,), {"__module__": "shop.api"})(), "shop.api.Made"),
        (type("Made", (Exception,), {"__module__": "__main__"})(), "__main__.Made"),
    ],
)
def test_the_type_has_its_module_unless_it_is_a_builtin(error: BaseException, kind: str) -> None:
    """`error.type` is the qualified name, the same when it is asked again."""
    expected = kind.replace("_internal.test_failure", __name__)
    assert [failure.error_type(error), failure.error_type(error)] == [expected, expected]


@pytest.mark.parametrize(
    ("error", "plain"),
    [
        (ValueError("x", 1), True),
        (ValueError(["x"]), False),
        (OrderError("x", 1, None), True),
        (OrderError({}), False),
        (CodeError("x"), True),
        (OwnError("x"), False),
        (BrokenError("x"), False),
        (CuriousError("x"), False),
        (LoudError("x"), False),
        (OrderError(Text("x")), False),
        (ExceptionGroup("x", [BrokenError()]), True),
    ],
    ids=named,
)
def test_text_is_plain_when_builtins_tell_it(error: BaseException, plain: bool) -> None:
    """A class of a package is plain as well, as long as it has no code of its own for it."""
    assert failure.is_plain(error) is plain


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x", 1),
        OrderError(),
        OrderError("a\nb"),
        CodeError("x"),
        OwnError("x"),
        OrderError(["x"]),
        TextError(),
    ],
    ids=named,
)
def test_message_and_stack_are_the_librarys(error: BaseException) -> None:
    """Whoever tells the text, each time the same; a text of its own class becomes a text."""
    for _ in range(2):
        raised(error)
        assert failure.message(error) == str.__str__(str(error))
        assert type(failure.message(error)) is str
        if type(error) is not TextError:
            assert failure.stacktrace(error) == "".join(traceback.format_exception(error))
        assert "raise error" in failure.stacktrace(error)


@pytest.mark.parametrize("error", [BrokenError("x"), LoudError("x"), CuriousError("x")], ids=named)
def test_what_cannot_be_told_is_told_by_its_class(error: BaseException) -> None:
    """Code that raises for the text, the arguments or any attribute costs the text at most."""
    told = failure.event(raised(error))
    assert told["exception.type"].endswith(type(error).__name__)
    assert type(error).__name__ in told["exception.stacktrace"]
    assert type(told["exception.message"]) is str
    assert failure.description(error).startswith(type(error).__name__)


def test_a_broken_cause_does_not_take_the_stack_along() -> None:
    """The exception is told, whatever it came from."""
    error = OrderError("after all")
    error.__cause__ = raised(BrokenError("x"))
    told = failure.stacktrace(raised(error))
    assert told == "".join(traceback.format_exception(error))
    assert "str() failed" in told


def test_an_exception_is_on_its_span() -> None:
    """Type, event and status; nothing on a span that has ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    error = raised(OrderError("x"))
    span = provider.get_tracer("test").start_span("work")
    failure.record(span, error)
    span.end()
    failure.record(span, error)
    (finished,) = exporter.get_finished_spans()
    kind = f"{__name__}.OrderError"
    assert dict(finished.attributes or {}) == {"error.type": kind}
    assert [dict(event.attributes or {}) for event in finished.events] == [
        {
            "exception.type": kind,
            "exception.message": "x",
            "exception.stacktrace": "".join(traceback.format_exception(error)),
            "exception.escaped": "False",
        }
    ]
    assert (finished.status.status_code, finished.status.description) == (StatusCode.ERROR, "OrderError: x")
    provider.shutdown()


def test_memory_of_classes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes that are made up over and over do not fill it, and none is taken for another."""
    monkeypatch.setattr(exception_class, "_MEMORY", 8)
    exception_class._known.clear()
    for number in range(100):
        made = type(f"Made{number}", (Exception,), {})
        assert failure.error_type(made()) == f"{__name__}.Made{number}"
        assert len(exception_class._known) <= 8
        del made


def test_a_class_with_a_metaclass_that_raises_is_told_with_care() -> None:
    """What cannot be known of a class makes its text suspicious, and nothing else."""

    class Meta(type):
        def __getattribute__(cls, name: str) -> object:
            if name == "__getattribute__":
                raise RuntimeError(name)
            return super().__getattribute__(name)

    class HiddenError(Exception, metaclass=Meta):
        pass

    error = raised(HiddenError("x"))
    assert not failure.is_plain(error)
    assert failure.message(error) == "x"
    assert failure.stacktrace(error) == "".join(traceback.format_exception(error))
