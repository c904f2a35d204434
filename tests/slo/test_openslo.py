import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import document, formats, openslo, policy, sli
from aumos_otel.slo.indicator import (
    Composite,
    Counted,
    Elsewhere,
    Gauge,
    Histogram,
    Query,
    Ratio,
    RawRatio,
    Spans,
    Threshold,
)
from aumos_otel.slo.objective import Alerting, Definitions, Gate, Notice, Objective, Prometheus
from aumos_otel.slo.policy import BUILT_IN, PYRRA, SLOTH_30D, SRE_WORKBOOK, Limit, Tier
from aumos_otel.slo.window import OCCURRENCES, Calendar, RatioTimeslices, Rolling, Timeslices

FOLDER = Path(__file__).parents[1] / "contract" / "formats" / "openslo"
FOUND = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: found}
spec:
  service: search
  indicator:
    metadata: {name: hits}
    spec:
      ratioMetric:
        counter: COUNTER
        good: {metricSource: {type: Prometheus, spec: {query: 'GOOD'}}}
        total: {metricSource: {type: Prometheus, spec: {query: searches_total}}}
  timeWindow: WINDOW
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
  alertPolicies: ALERTS
"""

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
WORDS = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,6})?", fullmatch=True)
LABELS = st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True).filter(lambda text: text[:2] != "__"), TEXTS, max_size=2)  # fmt: skip
PROMQL = st.sampled_from(
    [
        "a_total",
        'a_total{b="c"}',
        "sum(a_total)",
        "sum(rate(a_total[5m]))",
        "sum(rate(a_total[{{.window}}]))",
        "a / b",
        "a\nb",
    ]
)
SHARES = st.decimals("0.000001", "0.999999", places=6)
NUMBERS = st.decimals("0.001", "10000", places=3)
SECONDS = st.integers(1, 40_000_000)
QUERIES = st.builds(Query, PROMQL, st.sampled_from(["counter", "template", "gauge"]))
SLI = sli.from_data({"name": "tools", "match": {"gen_ai.operation.name": "execute_tool"}, "good": {"status": "ok"}})
INDICATORS = st.one_of(
    st.just(Spans(SLI)),
    st.builds(Counted, WORDS),
    st.builds(lambda total, good: Ratio(total=total, good=good), QUERIES, QUERIES),
    st.builds(lambda total, bad: Ratio(total=total, bad=bad), QUERIES, QUERIES),
    st.builds(RawRatio, QUERIES, st.sampled_from(["success", "failure"])),
    st.builds(Threshold, PROMQL, st.sampled_from(["lt", "lte", "gt", "gte"]), NUMBERS),
    st.builds(Histogram, st.just("a_seconds"), NUMBERS, st.booleans()),
    st.builds(Gauge, st.just("up")),
    st.builds(Elsewhere, WORDS, TEXTS),
)
LIMITS = st.builds(Limit, SECONDS, NUMBERS)
TIERS = st.builds(
    Tier,
    st.sampled_from(["page", "ticket"]),
    st.lists(LIMITS, min_size=1, max_size=3, unique_by=lambda limit: limit.seconds).map(
        lambda limits: tuple(sorted(limits, key=lambda limit: limit.seconds))
    ),
    st.none() | SHARES,
)
POLICIES = st.sampled_from(list(BUILT_IN.values())) | st.builds(
    policy.Policy, WORDS, WORDS, SECONDS, st.lists(TIERS, min_size=1, max_size=2).map(tuple)
)
NOTICES = st.builds(Notice, st.booleans(), LABELS, LABELS)
OBJECTIVES = st.builds(
    Objective,
    name=WORDS,
    service=st.sampled_from(["web", "mail"]),
    target=SHARES,
    indicator=INDICATORS,
    window=st.builds(Rolling, SECONDS)
    | st.builds(
        Calendar, st.sampled_from(["day", "week", "month", "quarter", "year"]), st.sampled_from(["UTC", "Asia/Tokyo"])
    ),
    budgeting=st.just(OCCURRENCES)
    | st.builds(Timeslices, SECONDS, SHARES | st.just(Decimal(1)))
    | st.builds(RatioTimeslices, SECONDS),
    policy=POLICIES,
    display_name=TEXTS,
    description=TEXTS,
    owner=TEXTS,
    runbook=TEXTS,
    labels=LABELS,
    annotations=LABELS,
    group_by=st.lists(st.sampled_from(["route", "tenant"]), unique=True, max_size=2).map(tuple),
    gate=st.none() | st.builds(Gate, st.integers(0, 9), st.none() | SHARES),
    alerting=st.builds(
        Alerting,
        name=st.none() | WORDS,
        labels=LABELS,
        annotations=LABELS,
        notices=st.dictionaries(st.sampled_from(["page", "ticket"]), NOTICES, max_size=2),
        absent=st.booleans(),
    ),
    foreign=st.just({}) | st.just({"sloth": {"version": "prometheus/v1", "slos": [{"objective": 99.9}]}}),
)
DEFINITIONS = st.builds(
    Definitions,
    objectives=st.lists(OBJECTIVES, min_size=1, max_size=3, unique_by=lambda objective: (objective.service, objective.name)).map(tuple),
    prometheus=st.builds(
        Prometheus,
        scrape_interval=st.integers(1, 60),
        interval=st.integers(1, 60),
        retention=st.none() | SECONDS,
        matchers=LABELS,
    ),
    foreign=st.just({}) | st.just({"sloth": [{"kind": "AlertWindows"}]}),
)  # fmt: skip


@given(DEFINITIONS)
def test_the_twin_is_lossless(definitions):
    """Any definitions are equal after they went through OpenSLO."""
    assert formats.read(openslo.write(definitions)) == definitions


@given(DEFINITIONS)
def test_the_twin_is_openslo(definitions):
    """Whatever is written has the fields that OpenSLO requires, in the types that it wants."""
    for one in openslo.documents(definitions):
        assert one["apiVersion"] == "openslo/v1"
        assert all(isinstance(text, str) for text in one["metadata"].get("annotations", {}).values())
        if one["kind"] == "SLO":
            assert one["spec"]["budgetingMethod"] in ("Occurrences", "Timeslices", "RatioTimeslices")
            assert 0 < one["spec"]["objectives"][0]["target"] < 1
            assert one["spec"]["indicator"]["spec"].keys() <= {"ratioMetric", "thresholdMetric"}


def test_a_composite_goes_through_with_its_parts():
    """A composite, whose parts are names, is equal after it went through OpenSLO."""
    parts = tuple(Objective(name=name, service="web", target=Decimal("0.9"), indicator=Gauge("up")) for name in "ab")
    whole = replace(parts[0], name="whole", indicator=Composite({"a": Decimal(1), "b": Decimal("2.5")}))
    definitions = Definitions(objectives=(*parts, whole))
    assert formats.read(openslo.write(definitions)) == definitions


def test_what_openslo_can_say_is_said_in_its_words():
    """An objective that needs no words of ours is a document without an annotation or source of ours."""
    query = "sum(rate(x_total[{{.window}}]))"
    mine = Objective(
        name="found",
        service="search",
        target=Decimal("0.99"),
        indicator=Ratio(total=Query("searches_total"), good=Query(query, "template")),
        window=Calendar("month", "Europe/Berlin"),
        budgeting=Timeslices(300, Decimal("0.95")),
        display_name="Found",
        labels={"tier": "1"},
        annotations={"example": "x"},
    )
    (written,) = openslo.documents(Definitions(objectives=(mine,)))
    assert "aumos" not in json.dumps(written)
    assert written["spec"]["timeWindow"] == [
        {
            "duration": "1M",
            "calendar": {"startTime": "2024-01-01 00:00:00", "timeZone": "Europe/Berlin"},
            "isRolling": False,
        }
    ]
    assert written["spec"]["objectives"] == [{"target": 0.99, "timeSliceTarget": 0.95, "timeSliceWindow": "5m"}]


def test_several_objectives_of_one_document_share_what_it_says():
    """Each objective of a document becomes one of ours, named and shown after both, and remembers the document."""
    good, promised = formats.read((FOLDER / "every-kind.yaml").read_text()).objectives
    assert (good.name, promised.name) == ("checkout-works-good", "checkout-works-promised")
    assert (good.display_name, good.target) == ("Checkout works: Good", Decimal("0.999"))
    assert promised.target == Decimal("0.99")
    assert good.foreign == promised.foreign
    assert good.labels == {"tier": "1", "area": "checkout,payment"}


def test_alert_policies_become_tiers_of_one_limit():
    """Conditions by reference and inline are the tiers of the policy; their severities are labels."""
    good, _ = formats.read((FOLDER / "every-kind.yaml").read_text()).objectives
    assert good.policy.tiers == (
        Tier("page", (Limit(3600, Decimal("14.4")),)),
        Tier("ticket", (Limit(259_200, Decimal(1)),)),
    )
    assert good.policy.name == "burning+creeping"
    assert good.alerting.notice("ticket").labels == {"severity": "warning"}
    assert good.alerting.absent is True


@pytest.mark.parametrize(
    ("old", "new", "tiers"),
    [
        ("op: gt\n", "op: lte\n", 1),
        ("alertWhenBreaching: true\n        conditions", "alertWhenBreaching: false\n        conditions", 1),
        ("alertPolicyRef: burning", "alertPolicyRef: gone", 1),
        ("conditionRef: fast-burn", "conditionRef: gone", 1),
        ("severity: warning", "severity: critical", 2),
    ],
)
def test_alerts_that_cannot_be_are_left_out(old, new, tiers):
    """A condition on a low burn rate, one that does not alert, and one that is not in the file make no tier."""
    text = (FOLDER / "every-kind.yaml").read_text()
    assert old in text
    assert len(formats.read(text.replace(old, new)).objectives[0].policy.tiers) == tiers


def test_without_alerts_that_can_be_the_usual_policy_holds():
    """An SLO without alert policies is held to the workbook's."""
    assert read(alerts="[]").policy is SRE_WORKBOOK


@pytest.mark.parametrize(
    ("good", "counter", "expected"),
    [
        ("a_total", "true", Query("a_total", "counter")),
        ('sum( a_total{b="c"} )', "true", Query('a_total{b="c"}', "counter")),
        ("sum(a_total) + sum(b_total)", "true", Query("increase((sum(a_total) + sum(b_total))[{{.window}}:15s])", "template")),
        ("sum(rate(a_total[5m]))", "false", Query("sum(rate(a_total[{{.window}}]))", "template")),
        ('sum(increase(a_total{b="[5m]"}[1h]))', "true", Query('sum(increase(a_total{b="[5m]"}[{{.window}}]))', "template")),
        ("sum(increase(a_total[{{ .window }}]))", "true", Query("sum(increase(a_total[{{ .window }}]))", "template")),
        ("rate(a[5m]) / rate(b[1h])", "false", Query("rate(a[5m]) / rate(b[1h])", "gauge")),
        ("queue_length", "false", Query("queue_length", "gauge")),
    ],
)  # fmt: skip
def test_a_query_gets_the_form_that_fits(good, counter, expected):
    """Whether a query is of counters, a template or a gauge is told by its text and by ``counter``."""
    assert read(good, counter).indicator.good == expected


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("[{duration: 4w, isRolling: true}]", Rolling(28 * 86_400)),
        ("[{duration: 90m, isRolling: true}]", Rolling(5400)),
        ("[{duration: 1M, isRolling: true}]", Rolling(30 * 86_400)),
        ("[]", Rolling(30 * 86_400)),
        ("[{duration: 7d, calendar: {startTime: 2024-01-01 00:00:00, timeZone: UTC}}]", Calendar("week")),
        ("[{duration: 3M, calendar: {startTime: 2024-01-01 00:00:00, timeZone: UTC}}]", Calendar("quarter")),
        ("[{duration: 1m, calendar: {startTime: 2024-01-01 00:00:00, timeZone: UTC}}]", Calendar("month")),
        ("[{duration: 366d, calendar: {startTime: 2024-01-01 00:00:00, timeZone: UTC}}]", Calendar("year")),
    ],
)
def test_windows_are_read(window, expected):
    """Rolling windows have a length, those of the calendar a unit, however either is written."""
    assert read(window=window).window == expected


@pytest.mark.parametrize(
    "window",
    [
        "[{duration: 2M, calendar: {startTime: 2024-01-01 00:00:00, timeZone: UTC}}]",
        "[{duration: 1M, calendar: {startTime: 2024-01-01 00:00:00, timeZone: Mars/Base}}]",
        "[{duration: 1M, calendar: {startTime: yesterday, timeZone: UTC}}]",
        "[{duration: 1M, isRolling: true, calendar: {startTime: 2024-01-01 00:00:00, timeZone: UTC}}]",
        "[{duration: 1M, isRolling: false}]",
        "[{duration: -1h, isRolling: true}]",
        "[{duration: 0d, isRolling: true}]",
        "[{duration: 5s, isRolling: true}]",
        "[{duration: 1d, isRolling: true}, {duration: 2d, isRolling: true}]",
    ],
)
def test_windows_that_are_none_are_refused(window):
    """A calendar's period that is no unit, an unknown zone and a contradiction are problems at the window."""
    with pytest.raises(ObjectiveError, match="timeWindow"):
        read(window=window)


def test_the_start_of_another_week_is_told():
    """A start that is none of the calendar's own is kept, and that periods begin elsewhere is said."""
    window = "[{duration: 1w, calendar: {startTime: 2024-01-03 12:00:00, timeZone: UTC}}]"
    imported = formats.examine(text_of(window=window))
    assert any("startTime: a week begins with the calendar's" in remark for remark in imported.remarks)


def test_a_composite_is_its_parts_and_their_weighted_mean():
    """The objectives of a composite become ours, and one over them with their weights and mean target."""
    objectives = {one.name: one for one in formats.read((FOLDER / "every-indicator.yaml").read_text()).objectives}
    whole = objectives["journey"]
    assert whole.indicator == Composite({"journey-search": Decimal(3), "journey-click": Decimal(1)})
    assert whole.target == Decimal("0.98")
    assert objectives["journey-click"].indicator == Threshold("click_delay_seconds", "lt", Decimal(1))


def test_objectives_that_are_shown_alike_are_numbered():
    """Objectives of a document that are shown alike, or not at all, are told apart by their number."""
    text = text_of().replace(
        "[{target: 0.99}]", "[{target: 0.9, displayName: A}, {target: 0.8, displayName: A}, {target: 0.7}]"
    )
    assert [one.name for one in formats.read(text).objectives] == ["found-1", "found-2", "found-3"]


@pytest.mark.parametrize("target", ["0.99999999999999999999999", "1E-400"])
def test_a_target_that_no_float_holds_is_exact(target):
    """A target of more digits than a number of YAML keeps is equal after it went through OpenSLO."""
    mine = Definitions(objectives=(replace(read(), target=Decimal(target)),))
    assert formats.read(openslo.write(mine)).objectives[0].target == Decimal(target)


@pytest.mark.parametrize(("label", "expected"), [("a.b", "a_b"), ("1a", "_1a"), ("__a", "_a"), ("a", "a")])
def test_labels_are_called_as_prometheus_wants(label, expected):
    """A label with characters that Prometheus does not take gets others in their place."""
    text = text_of().replace("{name: found}", f"{{name: found, labels: {{{label}: x}}}}")
    assert formats.read(text).objectives[0].labels == {expected: "x"}


def test_another_data_source_is_kept_but_is_elsewhere():
    """A data source that is not Prometheus gives an indicator that names it and says what would do."""
    objectives = {one.name: one for one in formats.read((FOLDER / "every-indicator.yaml").read_text()).objectives}
    indicator = objectives["elsewhere"].indicator
    assert indicator.system == "Datadog"
    assert "Prometheus" in indicator.remedy


def test_a_change_is_written_into_the_document():
    """An objective that changed since it was read is written into its document, which keeps the rest."""
    text = text_of().replace("service: search", "service: search\n  contact: me")
    definitions = formats.read(text)
    (objective,) = definitions.objectives
    changed = replace(objective, target=Decimal("0.95"), owner="me")
    written = openslo.write(replace(definitions, objectives=(changed,)))
    (data,) = document.load(written, "x.yaml").data
    assert data["spec"]["contact"] == "me"
    assert data["spec"]["objectives"] == [{"target": 0.95}]
    (again,) = formats.read(written).objectives
    assert replace(again, foreign={}) == replace(changed, foreign={})


def test_a_document_that_somebody_edits_is_kept_as_it_is():
    """A field added to what was written here is remarked on and written back."""
    text = openslo.write(Definitions(objectives=(replace(read(), owner="me", foreign={}),)))
    edited = text.replace("service: search", "service: search\n  contact: me")
    imported = formats.examine(edited)
    assert "contact" in imported.remarks[0]
    assert document.load(openslo.write(imported.definitions), "x").data == document.load(edited, "x").data


@pytest.mark.parametrize("rest", ["{", "[]", '{"target": 3}', '{"nonsense": 1}', "[" * 100_000])
def test_a_spoilt_annotation_is_a_problem(rest):
    """An annotation that is not what was written here is a problem where it stands, whatever it is."""
    text = text_of().replace(
        "{name: found}", f"{{name: found, annotations: {{aumos-otel/objective: {json.dumps(rest)}}}}}"
    )
    with pytest.raises(ObjectiveError, match="annotations"):
        formats.read(text)


@pytest.mark.parametrize("nonsense", [3, "x", [], [3], {"a": 1}, [{"a": 1}]])
@pytest.mark.parametrize("name", ["openslo", "sloth", "pyrra"])
def test_nonsense_in_foreign_breaks_no_export(name, nonsense):
    """What somebody writes by hand where documents of a format are kept does not get in the way of an export."""
    gauge = Objective(
        name="up",
        service="web",
        target=Decimal("0.9"),
        indicator=Gauge("up"),
        window=Rolling(28 * 86_400),
        policy=PYRRA,
    )
    ratio = RawRatio(Query("x[{{.window}}]", "template"), "failure")
    fits = {
        "openslo": gauge,
        "pyrra": gauge,
        "sloth": replace(gauge, indicator=ratio, policy=SLOTH_30D, window=Rolling(30 * 86_400)),
    }
    mine = replace(fits[name], foreign={name: nonsense})
    text = formats.write(Definitions(objectives=(mine,), foreign={name: nonsense}), name)
    assert formats.read(text).objectives[0].name == "up"


def text_of(good="hits_total", counter="true", window="[]", alerts="[]"):
    """An SLO of OpenSLO."""
    filled = FOUND.replace("GOOD", good).replace("COUNTER", counter).replace("WINDOW", window)
    return filled.replace("ALERTS", alerts)


def read(*args, **kwargs):
    """The objective of `text_of`."""
    (objective,) = formats.read(text_of(*args, **kwargs)).objectives
    return objective
