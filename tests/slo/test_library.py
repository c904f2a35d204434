from __future__ import annotations

import re
from pathlib import Path

import pytest
from slo.otlp_facts import Facts, facts, vectors

from aumos_otel.semconv import attributes, events
from aumos_otel.slo import language, library, operand

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "reference" / "sli.md").read_text(encoding="utf-8")
#: A threshold of each unit.
THRESHOLDS = {"duration": "300ms", "USD": 0.05, "tokens": 4000, "score": 0.8}


def build(name, **given):
    """A built-in SLI and the problems with it."""
    problems = []
    return library.build(name, sli_name="test", path=("slos", 0), problems=problems, **given), problems


def threshold(name):
    """The threshold that a built-in SLI needs."""
    need = library.BUILT_IN[name].need
    return {} if need is None else {need.word: THRESHOLDS[need.unit]}


@pytest.mark.parametrize("vector", vectors("built_in"), ids=lambda vector: vector["name"])
def test_vector(vector):
    """Each built-in SLI says of a span what the vectors say, also written out as they have it."""
    given = dict(vector["built_in"])
    found, problems = build(given.pop("sli"), **given)

    assert problems == []
    assert found.verdict(facts(vector)) is vector["expect"]
    assert {key: found.to_data()[key] for key in ("match", "good")} == vector["sli"]


@pytest.mark.parametrize("name", library.BUILT_IN)
def test_each_has_vectors_of_each_verdict(name):
    """The vectors have a good event, a bad one and a span that is none for each built-in SLI."""
    verdicts = {vector["expect"] for vector in vectors("built_in") if vector["built_in"]["sli"] == name}

    assert verdicts == {None, True, False}


@pytest.mark.parametrize("name", library.BUILT_IN)
def test_each_can_be_built(name):
    """Each built-in SLI is a sound definition with its threshold, named as asked and described."""
    found, problems = build(name, **threshold(name))

    assert problems == []
    assert found.name == "test"
    assert found.description


@pytest.mark.parametrize("name", library.BUILT_IN)
def test_where_narrows(name):
    """``where`` takes away events and changes no verdict on those that stay."""
    wide, _ = build(name, **threshold(name))
    narrow, problems = build(name, **threshold(name), where={"tenant": "acme"})

    assert problems == []
    for vector in vectors("built_in"):
        seen = facts(vector)
        assert narrow.verdict(seen) is None
        seen.attributes["tenant"] = "acme"
        assert narrow.verdict(seen) is wide.verdict(seen)


@pytest.mark.parametrize("name", [name for name, built_in in library.BUILT_IN.items() if built_in.need])
def test_missing_threshold_is_a_problem(name):
    """An SLI that needs a threshold says so, and which, where it has none."""
    found, problems = build(name)

    assert found is None
    assert [problem.path for problem in problems] == [("slos", 0)]
    assert problems[0].expected.startswith(f"{library.BUILT_IN[name].need.word}: ")


@pytest.mark.parametrize("name", library.BUILT_IN)
def test_threshold_that_is_not_needed_is_a_problem(name):
    """A threshold that an SLI has no use for is a problem at its place."""
    word = "above" if "below" in threshold(name) else "below"
    found, problems = build(name, **{**threshold(name), word: 1})

    assert found is None
    assert [problem.path for problem in problems] == [("slos", 0, word)]


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("http.latency", "below", 0.3),
        ("http.latency", "below", "fast"),
        ("http.latency", "below", "0s"),
        ("llm.cost", "below", "1s"),
        ("llm.cost", "below", 0),
        ("llm.cost", "below", True),
        ("llm.tokens", "below", 0.5),
        ("llm.tokens", "below", -1),
        ("llm.tokens", "below", "4000"),
        ("llm.evaluation_score", "above", "0.8"),
        ("llm.evaluation_score", "above", float("nan")),
        ("llm.evaluation_score", "above", [1]),
    ],
)
def test_threshold_of_another_unit_is_a_problem(name, word, value):
    """A threshold is of the SLI's unit, and of a sensible size."""
    found, problems = build(name, **{word: value})

    assert found is None
    assert [problem.path for problem in problems] == [("slos", 0, word)]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("http.availabilty", "'http.availability'"),
        ("llm.ttft", "one of http.availability"),
        (5, "one of"),
        (None, "one of"),
    ],
)
def test_unknown_name_is_answered_with_the_nearest(name, advice):
    """A name that is none is answered with the nearest one, or with all of them."""
    found, problems = build(name)

    assert found is None
    assert [problem.path for problem in problems] == [("slos", 0, "sli")]
    assert advice in problems[0].expected


def test_all_problems_are_told_at_once():
    """What is wrong with threshold and narrowing is told together."""
    _, problems = build("http.latency", above=1, where={"kind": "x"})

    assert [problem.path for problem in problems] == [("slos", 0), ("slos", 0, "above"), ("slos", 0, "where", "kind")]


@pytest.mark.parametrize("operation", ["chat", "text_completion", "generate_content"])
def test_spans_of_llm_helpers_are_events(capture, operation):
    """What `aumos_otel.llm` puts on a span is what the LLM SLIs look for."""
    from aumos_otel import llm

    with llm.span(operation, provider="openai", model="gpt-5-mini") as call:
        call.record_chunk({"choices": [{"delta": {"content": "x"}}]})
        call.record_chunk({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        call.set_usage(input_tokens=12, output_tokens=40)
    (span,) = capture.spans
    seen = Facts(kind="client", name=span.name, attributes=dict(span.attributes), duration=0.1)

    for name in ("availability", "latency", "time_to_first_chunk", "refusal", "cost", "tokens"):
        found, _ = build(f"llm.{name}", **threshold(f"llm.{name}"))
        assert found.verdict(seen) is True, name


def test_names_are_those_of_the_registry():
    """The evaluation SLI looks for the event and the attribute that `record_evaluation` writes."""
    found, _ = build("llm.evaluation_score", above=0.8)

    assert found.discriminator.names == {events.GEN_AI_EVALUATION_RESULT}
    assert attributes.GEN_AI_EVALUATION_SCORE_VALUE in found.discriminator.attributes


@pytest.mark.parametrize("name", library.BUILT_IN)
def test_page_has_each(name):
    """The reference page has a row for each built-in SLI, with its description and the threshold it needs."""
    built_in = library.BUILT_IN[name]
    need = "" if built_in.need is None else f"`{built_in.need.word}`"
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)

    assert row[0] == built_in.description.replace("|", r"\|")
    assert row[1].startswith(need)
    assert bool(row[1]) is bool(need)


def test_page_has_each_word():
    """The reference page tells of every word of the language and every check."""
    words = {*language.WORDS, *operand.VALUE_CHECKS}

    assert sorted(word for word in words if f"`{word}`" not in PAGE and f"`{{{word}: " not in PAGE) == []


def test_examples_of_the_page_are_conditions():
    """Each condition that the page shows in a table can be read."""
    import yaml

    examples = re.findall(r"^\| `(\{.*?\})` \|", PAGE, re.MULTILINE)
    problems = []
    for example in examples:
        language.parse(yaml.safe_load(example.replace(r"\|", "|")), (example,), problems)

    assert len(examples) > 20
    assert problems == []
