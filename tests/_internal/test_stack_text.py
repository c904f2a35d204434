"""Tracebacks from remembered frames: the library's text, to the character, and nothing kept alive."""

from __future__ import annotations

import gc
import json
import linecache
import sys
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aumos_otel._internal import stack_text


class Plain(Exception):  # noqa: N818 - short, as it is written often
    """An exception as most packages have them."""


class Mixin:
    """Something beside an exception."""

    def __init__(self, text: str) -> None:
        self.text = text


class Mixed(Exception, Mixin):  # noqa: N818 - it is two things
    """An exception that is something else, too."""


def library(error: BaseException) -> str:
    """What has to come out."""
    return "".join(traceback.format_exception(error))


def caught(job: Callable[..., object], *arguments: object) -> BaseException:
    """What ``job`` raises."""
    try:
        job(*arguments)
    except BaseException as error:  # noqa: BLE001 - each kind is told
        return error
    raise AssertionError("it raises nothing")


def chained(first: BaseException, second: BaseException, how: str) -> None:
    """Raise ``second`` while ``first`` is handled."""
    try:
        raise first  # noqa: TRY301 - that is what is tried
    except BaseException as error:  # noqa: BLE001 - same
        if how == "context":
            raise second  # noqa: B904 - same
        raise second from (error if how == "cause" else None)


def nested(depth: int, error: BaseException) -> None:
    """Raise from some calls further down, by turns on two lines."""
    if depth == 0:
        raise error
    if depth % 2:
        nested(depth - 1, error)
    nested(depth - 1, error)


def generated() -> None:
    """Raise through a generator, a comprehension, a lambda and a C function."""

    def numbers():
        yield 1
        raise Plain("in a generator")

    [*map(lambda number: [other + number for other in numbers()], [1, 2])]  # noqa: C417 - the lambda's frame is wanted


def spread() -> float:
    """Raise within an expression of several lines, with characters of several bytes before it."""
    return (
        len("ä漢字") + sum([1, 2, 3]) / (len("")
                                       + 0)
    )  # fmt: skip


def executed() -> None:
    """Raise from code that has no file."""
    exec(compile("def f(x):\n    return x['missing']\nf({})", "<made up>", "exec"))


class Managed:
    """Raises as it is left."""

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, *_: object) -> None:
        raise RuntimeError("left")


def managed() -> None:
    """Raise while another exception leaves a block."""
    with Managed():
        raise Plain("inside")


def grouped() -> None:
    """Raise a group."""
    raise ExceptionGroup("several", [ValueError("a"), caught(lambda: 1 / 0)])


def noted() -> None:
    """Raise with a note."""
    error = Plain("x")
    error.add_note("by the way")
    raise error


def recursive(depth: int) -> None:
    """Raise from the same line again and again."""
    if depth:
        recursive(depth - 1)
    raise Plain("deep")


def cyclic() -> None:
    """Raise what is its own cause's cause."""
    first, second = Plain("a"), Plain("b")
    first.__cause__, second.__cause__ = second, first
    raise first


class Told(Exception):  # noqa: N818 - it tells
    """An exception with a note for each instance."""

    __notes__ = ("of the class",)


SIMPLE: dict[str, Callable[[], object]] = {
    "division": lambda: 1 / 0,
    "operator": lambda: 1 + 2 + "" + 3,
    "subscript": lambda: {"a": {}}["a"]["b"],
    "c function": lambda: json.loads("{"),
    "no text": lambda: nested(0, Plain()),
    "empty text": lambda: nested(0, Plain("")),
    "two arguments": lambda: nested(1, Plain("a", 2)),
    "several lines": lambda: nested(1, Plain("a\nb\n")),
    "surrogate": lambda: nested(1, Plain("\ud800")),
    "os": lambda: Path("/nowhere/at all").read_text(),
    "interrupt": lambda: nested(2, KeyboardInterrupt()),
    "exit": lambda: sys.exit(3),
    "generator": generated,
    "spread": spread,
    "executed": executed,
    "managed": managed,
    "mixed": lambda: nested(1, Mixed("x")),
    "deep": lambda: nested(30, Plain("deep")),
    "note": noted,
    "note of the class": lambda: nested(1, Told("x")),
    "attribute": lambda: [].appendd,  # type: ignore[attr-defined]  # it is misspelt
    "name": lambda: nestd + 1,  # type: ignore[name-defined]  # noqa: F821 - it is misspelt
    "import": lambda: exec("from json import load_"),
    "cause": lambda: chained(Plain("a"), ValueError("b"), "cause"),
    "context": lambda: chained(Plain("a"), ValueError("b"), "context"),
    "from none": lambda: chained(Plain("a"), ValueError("b"), "none"),
    "chain of three": lambda: chained(caught(chained, Plain("a"), KeyError("b"), "cause"), ValueError("c"), "context"),
    "unraised cause": lambda: chained(Plain("a"), caught(chained, Plain("x"), Plain("y"), "none"), "cause"),
}


RARE: dict[str, Callable[[], object]] = {
    "group": grouped,
    "syntax": lambda: compile("a b", "<made up>", "exec"),
    "recursion": lambda: recursive(10),
    "too deep": lambda: nested(60, Plain("deep")),
    "cycle": cyclic,
    "context of a group": lambda: chained(caught(grouped), Plain("b"), "context"),
}


@pytest.mark.parametrize("job", SIMPLE.values(), ids=SIMPLE)
def test_the_text_is_the_librarys(job: Callable[[], object]) -> None:
    """The first time and each time after, whatever raised and however it was chained."""
    for _ in range(3):
        error = caught(job)
        assert stack_text.rendered(error, str) == library(error)


@pytest.mark.parametrize("job", RARE.values(), ids=RARE)
def test_what_only_the_library_can_write_is_left_to_it(job: Callable[[], object]) -> None:
    """Groups, what is told in more than text, folded lines and long texts are refused, and never written otherwise."""
    for _ in range(2):
        assert stack_text.rendered(caught(job), str) is None


@settings(max_examples=60, deadline=None)
@given(
    links=st.lists(
        st.tuples(
            st.sampled_from([ValueError, KeyError, Plain, OSError]),
            st.lists(st.none() | st.integers() | st.text(max_size=6), max_size=3),
            st.sampled_from(["cause", "context", "none"]),
            st.integers(0, 6),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_chains_of_any_kind_read_as_the_librarys(links: list[tuple[type[BaseException], list, str, int]]) -> None:
    """Whatever is raised while whatever else is handled."""
    error: BaseException = caught(nested, 1, Plain("first"))
    for kind, arguments, how, depth in links:
        error = caught(chained, error, caught(nested, depth, kind(*arguments)), how)
        assert stack_text.rendered(error, str) in (library(error), None)


def test_repeated_lines_are_written_until_the_library_folds_them() -> None:
    """Three times the same line is written out, also between other lines."""
    seen = [stack_text.rendered(caught(recursive, depth), str) for depth in range(6)]
    assert seen[:4] == [library(caught(recursive, depth)) for depth in range(4)]
    assert seen[4:] == [None, None]


def test_the_limit_of_tracebacks_is_the_librarys_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever set `sys.tracebacklimit` gets what it asks for."""
    monkeypatch.setattr(sys, "tracebacklimit", 1, raising=False)
    assert stack_text.rendered(caught(nested, 3, Plain("x")), str) is None


def test_the_source_is_that_of_the_first_time() -> None:
    """A file that changes under a running program does not change what its code was made from."""
    name, source = "<changing>", "def f():\n    raise ValueError('x')  # {}\n"
    scope: dict = {}
    exec(compile(source.format("old"), name, "exec"), scope)
    linecache.cache[name] = (1, None, source.format("old").splitlines(keepends=True), name)
    first = stack_text.rendered(caught(scope["f"]), str)
    linecache.cache[name] = (1, None, source.format("new").splitlines(keepends=True), name)
    assert first is not None
    assert "# old" in first
    assert stack_text.rendered(caught(scope["f"]), str) == first


def test_code_in_the_place_of_freed_code_is_not_taken_for_it() -> None:
    """Functions that are made and forgotten again and again are each told by their own name."""
    for number in range(200):
        scope: dict = {}
        exec(f"def f{number}():\n    raise ValueError", scope)
        assert f"in f{number}\n" in (stack_text.rendered(caught(scope[f"f{number}"]), str) or "")
        del scope


def test_lines_that_only_the_traceback_knows_are_not_remembered() -> None:
    """Where the code has no lines, those that a traceback was made with count, each time anew."""

    def bare() -> None:
        raise Plain("x")

    nowhere = b"\xff"  # eight instructions without a place
    bare.__code__ = bare.__code__.replace(co_linetable=nowhere * (len(bare.__code__.co_code) // 16 + 1))
    # Not under coverage's trace function: the interpreter reads the lines of what it traces beyond those that there are.
    traced = sys.gettrace()
    sys.settrace(None)
    try:
        error = caught(bare)
    finally:
        sys.settrace(traced)
    assert error.__traceback__ is not None
    made = error.__traceback__.tb_next
    assert made is not None
    for line in (7, 8):
        error.__traceback__ = TracebackType(None, made.tb_frame, made.tb_lasti, line)
        assert stack_text.rendered(error, str) == library(error)
        assert f"line {line}," in library(error)


def test_neither_exception_nor_frame_is_kept_alive() -> None:
    """What was told is gone with its locals as soon as the caller lets go of it."""

    class Local:
        pass

    def job() -> None:
        local = Local()
        alive.append(weakref.ref(local))
        raise Plain("x")

    alive: list[weakref.ref] = []
    error: BaseException | None = caught(job)
    assert stack_text.rendered(error, str)  # type: ignore[arg-type]  # it is one here
    alive.append(weakref.ref(error))  # type: ignore[arg-type]  # it is one here
    del error
    gc.collect()
    assert [reference() for reference in alive] == [None, None]


def test_memory_of_frames_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that is made over and over does not fill it."""
    monkeypatch.setattr(stack_text, "_MEMORY", 16)
    stack_text._known.clear()
    for number in range(100):
        error = caught(lambda number=number: exec(f"raise ValueError({number})"))
        assert stack_text.rendered(error, str) == library(error)
        assert len(stack_text._known) <= 16


def test_threads_write_the_same() -> None:
    """Frames may be remembered by any number of threads at once."""
    jobs = [job for name, job in SIMPLE.items() if name not in {"exit", "interrupt"}] * 20
    stack_text._known.clear()

    def told(job: Callable[[], object]) -> bool:
        error = caught(job)
        return stack_text.rendered(error, str) == library(error)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(told, jobs))
