"""Values of the user's made harmless: copied, bounded, with their text asked for safely."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import pathlib
import threading
import time
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aumos_otel import guard
from aumos_otel._internal import plain


class Hangs:
    """Its text never comes, until the test lets go."""

    let_go = threading.Event()

    def __str__(self) -> str:
        self.let_go.wait(30)
        return "late"


@pytest.fixture
def hangs() -> Any:
    """A class of its own, so that what one test learned about it is no matter for the next."""

    class Fresh(Hangs):
        let_go = threading.Event()

    yield Fresh
    Fresh.let_go.set()


@pytest.mark.parametrize(
    "value",
    [
        uuid.UUID(int=7),
        pathlib.PurePosixPath("/tmp"),
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        7,
        None,
        1.5,
        "x",
        b"y",
        collections.deque([1]),
        enum.Enum("Colour", "RED").RED,
    ],
)
def test_the_text_is_what_str_says(value: object) -> None:
    """Whatever its class."""
    assert plain.text(value) == str(value)


def test_a_text_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """The class stands in for it, each time, and it is counted."""

    class Broken:
        def __str__(self) -> str:
            raise ValueError

    before = guard.swallowed().get("plain.text", 0)

    assert [plain.text(Broken()), plain.text(Broken())] == ["<Broken: str() failed>"] * 2
    assert guard.swallowed()["plain.text"] == before + 2


def test_a_text_that_hangs(hangs: type[Hangs]) -> None:
    """It costs the caller a moment once; for a minute its class is not asked again."""
    began = time.monotonic()
    assert plain.text(hangs()) == "<Fresh: str() took too long>"
    first = time.monotonic() - began
    began = time.monotonic()
    assert plain.text(hangs()) == "<Fresh: str() took too long>"
    second = time.monotonic() - began

    assert plain.deadline.PATIENCE <= first < 5
    assert second < plain.deadline.PATIENCE


def test_an_interrupt_while_asking() -> None:
    """Ctrl-C in the user's own `__str__` is the user's."""

    class Interrupts:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plain.text(Interrupts())


def test_a_class_that_proved_prompt_is_asked_on_this_thread() -> None:
    """Until it is slow once."""
    threads = []

    class Value:
        wait = 0.0

        def __str__(self) -> str:
            threads.append(threading.current_thread())
            threading.Event().wait(self.wait)
            return "value"

    for _ in range(3):
        plain.text(Value())
    Value.wait = plain.deadline.PATIENCE * 1.5
    plain.text(Value())
    Value.wait = 0.0
    plain.text(Value())

    here = [thread is threading.current_thread() for thread in threads]
    assert here == [False, True, True, True, False]


def test_a_copy_does_not_change() -> None:
    """What the caller changes later does not show."""
    value = {"a": [1, {"b": 2}], 3: {4}}
    copied = plain.plain(value)
    value["a"][1]["b"] = 9
    value["a"].append(1)

    assert copied == {"a": (1, {"b": 2}), "3": "{4}"}


def test_cycles_and_depth_and_size_are_cut() -> None:
    """A cycle, a deep and a huge container end somewhere."""
    cycle: list[Any] = [1]
    cycle.append(cycle)
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]

    assert "…" in str(plain.plain(cycle))
    assert "…" in str(plain.plain(deep))
    assert len(plain.plain(list(range(10**6)))) <= plain.ITEMS + 1
    assert len(plain.plain(dict.fromkeys(range(10**5)))) <= plain.ITEMS
    while isinstance(deep, list):  # else freeing it recurses
        deep = deep[0]


def test_a_container_with_methods_of_its_own(hangs: type[Hangs]) -> None:
    """Its items are taken out once; one that hangs or raises is named."""

    class Rows(collections.UserList):
        pass

    class Broken(collections.UserDict):
        def __iter__(self) -> Any:
            raise ValueError

    assert plain.plain(Rows([1, [2]])) == (1, (2,))
    assert plain.plain(collections.OrderedDict(a=1)) == {"a": 1}
    assert isinstance(plain.plain(Broken(a=1)), str)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner) | st.sets(st.integers())
    ),
    max_leaves=20,
)


def is_plain(value: object) -> bool:
    """Whether a value is scalars, tuples and dicts with text keys only."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    return type(value) in plain.SCALARS or (isinstance(value, tuple) and all(map(is_plain, value)))


@given(ANYTHING)
@settings(max_examples=150, deadline=None)
def test_anything_becomes_plain(value: object) -> None:
    """Only scalars, tuples and dicts with text keys are left, and it never raises."""
    assert is_plain(plain.plain(value))
