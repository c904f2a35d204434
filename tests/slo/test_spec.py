import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from slo.definitions import definitions, scalars

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import library, spec
from aumos_otel.slo.document import Documents
from aumos_otel.slo.indicator import Counted, Gauge, Histogram, Query, Ratio, RawRatio, Spans, Threshold
from aumos_otel.slo.objective import Gate, Notice
from aumos_otel.slo.policy import AUMOS_SEED, SRE_WORKBOOK
from aumos_otel.slo.window import Calendar, RatioTimeslices, Rolling, Timeslices

FILES = sorted((Path(__file__).parents[1] / "contract" / "formats" / "slo").glob("*.yaml"))
HEAD = "version: aumos/v1\nservice: chat\n"


def objectives(text):
    """The objectives of a file, of which the test gives what follows the service."""
    return spec.parse(HEAD + text).objectives


def one(rest, head=""):
    """The one objective of a file, of which the test gives what follows name and target."""
    (found,) = objectives(f"{head}slos:\n  - {{name: x, target: 99%, {rest}}}\n")
    return found


def problems(text, read=None):
    """The lines of the error that a file is refused with, without its name."""
    with pytest.raises(ObjectiveError) as caught:
        spec.parse(text, "f", read)
    return [str(problem).removeprefix("f:") for problem in caught.value.problems]


def refused(rest):
    """The one problem of a file with one objective, without its line."""
    (problem,) = problems(f"{HEAD}slos:\n  - {{name: x, target: 99%, {rest}}}\n")
    return problem.partition(": ")[2].removeprefix("slos[0].")


@given(definitions())
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_as_the_same(drawn):
    """Every definition that the model can hold comes back from its file, equal."""
    assert spec.parse(spec.write(drawn)) == drawn


@given(definitions())
@settings(max_examples=50, deadline=None)
def test_versions_survive_the_file(drawn):
    """What was recorded under an objective's version stays its own after a file was written and read."""
    once = spec.parse(spec.write(drawn))
    twice = spec.parse(spec.write(once))
    assert [objective.version for objective in twice.objectives] == [objective.version for objective in once.objectives]


def places(node, path=()):
    """The paths of all nodes inside one."""
    yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*path, key))


def exchanged(node, path, value):
    """A copy of a node in which the one at the path is another."""
    if not path:
        return value
    copy = node.copy()
    copy[path[0]] = exchanged(node[path[0]], path[1:], value)
    return copy


EVERYTHING = yaml.safe_load(next(path for path in FILES if path.stem == "everything").read_text())


@given(
    st.sampled_from(list(places(EVERYTHING))),
    st.one_of(
        scalars, st.sampled_from([None, [], {}, [None], {"": None}, [[]], {"a": {}}, 0, -1, "1e999999", "0" * 99])
    ),
)
@settings(deadline=None)
def test_whatever_stands_in_a_file_is_read_or_refused(path, value):
    """With any value in any place a file is read, and then written, or it is refused for what stands there."""
    documents = Documents("f", (exchanged(EVERYTHING, path, value),), {})
    try:
        found = spec.from_data(documents)
    except ObjectiveError as error:
        problems_ = error.problems
    else:
        problems_ = ()
        assert spec.parse(spec.write(found)) == found
    for problem in problems_:
        place = problem.problem.path
        near = min(2, len(place), len(path))
        assert place[:near] == path[:near] or "composite" in place or path[:1] == ("slis",)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_files_are_read_and_written_as_before(path):
    """Each file of the contract is read, and written as the file beside it."""
    found = spec.parse(path.read_text(), path.name)
    assert spec.write(found) == path.with_suffix(".written").read_text()
    assert spec.parse(path.with_suffix(".written").read_text()) == found


def test_what_stands_at_the_top_holds_for_each_objective():
    """Owner, window and policy are defaults; labels and annotations are joined, the objective's own going first."""
    first, second = objectives(
        "owner: us\nwindow: 7d\nburn_policy: aumos-seed\nlabels: {a: top, b: top}\nannotations: {c: top}\nslos:\n"
        "  - {name: first, target: 99%, sli: {gauge: up}}\n"
        "  - {name: second, target: 99%, sli: {gauge: up}, owner: them, window: 1d, burn_policy: sre-workbook,"
        " labels: {b: own}}\n"
    )
    assert (first.owner, first.window, first.policy, first.labels) == (
        "us",
        Rolling(604_800),
        AUMOS_SEED,
        {"a": "top", "b": "top"},
    )
    assert (second.owner, second.window, second.policy) == ("them", Rolling(86_400), SRE_WORKBOOK)
    assert (second.labels, second.annotations) == ({"a": "top", "b": "own"}, {"c": "top"})
    assert (first.line, second.line) == (9, 10)


@pytest.mark.parametrize("target", ["99.9%", "0.999", "99.90 %", '"0.9990"'])
def test_targets_are_shares(target):
    """A target is a percentage or a fraction; all spellings are the same number."""
    (found,) = objectives(f"slos: [{{name: x, target: {target}, sli: {{gauge: up}}}}]")
    assert found.target == Decimal("0.999")


@pytest.mark.parametrize("target", ["99.9", "100%", "1", "0", "0%", "-1%", "x", "true", "[]", ".nan", "1e400"])
def test_targets_that_are_none_are_refused(target):
    """A bare percentage, everything, nothing and what is no number are no targets."""
    (problem,) = problems(f"{HEAD}slos: [{{name: x, target: {target}, sli: {{gauge: up}}}}]")
    assert problem.startswith("3: slos[0].target: got ")


@pytest.mark.parametrize(
    ("sli", "indicator"),
    [
        ("{counted: checkout}", Counted("checkout")),
        ("{gauge: up}", Gauge("up")),
        ("{ratio: {good: a, total: b}}", Ratio(Query("b"), good=Query("a"))),
        ("{ratio: {bad: a, total: {gauge: b}}}", Ratio(Query("b", "gauge"), bad=Query("a"))),
        ("{raw_ratio: {good: a}}", RawRatio(Query("a"), "success")),
        ("{raw_ratio: {bad: 'a[{{ .window }}]'}}", RawRatio(Query("a[{{ .window }}]", "template"), "failure")),
        ("{threshold: a, gte: 0.5}", Threshold("a", "gte", Decimal("0.5"))),
        ("{histogram: a, below: 300ms}", Histogram("a", Decimal("0.3"))),
        ("{histogram: a, below: 5, native: true}", Histogram("a", Decimal(5), native=True)),
    ],
)
def test_indicators(sli, indicator):
    """Each kind of indicator has a short form."""
    assert one(f"sli: {sli}").indicator == indicator


@pytest.mark.parametrize("name", sorted(library.BUILT_IN))
def test_built_in_slis_are_narrowed_and_counted_by_the_objective(name):
    """Each built-in SLI takes a condition and its threshold, and is counted under the objective's name."""
    need = library.BUILT_IN[name].need
    threshold = {None: "", "duration": "below: 1s", "USD": "below: 0.1", "tokens": "below: 9", "score": "above: 0.5"}
    found = one(f"sli: {name}, where: {{a.b: c}}, {threshold[need and need.unit]}").indicator
    assert isinstance(found, Spans)
    assert found.sli.name == "x"
    assert "a.b" in repr(found.sli.match)


def test_named_slis_are_shared():
    """Objectives that name the same SLI have one counter; it may be a built-in one that is narrowed once."""
    slow, fast, tools = objectives(
        "slis:\n"
        "  chat-in-time: {sli: http.latency, below: 1s, where: {http.route: /chat}}\n"
        "  tools: {match: {a.b: c}, good: {not: {status: error}}, description: of agents}\n"
        "slos:\n"
        "  - {name: slow, target: 99%, sli: chat-in-time}\n"
        "  - {name: fast, target: 90%, sli: chat-in-time}\n"
        "  - {name: tools-work, target: 90%, sli: tools}\n"
    )
    assert slow.indicator == fast.indicator
    assert slow.indicator.sli.name == "chat-in-time"
    assert (tools.indicator.sli.name, tools.indicator.sli.description) == ("tools", "of agents")


def test_windows_and_budgetings():
    """Periods roll or follow a calendar; events count, or slices of time."""
    assert one("sli: {gauge: up}, window: 4w").window == Rolling(2_419_200)
    calendar = one("sli: {gauge: up}, window: {calendar: month, time_zone: Europe/Berlin}").window
    assert calendar == Calendar("month", "Europe/Berlin")
    assert one("sli: {gauge: up}, budgeting: {timeslices: 5m, target: 100%}").budgeting == Timeslices(300, Decimal(1))
    assert one("sli: {gauge: up}, budgeting: {ratio_timeslices: 5m}").budgeting == RatioTimeslices(300)


def test_gates_and_alerts():
    """A fewest number of bad events, a confidence, and what the alerts of each severity say."""
    assert one("sli: {gauge: up}, confidence: 95%").gate == Gate(2, Decimal("0.95"))
    assert one("sli: {gauge: up}, min_bad_events: 5").gate == Gate(5)
    alerting = one("sli: {gauge: up}, alerting: {absent: false, page: false, ticket: {labels: {a: b}}}").alerting
    assert not alerting.absent
    assert alerting.notices == {"page": Notice(enabled=False), "ticket": Notice(labels={"a": "b"})}


def test_policies_are_names_lines_mappings_and_files():
    """A burn policy is built in, a line, written out with the budget's shares, or a file that the caller reads."""
    tiers = "tiers: [{page: 5m>=14.4 & 1h>=14.4, budget: 2%}]"
    assert one("sli: {gauge: up}, burn_policy: 'page: 5m>=2 & 1h>=1'").policy.expression == "page: 5m>=2 & 1h>=1"
    written = one(f"sli: {{gauge: up}}, burn_policy: {{name: ours, period: 30d, {tiers}}}").policy
    assert (written.name, written.tiers) == ("ours", SRE_WORKBOOK.tiers[:1])
    text = f"{HEAD}burn_policy: ./ours.yaml\nslos: [{{name: x, target: 99%, sli: {{gauge: up}}}}]"
    (read,) = spec.parse(text, read={"./ours.yaml": f"name: ours\n{tiers}"}.__getitem__).objectives
    assert read.policy.tiers == written.tiers


def test_problems_of_a_policy_file_have_its_lines():
    """A policy file that is wrong is told by its own name and line; one that cannot be read by its place."""
    text = f"{HEAD}burn_policy: p.yaml\nslos: [{{name: x, target: 99%, sli: {{gauge: up}}}}]"
    assert problems(text, {"p.yaml": "name: a\ntiers:\n  - {page: 5m>14}\n"}.__getitem__) == [
        "p.yaml:3: tiers[0].page: got '5m>14', expected a limit such as 5m>=14.4"
    ]

    def missing(name):
        raise FileNotFoundError(2, "No such file", name)

    assert problems(text, missing) == ["3: burn_policy: got 'p.yaml', expected a file that can be read (No such file)"]
    assert problems(text) == ["3: burn_policy: got 'p.yaml', expected the policy itself: there are no files here"]


def test_several_services_stand_in_one_file():
    """A document a service; what is about Prometheus is said once for all of them."""
    found = spec.parse(
        f"{HEAD}prometheus: {{scrape_interval: 30s, matchers: {{job: a}}}}\n"
        "slos: [{name: x, target: 99%, sli: {gauge: up}}]\n---\n"
        "version: aumos/v1\nservice: mail\nslos: [{name: x, target: 99%, sli: {gauge: up}}]\n"
    )
    assert [(objective.service, objective.name) for objective in found.objectives] == [("chat", "x"), ("mail", "x")]
    assert (found.prometheus.scrape_interval, found.prometheus.matchers) == (30, {"job": "a"})


def test_all_problems_are_told_at_once():
    """A file is refused whole, with every problem and its line, in the order of lines."""
    assert problems(
        "version: aumos/v1\n"
        "service: chat\n"
        "windw: 30d\n"
        "slos:\n"
        "  - name: Wrong Name\n"
        "    target: 99.9\n"
        "    sli: http.availabilty\n"
        "  - name: parts\n"
        "    target: 99%\n"
        "    sli: {composite: {nothing: 1}}\n"
        "    alerting: {absent: 5, pag: false}\n"
        "  - {name: parts, target: 99%, sli: {gauge: up}}\n"
    ) == [
        "3: windw: got 'windw', expected 'window'",
        "5: slos[0].name: got 'Wrong Name', expected lower-case letters, digits and dashes between them",
        "6: slos[0].target: got 99.9, expected a share of more than 0 and less than 1; write 99.9% if percent is meant",
        "7: slos[0].sli: got 'http.availabilty', expected the name of an SLI: 'http.availability'",
        "11: slos[1].alerting.absent: got 5, expected true or false",
        "11: slos[1].alerting.pag: got 'pag', expected 'page'",
    ]


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("sli: nothing-like-it", "sli: got 'nothing-like-it', expected the name of an SLI: one of "),
        ("sli: 5", "sli: got 5, expected the name of an SLI"),
        ("sli: {}", "sli: got {}, expected the name of an SLI"),
        ("sli: {gauge: up, counted: x}", "sli: got ['counted', 'gauge'], expected one of ratio"),
        ("sli: {gauge: up, below: 5}", "sli.below: got 'below', expected one of "),
        ("sli: {gauge: up}, below: 5s", "below: got '5s', expected nothing: only an SLI that is built in"),
        ("sli: {ratio: {good: a, bad: b, total: c}}", "sli.ratio: got ['bad', 'good', 'total'], expected one of good"),
        ("sli: {ratio: {good: a}}", "sli.ratio: got ['good'], expected total: PromQL"),
        ("sli: {ratio: {good: {counter: ''}, total: a}}", "sli.ratio.good.counter: got '', expected a string"),
        ("sli: {threshold: a, lt: 1, gt: 0}", "sli: got ['gt', 'lt', 'threshold'], expected one of lt"),
        ("sli: {threshold: a, lt: x}", "sli.lt: got 'x', expected a number"),
        ("sli: {histogram: a, below: x}", "sli.below: got 'x', expected a duration such as 300ms"),
        ("sli: {composite: {x: 1}}", "sli.composite.x: got 'x', expected a part that 'x' is not a part of itself"),
        ("sli: {composite: {y: 1}}", "sli.composite.y: got 'y', expected the name of an SLO of 'chat'"),
        ("sli: {composite: {}}", "sli.composite: got {}, expected objectives of the service"),
        ("sli: {match: {a.b: 1}}", "sli: got ['match'], expected good: a mapping of conditions"),
        ("sli: {match: {kind: srv}, good: {}}", "sli.match.kind: got 'srv', expected one of server"),
        ("sli: {counted: 'a b'}", "sli.counted: got 'a b', expected letters, digits, dots and dashes"),
        ("sli: {gauge: up}, window: 1.5s", "window: got '1.5s', expected a duration of whole seconds"),
        ("sli: {gauge: up}, window: {calendar: decade}", "window.calendar: got 'decade', expected one of day"),
        ("sli: {gauge: up}, window: {calendar: day, time_zone: Mars}", "window.time_zone: got 'Mars', expected a time"),
        ("sli: {gauge: up}, window: {calendar: day, time_zone: ../x}", "window.time_zone: got '../x', expected a time"),
        ("sli: {gauge: up}, budgeting: slices", "budgeting: got 'slices', expected occurrences, "),
        ("sli: {gauge: up}, budgeting: {timeslices: 5m}", "budgeting: got ['timeslices'], expected target: the share"),
        ("sli: {gauge: up}, burn_policy: sre-workbok", "burn_policy: got 'sre-workbok', expected 'sre-workbook'"),
        ("sli: {gauge: up}, burn_policy: {tiers: []}", "burn_policy.tiers: got [], expected a list with at least one"),
        ("sli: {gauge: up}, labels: {a-b: c}", "labels.a-b: got 'a-b', expected a label of letters, digits and _"),
        ("sli: {gauge: up}, labels: {a: 5}", 'labels.a: got 5, expected a string; write "5" in quotes'),
        ("sli: {gauge: up}, group_by: [a, a]", "group_by[1]: got 'a', expected each one once"),
        ("sli: {gauge: up}, group_by: a", "group_by: got 'a', expected a list of the name"),
        ("sli: {gauge: up}, min_bad_events: 1.5", "min_bad_events: got 1.5, expected a whole number from 0"),
        ("sli: {gauge: up}, min_bad_events: true", "min_bad_events: got True, expected a whole number from 0"),
        ("sli: {gauge: up}, confidence: 100%", "confidence: got '100%', expected a share of more than 0"),
        ("sli: {gauge: up}, owner: no", "owner: got 'no', expected true or false, or the word in quotes"),
    ],
)
def test_what_is_wrong_is_said(rest, problem):
    """Each thing that can be wrong in an objective is one problem, at its place."""
    assert refused(rest).startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", " the document: got 'nothing', expected a document with version: aumos/v1"),
        ("# only this\n", " the document: got 'nothing', expected a document with version: aumos/v1"),
        ("just text", "1: the document: got 'just text', expected a mapping"),
        ("version: aumos/v2\nservice: a\nslos: []", "1: version: got 'aumos/v2', expected aumos/v1"),
        ("version: aumos/v1\nslos: [5]\nservice: a", "2: slos[0]: got 5, expected a mapping"),
        ("version: aumos/v1\nservice: a", "1: the document: got ['service', 'version'], expected slos: a list"),
        (f"{HEAD}slos: {{}}", "3: slos: got {}, expected a list of mappings"),
        (f"{HEAD}slos: []\nslis: {{'a b': {{counted: x}}}}", "4: slis.a b: got 'a b', expected a name of letters"),
    ],
)
def test_files_that_are_none_are_refused(text, problem):
    """A file without a document, or whose document is something else, is refused."""
    assert problems(text)[0].startswith(problem)


def test_composites_in_a_circle_are_refused():
    """An objective cannot be a part of what it consists of, however far the way round."""
    text = "slos:\n" + "".join(
        f"  - {{name: {name}, target: 99%, sli: {{composite: {{{part}: 1}}}}}}\n" for name, part in ("ab", "bc", "ca")
    )
    assert [problem.partition(", ")[0] for problem in problems(HEAD + text)] == [
        "4: slos[0].sli.composite.b: got 'b'",
        "5: slos[1].sli.composite.c: got 'c'",
        "6: slos[2].sli.composite.a: got 'a'",
    ]


def test_an_sli_name_means_one_thing():
    """Two SLIs of a service that mean different things cannot be counted under one name."""
    sli = "{{name: tools, match: {{a.b: {value}}}, good: {{}}}}"
    text = "".join(
        f"  - {{name: {name}, target: 99%, sli: {sli.format(value=name)}}}\n" for name in ("first", "second")
    )
    assert problems(f"{HEAD}slos:\n{text}") == [
        "5: slos[1].sli: got 'tools', expected another name: an SLI that means something else has this one"
    ]


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("prometheus",),
        ("burn_policy",),
        ("burn_policy", "tiers", 0),
        ("slos", 0),
        ("slos", 0, "alerting"),
        ("slos", 0, "alerting", "page"),
        ("slos", 2, "budgeting"),
    ],
    ids=str,
)
def test_each_key_is_used_by_the_contract_and_told_by_the_reference(path):
    """Every key that is known stands in the golden file with everything, and in docs/reference/slo-yaml.md."""
    node = EVERYTHING
    for step in path:
        node = node[step]
    with pytest.raises(ObjectiveError) as caught:
        spec.from_data(Documents("f", (exchanged(EVERYTHING, path, node | {"qqqqqq": 1}),), {}))
    (problem,) = (problem.problem for problem in caught.value.problems)
    known = set(problem.expected.removeprefix("one of ").split(", "))
    reference = (Path(__file__).parents[2] / "docs" / "reference" / "slo-yaml.md").read_text()
    golden = {step for place in places(EVERYTHING) for step in place if isinstance(step, str)}
    assert {key for key in known if not re.search(rf"\b{key}\b", reference)} == set()
    assert known <= golden
