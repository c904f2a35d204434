from __future__ import annotations

import copy
import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo.conditions import ANYTHING, ATTRIBUTES, CONDITIONS, FACTS
from slo.otlp_facts import Facts, facts, vectors

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import sli

ROOT = Path(__file__).resolve().parent.parent.parent
VECTORS = [*vectors("checks"), *vectors("conditions"), *vectors("built_in"), *vectors("generated")]
TOOLS = {"match": {"gen_ai.operation.name": "execute_tool"}, "good": {"not": {"status": "error"}}}


def made(match, good=None, **more):
    """An SLI."""
    return sli.from_data({"name": "test", "match": match, "good": {} if good is None else good, **more})


def admits(discriminator, seen):
    """What an index that goes by a discriminator makes of a span."""
    for needed, value in (
        (discriminator.kinds, seen.kind),
        (discriminator.names, seen.name),
        (discriminator.scopes, seen.scope),
    ):
        if needed is not None and value not in needed:
            return False
    for key, values in discriminator.attributes.items():
        value = seen.attributes.get(key)
        elements = value if isinstance(value, tuple) else (value,)
        if value is None or (values is not None and not any(element in values for element in elements)):
            return False
    return True


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector):
    """Each vector of tests/contract/sli is evaluated as it says, also when its SLI was written and read once more."""
    found = sli.from_data({"name": "vector", **vector["sli"]})
    again = sli.from_data(found.to_data())

    assert found.verdict(facts(vector)) is vector["expect"]
    assert again.verdict(facts(vector)) is vector["expect"]


def test_vectors_are_enough():
    """There are several hundred vectors, each with a name of its own, and each verdict is as frequent as the others."""
    generated = [vector["expect"] for vector in vectors("generated")]

    assert len({vector["name"] for vector in VECTORS}) == len(VECTORS) > 500
    assert min(generated.count(verdict) for verdict in (None, True, False)) > 100


def test_vectors_are_what_their_generator_writes():
    """The vectors in the repository are those that tools/sli_vectors.py writes."""
    environ = {
        name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"
    }  # it has modules beside it
    command = [sys.executable, str(ROOT / "tools" / "sli_vectors.py"), "--check"]
    run = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert run.stderr == ""
    assert run.returncode == 0


@given(CONDITIONS, CONDITIONS, FACTS)
def test_verdict_is_none_just_when_the_span_is_no_event(match, good, seen):
    """A verdict is None exactly where ``match`` is false, else it is what ``good`` says."""
    verdict = made(match, good).verdict(seen)

    assert (verdict is None) is (made({}, match).verdict(seen) is False)
    assert verdict is None or verdict is made({}, good).verdict(seen)


@given(CONDITIONS, CONDITIONS, st.text(max_size=5))
def test_sli_is_written_and_read(match, good, description):
    """What `to_data` writes is read as the same SLI, description and all."""
    found = made(match, good, description=description)

    assert sli.from_data(found.to_data()) == found
    assert sli.from_data(found.to_data()).description == description


@given(CONDITIONS, FACTS)
def test_discriminator_admits_every_event(match, seen):
    """Whatever is an event of an SLI has what its discriminator asks for."""
    found = made(match)

    assert found.verdict(seen) is None or admits(found.discriminator, seen)


@given(CONDITIONS, FACTS, st.sets(st.sampled_from(["kind", "name", "scope", "a.b", "a.c", "tenant"])))
def test_every_event_might_have_been_foreseen(match, seen, late):
    """Whatever becomes an event may have matched at its start, whichever part of it was unknown then."""
    found = made(match)
    kind, name, scope = (None if part in late else getattr(seen, part) for part in ("kind", "name", "scope"))
    known = {key: value for key, value in seen.attributes.items() if key not in late}

    assert found.may_match(kind, name, scope, known) or found.verdict(seen) is None


@given(ANYTHING)
def test_anything_else_is_refused_with_its_problems(data):
    """Data that is no SLI gives one error with at least one problem, never another error."""
    problems = []

    assert (sli.read(data, ("slis", "x"), problems, name="x") is None) is bool(problems)
    assert all(problem.path[:2] == ("slis", "x") for problem in problems)


def test_discriminator_tells_what_is_needed():
    """A discriminator has the kinds, names and scopes, and the attributes with the values, of which one is needed."""
    found = made(
        {"kind": ["server", "client"], "name": "x", "scope": ["l", "m"], "a.b": 5, "a.c": {"gt": 1}}
    ).discriminator

    assert found.kinds == {"server", "client"}
    assert found.names == {"x"}
    assert found.scopes == {"l", "m"}
    assert found.attributes == {"a.b": {5}, "a.c": None}


@pytest.mark.parametrize(
    ("match", "attributes"),
    [
        ({"any": [{"a.b": 1}, {"a.b": 2, "a.c": 3}]}, {"a.b": {1, 2}}),
        ({"any": [{"a.b": 1}, {"a.c": 2}]}, {}),
        ({"any": [{"a.b": 1}, {"a.b": {"exists": True}}]}, {"a.b": None}),
        ({"not": {"a.b": {"ne": 1}}}, {"a.b": {1}}),
        ({"not": {"a.b": {"exists": False}}}, {"a.b": None}),
        ({"not": {"a.b": 1}}, {}),
        ({"not": {"any": [{"a.b": {"ne": 1}}, {"a.c": {"ne": 2}}]}}, {"a.b": {1}, "a.c": {2}}),
        ({"a.b": {"ne": 1}}, {}),
        ({"resource": {"a.b": 1}}, {}),
        ({"all": [{"a.b": "x"}, {"a.b": "y"}]}, {"a.b": {"x"}}),
    ],
)
def test_discriminator_of_joined_conditions(match, attributes):
    """Joined conditions need what all branches need, and a negated one what makes it false."""
    assert made(match).discriminator.attributes == attributes


def test_discriminator_of_what_cannot_be():
    """An SLI without possible events needs one of no kinds."""
    assert made({"any": []}).discriminator.kinds == frozenset()
    assert made({"kind": "server", "not": {"kind": "server"}}).discriminator.kinds == frozenset()


def test_span_that_began_otherwise_will_be_no_event():
    """A span of another kind, scope or attribute cannot become an event; one that lacks the attribute yet can."""
    found = made({"kind": "server", "http.route": {"prefix": "/chat"}, "status": "error"})

    assert not found.may_match("client", None, None, {})
    assert not found.may_match("server", None, None, {"http.route": "/health"})
    assert found.may_match("server", None, None, {"http.route": "/chat/1"})
    assert found.may_match("server", "GET", "lib", {})
    assert found.may_match(None, None, None, None)


def test_sli_is_a_value():
    """SLIs of the same meaning are equal and hash alike, can be copied and pickled, and cannot be changed."""
    one, two = made(**TOOLS), made(**TOOLS, description="in other words")
    failed = Facts(status="error", attributes={"gen_ai.operation.name": "execute_tool"})

    assert one == two
    assert repr(one) == repr(two)
    assert len({one, made(**TOOLS)}) == 1
    for same in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one), dataclasses.replace(one)):
        assert same == one
        assert same.verdict(failed) is False
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "other"


def test_problems_of_an_sli_are_told_at_once():
    """An error has all that is wrong with an SLI, each with its path."""
    with pytest.raises(ObjectiveError) as caught:
        sli.from_data({"name": " ", "match": {"kind": "x"}, "goood": {}})

    assert str(caught.value).splitlines() == [
        "the document: got 'goood', expected one of the keys name, match, good, description",
        "the document: got ['goood', 'match', 'name'], expected good: a mapping of conditions",
        "name: got ' ', expected a text",
        "match.kind: got 'x', expected one of server, client, internal, producer, consumer, event",
    ]


def test_name_may_come_from_elsewhere():
    """An SLI without a name of its own takes the one that its reader gives it."""
    problems = []

    assert sli.read(TOOLS, (), problems, name="tools").name == "tools"
    assert sli.read({**TOOLS, "name": "own"}, (), problems, name="tools").name == "own"
    assert sli.read(TOOLS, (), problems) is None


@given(ATTRIBUTES)
def test_facts_are_left_alone(attributes):
    """Evaluation changes nothing in the facts."""
    seen = Facts(attributes=attributes)
    before = copy.deepcopy(seen)
    made({"a.b": {"exists": True}, "tenant": ["x", 1]}, {"a.c": {"gte": 1}}).verdict(seen)

    assert seen == before
