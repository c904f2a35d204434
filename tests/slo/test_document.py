import contextlib
import json
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from slo.definitions import TRICKY

from aumos_otel.errors import MissingExtraError, ObjectiveError
from aumos_otel.slo import document, yaml_text
from aumos_otel.slo.problem import Problem

texts = st.one_of(
    st.sampled_from(TRICKY), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"))
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False), texts
)
plain = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=10,
)


def problems(text, source="f"):
    """The lines of the error that a text is refused with."""
    with pytest.raises(ObjectiveError) as caught:
        document.load(text, source)
    return str(caught.value).splitlines()


@given(st.lists(st.dictionaries(texts, plain, max_size=4), max_size=3))
def test_what_is_written_is_read_as_the_same(documents):
    """Plain data comes back from its YAML, whatever its texts look like."""
    assert document.load(document.write(documents), "f").data == tuple(documents)


@given(texts)
def test_a_text_is_written_so_that_every_reader_takes_it_for_one(text):
    """YAML 1.1, too, reads what was written as the same text."""
    assert yaml.safe_load(document.write([{"a": text}])) == {"a": text}


@given(plain, st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_the_standard_library_reads_it(data, indent):
    """JSON of any layout, with tabs too, is the same data as for json.loads."""
    text = json.dumps(data, indent=indent)
    assert document.load(text, "f.json").data == (json.loads(text),)


@given(st.text(alphabet='{}[]:,"\\ \n\t-&*!|>%@#a0.eE+', max_size=40))
def test_any_text_is_read_or_refused(text):
    """Nothing but an ObjectiveError ever comes out of a text that is none."""
    for source in ("f.yaml", "f.json"):
        with contextlib.suppress(ObjectiveError):
            assert document.load(text, source).source == source


def test_each_node_has_its_line():
    """The line of a key is where the key stands, that of an item where the item begins."""
    found = document.load("a:\n  - b: 1\n    c: [x,\n      y]\n---\n\nd: {e: 2}\n", "f")
    assert found.data == ({"a": [{"b": 1, "c": ["x", "y"]}]}, {"d": {"e": 2}})
    lines = {(0,): 1, (0, "a"): 1, (0, "a", 0): 2, (0, "a", 0, "c"): 3, (0, "a", 0, "c", 1): 4, (1, "d", "e"): 7}
    assert {path: found.line(path) for path in lines} == lines
    assert found.line((0, "a", 0, "nothing", "there")) == 2
    assert found.line((5,)) == 0


def test_each_node_of_json_has_its_line():
    """Lines of JSON are those of keys and items, as of YAML."""
    found = document.load('{"a": [1,\n {"b":\n 2}],\n"c": "\\n"}', "f")
    lines = {(0,): 1, (0, "a"): 1, (0, "a", 1): 2, (0, "a", 1, "b"): 2, (0, "c"): 4}
    assert {path: found.line(path) for path in lines} == lines


def test_problems_are_told_by_line():
    """An error tells the problems from the first line to the last, and the document only where there are several."""
    found = document.load("a: 1\nb: 2\n", "f.yaml")
    error = found.error([Problem((0, "b"), 2, "three"), Problem((0, "a"), 1, "two"), Problem((0, "c"), None, "c")])
    assert str(error).splitlines() == [
        "f.yaml:1: a: got 1, expected two",
        "f.yaml:1: c: got None, expected c",
        "f.yaml:2: b: got 2, expected three",
    ]
    two = document.load("a: 1\n---\na: 2\n", "f.yaml")
    assert str(two.error([Problem((1, "a"), 2, "one")])) == "f.yaml:3: [1].a: got 2, expected one"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: 2026-11-25", {"a": "2026-11-25"}),
        ("a: 2026-11-25 10:00:00", {"a": "2026-11-25 10:00:00"}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: .5", {"a": 0.5}),
        ("a: 0x1F", {"a": 31}),
        ("a: ~", {"a": None}),
        ("a: 'no'", {"a": "no"}),
        ("a: !!str 5", {"a": "5"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("y: n", {"y": "n"}),
        ("{a: b, c: [d]}", {"a": "b", "c": ["d"]}),
        ("x: &x {a: 1, b: 2}\nz: {<<: *x, b: 3}", {"x": {"a": 1, "b": 2}, "z": {"b": 3, "a": 1}}),
        (
            "x: &x {a: 1}\ny2: &y {a: 2, b: 2}\nz: {<<: [*x, *y]}",
            {"x": {"a": 1}, "y2": {"a": 2, "b": 2}, "z": {"a": 1, "b": 2}},
        ),
        ("\ufeffa: 1", {"a": 1}),
        ("--- \n---\na: 1\n...\n", {"a": 1}),
    ],
)
def test_what_yaml_means(text, data):
    """Scalars are what YAML 1.2 says, dates are text, and aliases and merge keys are written out."""
    assert document.load(text, "f").data == (data,)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: no", 2, "b: got 'no', expected true or false, or the word in quotes"),
        ("On: 1", 1, "On: got 'On', expected true or false, or the word in quotes"),
        ("a: 010", 1, "a: got '010', expected a number without leading 0"),
        ("a: 0o17", 1, "a: got '0o17', expected a number without leading 0"),
        ("a: 1:30", 1, "a: got '1:30', expected text in quotes"),
        ("a: 1_000", 1, "a: got '1_000', expected a number without _"),
        ("a: .inf", 1, "a: got '.inf', expected a finite number"),
        ("a: 1e999", 1, "a: got '1e999', expected a finite number"),
        ("a: " + "9" * 5000, 1, "expected a finite number of less than 4000 digits"),
        ("a: 1\nb: 2\na: 3", 3, "a: got 'a', expected each key once"),
        ("200: a", 1, 'expected a key that is text; write "200" in quotes'),
        ("? [a]\n: b", 1, "expected keys that are text"),
        ("a:\n\tb: 1", 2, "got 'b: 1', expected spaces: YAML is not indented by tabs"),
        ("a: [1", 1, "expected YAML ("),
        ("a: *b", 1, "expected YAML (found undefined alias"),
        ("a: &a [*a]", 1, "got 'an alias', expected no alias of what it stands in"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]", 2, "expected no tags but"),
        ("a: 1\nb: \x01", 2, "expected no control characters"),
        ('a: "\\ud800"', 1, "expected whole characters"),
        ("a: {<<: 5}", 1, "expected an alias of a mapping"),
        ("[" * 100, 1, "expected YAML (more than 64 levels)"),
        ('{"a": 1,\n "a": 2}', 2, "a: got 'a', expected each key once"),
        (b"a: 1\nb: \xff", 2, "expected text in UTF-8"),
    ],
)
def test_what_readers_differ_about_is_refused(text, line, said):
    """What YAML 1.1 and 1.2 read differently, and what is no YAML, is refused with its line."""
    (problem,) = problems(text)
    assert problem.startswith(f"f:{line}: ")
    assert said in problem


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{"a": 1', 1, "expected '}'"),
        ('{"a": 1,\n}', 2, "expected something behind the comma"),
        ('{"a": 1}\n{}', 2, "expected nothing behind the value"),
        ("{a: 1}", 1, 'expected a key in "quotes"'),
        ('{"a": NaN}', 1, "expected a finite number"),
        ('{"a": "\\ud83d"}', 1, "expected whole characters"),
        ("", 1, "expected JSON ("),
        ("[" * 100 + "]" * 100, 1, "expected at most 64 levels"),
    ],
)
def test_what_is_no_json_is_refused(text, line, said):
    """A file whose name ends in .json is not tried as YAML; what is wrong with it has its line."""
    (problem,) = problems(text, "f.json")
    assert problem.startswith(f"f.json:{line}: ")
    assert said in problem


def test_all_problems_of_a_text_are_told():
    """Doubtful values and double keys are told together."""
    assert [problem.split(": ")[0] for problem in problems("a: no\nb: 010\nc: 1\nc: 2\n")] == ["f:1", "f:2", "f:4"]


def test_aliases_of_aliases_end():
    """A few lines that would become a billion nodes are refused; so is a file that is too large to be one."""
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    (problem,) = problems(bomb)
    assert f"got 'more than {yaml_text.MOST_NODES} nodes'" in problem
    (problem,) = problems("#" * (document.LONGEST + 1))
    assert f"expected at most {document.LONGEST} characters" in problem


def test_json_needs_no_yaml(monkeypatch):
    """Without PyYAML a file of JSON is read; for YAML the error names the extra."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "aumos_otel.slo.yaml_text")
    assert document.load('{"a": 1}', "f").data == ({"a": 1},)
    with pytest.raises(MissingExtraError, match=r"aumos-otel\[slo\]"):
        document.load("a: 1", "f")
