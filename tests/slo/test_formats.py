import copy
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import document, formats

FILES = sorted(
    path
    for folder in ("openslo", "sloth", "pyrra")
    for path in (Path(__file__).parents[1] / "contract" / "formats" / folder).glob("*.yaml")
)

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["1d", "lt", "up", "x[{{.window}}]", "Prometheus", "aumos", "0.5", "\ud800"]),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=4), inside, max_size=2),
    max_leaves=4,
)

PYRRA = """\
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: up, namespace: web}
spec:
  target: "99"
  window: 28d
  indicator: {bool_gauge: {metric: up}}
"""
SLOTH = """\
version: prometheus/v1
service: mail
slos:
  - name: sent
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(errors_total[{{.window}}]))
        total_query: sum(rate(mails_total[{{.window}}]))
    alerting: {name: MailsFail}
"""
OPENSLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: found}
spec:
  service: search
  indicator:
    metadata: {name: hits}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: hits_total}}}
        total: {metricSource: {type: Prometheus, spec: {query: searches_total}}}
  budgetingMethod: Occurrences
  objectives:
    - target: 0.99
"""
OWN = """\
version: aumos/v1
service: web
slos:
  - {name: up, target: 99%, sli: {gauge: up}}
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_file_comes_back_as_it_was(path):
    """A file of another format that is read and written again has the same documents in the same order."""
    text = path.read_text()
    imported = formats.examine(text, path.name)
    written = formats.write(imported.definitions, imported.format)
    assert imported.format == path.parent.name
    assert _plain(written) == _plain(text)
    assert formats.read(written) == imported.definitions


@pytest.mark.parametrize("name", ["aumos", "openslo"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_our_own_format_and_its_twin_lose_nothing_of_other_formats(path, name):
    """What a file of another format defines is equal after it went through our own format, or through OpenSLO."""
    definitions = formats.read(path.read_text(), path.name)
    assert formats.read(formats.write(definitions, name)) == definitions


@pytest.mark.parametrize(
    ("text", "name"),
    [(PYRRA, "pyrra"), (SLOTH, "sloth"), (OPENSLO, "openslo"), (OWN, "aumos")],
    ids=lambda text: text[:12],
)
def test_the_format_is_told_by_the_version(text, name):
    """A document's version tells its format, in YAML and in JSON alike."""
    assert formats.examine(text).format == name
    (data,) = _plain(text)
    assert formats.examine(json.dumps(data), "slo.json").format == name


def test_a_list_of_kubernetes_is_read_one_by_one():
    """What kubectl prints, a List of resources, is read like the resources themselves."""
    items = _plain(PYRRA) + _plain(PYRRA.replace("name: up", "name: down"))
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})
    names = [objective.name for objective in formats.read(text).objectives]
    assert names == ["up", "down"]


def test_objectives_know_their_line():
    """An objective knows the line at which it stands."""
    assert formats.read(SLOTH).objectives[0].line == 4
    assert formats.read(PYRRA + "---\n" + PYRRA.replace("name: up", "name: down")).objectives[1].line == 9


#: Documents in which something else is put somewhere: all that define an objective.
DOCUMENTS = [
    one
    for path in FILES
    for data in document.load(path.read_text(), path.name).data
    for one in (data if isinstance(data, list) else [data])
    if one.get("kind") not in {"AlertWindows", "DataSource", "Service", "AlertNotificationTarget"}
]

BROKEN = {
    "nothing": ("", 0, "version: aumos/v1"),
    "no version": ("service: web\n", 1, "version: aumos/v1"),
    "a version of the future": (SLOTH.replace("prometheus/v1", "prometheus/v9"), 1, "prometheus/v1"),
    "OpenSLO's alpha": (OPENSLO.replace("openslo/v1", "openslo/v1alpha"), 1, "openslo/v1"),
    "two formats": (OPENSLO + "---\n" + SLOTH, 17, "one format"),
    "a text": ("hello\n", 1, "a mapping"),
    "no YAML": ("version: prometheus/v1\n\tslos: []\n", 2, ""),
    "a key twice": (SLOTH + "service: other\n", 11, "each key once"),
    "sloth: objective of a share": (SLOTH.replace("99.9", "'99.9'"), 5, "a number"),
    "sloth: objective of 100": (SLOTH.replace("99.9", "100"), 5, "no budget"),
    "sloth: no template": (SLOTH.replace("errors_total[{{.window}}]", "errors_total[5m]"), 8, "{{.window}}"),
    "sloth: no name of alerts": (SLOTH.replace("{name: MailsFail}", "{}"), 10, "a name for the alerts"),
    "sloth: two indicators": (
        SLOTH.replace("    alerting", "      raw: {error_ratio_query: 'x[{{.window}}]'}\n    alerting"),
        6,
        "exactly one",
    ),
    "sloth: a name twice": (SLOTH + SLOTH[SLOTH.index("  - name") :], 11, "no other SLO"),
    "sloth: a bad label": (SLOTH.replace("service: mail", "service: mail\nlabels: {a-b: c}"), 3, "a label"),
    "pyrra: no target": (PYRRA.replace('  target: "99"\n', ""), 4, "a percentage"),
    "pyrra: a target of 100": (PYRRA.replace('"99"', '"100"'), 5, "below 100"),
    "pyrra: no window": (PYRRA.replace("28d", "a month"), 6, "a duration"),
    "pyrra: no selector": (PYRRA.replace("metric: up", "metric: sum(up)"), 7, "a selector"),
    "pyrra: no indicator": (PYRRA.replace("bool_gauge: {metric: up}", ""), 7, "exactly one"),
    "pyrra: another kind": (PYRRA.replace("kind: ServiceLevelObjective", "kind: Objective"), 2, "ServiceLevelObjective"),
    "openslo: no such SLI": (OPENSLO[: OPENSLO.index("  indicator:")] + "  indicatorRef: gone\n  objectives: [{target: 0.9}]\n", 6, "an SLI"),
    "openslo: target as percentage": (OPENSLO.replace("0.99", "99"), 15, "below 1"),
    "openslo: both targets": (OPENSLO.replace("target: 0.99", "{target: 0.99, targetPercent: 99}"), 15, "either"),
    "openslo: another method": (OPENSLO.replace("Occurrences", "Minutes"), 13, "one of Occurrences"),
    "openslo: slices without length": (OPENSLO.replace("Occurrences", "Timeslices"), 15, "timeSliceWindow"),
    "openslo: no total": (OPENSLO[: OPENSLO.index("        total")] + OPENSLO[OPENSLO.index("  budgeting") :], 9, "total"),
    "openslo: a kind of one's own": (OPENSLO.replace("kind: SLO", "kind: Slo"), 2, "one of DataSource"),
    "openslo: no objectives": (OPENSLO[: OPENSLO.index("  objectives")], 4, "at least one"),
    "openslo: text for a mapping": (OPENSLO.replace("metadata: {name: found}", "metadata: found"), 3, "a mapping"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_with_the_line(case):
    """What is wrong in a file is told with its line, and with what would have been right."""
    text, line, expected = BROKEN[case]
    with pytest.raises(ObjectiveError) as caught:
        formats.read(text, "broken.yaml")
    lines = str(caught.value).splitlines()
    assert any(
        one.startswith(f"broken.yaml:{line}:" if line else "broken.yaml:") and expected in one for one in lines
    ), lines


def test_all_problems_are_told_at_once():
    """A file with several faults is refused once, with each of them."""
    text = SLOTH.replace("99.9", "101").replace("mail\n", "''\n").replace("{name: MailsFail}", "{nmae: x}")
    with pytest.raises(ObjectiveError) as caught:
        formats.read(text)
    assert [problem.line for problem in caught.value.problems] == [2, 5, 10]


def test_unknown_fields_are_told_and_kept():
    """A field that the format does not have is remarked on, with the one that may be meant, and written back."""
    text = SLOTH.replace("    alerting: {name", "    labls: {a: b}\n    alerting: {page_alrt: {disable: true}, name")
    imported = formats.examine(text, "x.yaml")
    assert [remark.split(": ")[0] for remark in imported.remarks] == ["x.yaml:10", "x.yaml:11"]
    assert "is labels meant?" in imported.remarks[0]
    assert "is page_alert meant?" in imported.remarks[1]
    assert _plain(formats.write(imported.definitions, "sloth")) == _plain(text)


@given(st.data())
def test_no_document_is_too_strange(data):
    """A document in which anything stands anywhere is read, or refused with its problems; what is read comes back."""
    one = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        place, key = data.draw(st.sampled_from(list(_places(one))))
        place[key] = data.draw(ANYTHING)
    try:
        imported = formats.examine(json.dumps(one), "x.json")
    except ObjectiveError:
        return
    written = formats.write(imported.definitions, imported.format)
    assert _plain(written) == [one]
    assert formats.read(formats.write(imported.definitions, "openslo")) == imported.definitions


def _places(node):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _plain(text):
    return [
        item for data in document.load(text, "x.yaml").data for item in (data if isinstance(data, list) else [data])
    ]
