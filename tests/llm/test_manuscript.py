"""Content that is copied when it is given and written out later."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aumos_otel import LLMOptions, guard, llm
from aumos_otel.llm import content
from aumos_otel.llm.content import input_from
from aumos_otel.llm.manuscript import Manuscript
from aumos_otel.llm.shapes.request import to_definitions

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["user", "tool", "text", "tool_call", "a\x00b", "\ud83d", '{"a": NaN, "b": 1e999}', "\\u0000"]),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.sampled_from(["role", "content", "parts", "type", "text", "tool_calls", "function", "arguments", "name"])
            | st.text(),
            inner,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=500, deadline=None)
@given(prompt=PLAIN, policy=st.sampled_from(["full", "hash", "redacted"]))
def test_later_is_as_at_once(prompt, policy) -> None:
    """What is written out later is what would have been written at once."""
    later = Manuscript.of(prompt, input_from, policy)
    if later is not None:
        assert later.text() == content.render(input_from(prompt), policy)
        assert later.text() == later.text()
    value = Manuscript.of(prompt, None, policy)
    if value is not None:
        assert value.text() == content.render_value(prompt, policy)


def test_what_nearly_everybody_asks_can_wait() -> None:
    """Texts, messages, tool calls and definitions, whole."""
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
    ]
    for prompt in ("hi", messages, messages[0], tuple(messages)):
        assert Manuscript.of(prompt, input_from, "full") is not None
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"a": [1, 2.5, None, True]}}}]
    written = Manuscript.of(tools, to_definitions, "full").text()
    assert json.loads(written) == to_definitions(tools)


def cycle() -> list:
    """Two ways into itself, so that following it doubles at each step."""
    made: list = []
    made += [made, made]
    return made


def deep() -> list:
    """More than is followed."""
    made: list = []
    for _ in range(100):
        made = [made]
    return made


@pytest.mark.parametrize(
    "unlike",
    [
        None,
        "",
        [],
        {},
        7,
        b"bytes",
        [b"bytes"],
        [object()],
        [{1: "a"}],
        [type("Text", (str,), {})("a")],
        [2**63],
        cycle(),
        deep(),
        "x" * content.TOTAL_LIMIT,
        ["x" * content.TOTAL_LIMIT],
        [[]] * content.TOTAL_LIMIT,
    ],
    ids=range(16),
)
def test_nothing_else_waits(unlike) -> None:
    """What is empty, large, deep, or has code of somebody's in it is not kept."""
    assert Manuscript.of(unlike, input_from, "full") is None


def test_size_is_that_of_the_texts() -> None:
    """The estimate grows with the content, whatever holds it."""
    small = Manuscript.of([{"role": "user", "content": "x"}], input_from, "full").size
    large = Manuscript.of([{"role": "user", "content": "x" * 5_000}], input_from, "full").size
    assert large - small == 4_999


def test_a_reader_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads a span is told nothing of it; the failure is counted."""

    def fail(_given: object) -> None:
        raise LookupError

    before = guard.swallowed().get("llm.content", 0)
    assert Manuscript.of("hi", fail, "full").text() == ""
    assert guard.swallowed()["llm.content"] == before + 1


class TestOnSpans:
    """Content that is read from finished spans."""

    @pytest.mark.parametrize("capture_to", ["span", "both"])
    def test_every_change_after_the_call_is_unseen(self, configured, capture_to) -> None:
        """Messages, arguments and results that change afterwards are told as they were."""
        capture = configured(llm=LLMOptions(content="full", capture=capture_to))
        result = {"sky": ["rain"]}

        @llm.tool
        def weather(places: list, options: dict) -> dict:
            return result

        @llm.chat
        def ask(messages: list, tools: list) -> dict:
            return answer

        places, options = ["Bern"], {"days": [1]}
        messages = [{"role": "user", "content": [{"type": "text", "text": "before"}]}]
        tools = [{"name": "find", "input_schema": {"a": ["before"]}}]
        answer = {"model": "m", "choices": [{"message": {"role": "assistant", "content": [{"type": "x", "a": [1]}]}}]}
        weather(places, options)
        ask(messages, tools)
        places.append("Basel")
        options["days"].append(2)
        result["sky"].append("sun")
        messages[0]["content"][0]["text"] = "after"
        tools[0]["input_schema"]["a"].append("after")
        answer["choices"][0]["message"]["content"][0]["a"].append(2)

        told = " ".join(str(value) for span in capture.spans for value in span.attributes.values())
        assert "before" in told
        assert '"days":[1]' in told
        assert '"a":[1]' in told
        for later in ("Basel", "sun", "after", "2]"):
            assert later not in told

    def test_a_list_that_others_change_meanwhile(self, configured) -> None:
        """Messages that another thread keeps changing neither raise nor come out torn."""
        capture = configured(llm=LLMOptions(content="full"))
        messages = [{"role": "user", "content": "hi"}]
        stop = threading.Event()

        def change() -> None:
            while not stop.is_set():
                messages.append({"role": "user", "content": "more"})
                messages[0]["extra"] = "x"
                messages[0].pop("extra")
                del messages[1:]

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(300):
                with llm.span("chat") as call:
                    call.set_input(messages)
        finally:
            stop.set()
            thread.join()
        for span in capture.spans:
            assert json.loads(span.attributes["gen_ai.input.messages"])[0]["role"] == "user"

    def test_an_unsampled_call_keeps_no_content(self, configured, answer) -> None:
        """Nothing is copied for a span that nobody will see; the tokens count all the same."""
        from aumos_otel import SamplingOptions

        configured(llm=LLMOptions(content="full"), sampling=SamplingOptions(ratio=0.0))
        with llm.span("chat") as call:
            call.set_input("hi")
            assert not call.captures
