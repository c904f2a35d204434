from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from slo.conditions import ANYTHING, CONDITIONS, FACTS
from slo.otlp_facts import Facts, vectors

from aumos_otel.slo import condition, language, predicate
from aumos_otel.slo.condition import All, Attribute, Either, Exists, Field, Not, OneOf, Values
from aumos_otel.slo.problem import Problem


def parse(data):
    """The condition, which has to be one."""
    problems = []
    found = language.parse(data, (), problems)
    assert problems == []
    return found


def problems_of(data):
    """What is wrong with a condition."""
    problems = []
    language.parse(data, ("match",), problems)
    return problems


def holds(data, facts):
    """Whether a condition holds."""
    return predicate.compiled(parse(data))(facts)


@pytest.mark.parametrize("vector", vectors("refused"), ids=lambda vector: vector["name"][:60])
def test_what_is_no_condition_is_refused(vector):
    """Each definition of the vectors that must be refused is, with problems at the paths that it names."""
    found = problems_of(vector["sli"]["match"])

    assert {problem.path for problem in found} == {tuple(path) for path in vector["paths"]}


@given(CONDITIONS)
def test_condition_is_written_and_read(data):
    """What `to_data` writes is read as the same condition, whatever it is."""
    found = parse(data)

    assert parse(condition.to_data(found)) == found
    assert repr(parse(condition.to_data(found))) == repr(found)


@given(ANYTHING)
def test_parse_never_raises(data):
    """Anything at all is a condition or has problems, each of which can be printed."""
    found = problems_of(data)

    assert all(isinstance(problem, Problem) and str(problem).startswith("match") for problem in found)


@given(CONDITIONS, CONDITIONS, FACTS)
def test_de_morgan(one, other, facts):
    """Not all is any not, and not any is all not."""
    neither = {"all": [{"not": one}, {"not": other}]}

    assert holds({"not": {"all": [one, other]}}, facts) is holds({"any": [{"not": one}, {"not": other}]}, facts)
    assert holds({"not": {"any": [one, other]}}, facts) is holds(neither, facts)


@given(CONDITIONS, FACTS)
def test_condition_is_true_or_false(data, facts):
    """A condition is True or False of any span, and its negation the other."""
    assert holds(data, facts) is not holds({"not": data}, facts)
    assert holds(data, facts) in (True, False)


def test_mapping_means_all_of_its_entries():
    """A mapping of one entry is that entry, one of several all of them, in their order."""
    kind = Field("kind", (OneOf(Values(texts=("server",))),))
    route = Attribute("http.route", (Exists(present=True),))

    assert parse({"kind": "server"}) == kind
    assert parse({"kind": "server", "http.route": {"exists": True}}) == All((kind, route))
    assert parse({"not": {"any": [{"kind": "server"}]}}) == Not(Either((kind,)))


def test_numbers_have_one_notation():
    """A double of a whole value is the same condition as the int, so that a file may write either."""
    assert repr(parse({"a.b": 5.0})) == repr(parse({"a.b": 5}))
    assert repr(parse({"a.b": -0.0})) == repr(parse({"a.b": 0}))


def test_true_is_another_condition_than_one():
    """Conditions that mean different things are not equal, though True == 1."""
    assert parse({"a.b": True}) != parse({"a.b": 1})
    assert parse({"a.b": [1, True]}) != parse({"a.b": [1]})


def test_below_is_at_most():
    """``below`` and ``above`` are ``lte`` and ``gte``, as the edges of a histogram's buckets are."""
    assert parse({"duration": {"below": "300ms"}}) == parse({"duration": {"lte": "0.3s"}})
    assert parse({"a.b": {"above": 3}}) == parse({"a.b": {"gte": 3}})


def test_written_form_is_for_people():
    """Entries stand in one mapping where that means the same, and attributes with a dot stand for themselves."""
    data = {"kind": "server", "http.route": "/chat", "duration": {"below": "90s"}, "attributes": {"tenant": ["a", "b"]}}

    assert condition.to_data(parse(data)) == {
        "kind": "server",
        "http.route": "/chat",
        "duration": {"lte": "90s"},
        "attributes": {"tenant": {"in": ["a", "b"]}},
    }


def test_all_problems_are_told_at_once():
    """Every problem of a condition is told, with its path."""
    found = problems_of({"kind": "sever", "any": [{"a.b": {"gt": "5"}}, 7], "not": {"regex": {"regex": "("}}})

    assert [str(problem) for problem in found] == [
        "match.kind: got 'sever', expected one of server, client, internal, producer, consumer, event",
        "match.any[0]['a.b'].gt: got '5', expected a number, of at most 2^53",
        "match.any[1]: got 7, expected a mapping of conditions, e.g. {kind: server, http.route: /chat}",
        "match.not.regex.regex: got '(', expected a ')' for each '(' (at character 2 of the pattern)",
    ]


@pytest.mark.parametrize("word", ["knid", "kin", "statsu", "scop", "event_", "nmae", "durations", "resourse"])
def test_slip_in_a_word_is_no_attribute(word):
    """A key that is one slip away from a word of the language is told so, and may stand under ``attributes``."""
    assert "stands under 'attributes'" in problems_of({word: "x"})[0].expected
    assert problems_of({"attributes": {word: "x"}}) == []


@pytest.mark.parametrize("key", ["tenant", "model", "user", "team", "na.me", "kind.of", "a"])
def test_unknown_word_is_an_attribute(key):
    """Any other key is the name of an attribute."""
    assert parse({key: "x"}) == Attribute(key, (OneOf(Values(texts=("x",))),))


def test_half_a_surrogate_pair_is_refused():
    """Text that cannot be encoded is refused, as key and as value."""
    assert len(problems_of({"a.b": "\ud800", "c.d\udfff": 1, "e.f": {"prefix": "\ud800"}})) == 3


def test_duration_beyond_all_measure_is_refused():
    """A duration of more digits than arithmetic has is refused as any long one."""
    assert [problem.path for problem in problems_of({"duration": {"lt": "999999999999y"}})] == [
        ("match", "duration", "lt")
    ]


def test_date_is_refused_with_advice():
    """What YAML makes of an unquoted date is refused with advice."""
    assert "in quotes" in problems_of({"a.b": date(2026, 11, 25)})[0].expected


def test_condition_that_contains_itself_is_refused():
    """A structure without an end is refused in a moment, by depth and by number."""
    endless = {"a.b": 1}
    endless["all"] = [endless, endless]
    nested = {"a.b": 1}
    for _ in range(100):
        nested = {"not": nested}

    assert 0 < len(problems_of(endless)) < 1100
    assert [problem.expected for problem in problems_of(nested)] == ["no more than 16 conditions inside each other"]
    assert "no more than 1000 conditions" in problems_of({f"a.{n}": n for n in range(1001)})[0].expected
    assert "no more than 1000 conditions" in problems_of({"any": [{"a.b": 1}] * 1001})[0].expected


def test_values_beyond_otlp_fail_no_check_by_raising():
    """Attribute values that no exporter could carry are compared or passed over, without an error."""
    for value in (10**400, -(10**400), object(), {1}, ["x", 10**400], [["x"]], {"x": 1}, b"x", float("nan")):
        facts = Facts(attributes={"a.b": value})
        for data in ({"a.b": "x"}, {"a.b": ["x", 1]}, {"a.b": {"gte": 0.5}}, {"sum": {"of": ["a.b"], "lt": 5}}):
            assert holds(data, facts) in (True, False)


def test_lists_are_arrays_as_tuples_are():
    """An array counts as one whether the SDK keeps it as tuple or as list."""
    for array in (["w", "x"], ("w", "x")):
        assert holds({"a.b": "x"}, Facts(attributes={"a.b": array}))
        assert not holds({"a.b": {"ne": "x"}}, Facts(attributes={"a.b": array}))
