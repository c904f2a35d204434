import sys
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo import policy, policy_lint, promql_lint, spec
from aumos_otel.slo.indicator import Composite, Gauge, Query, Ratio
from aumos_otel.slo.lint import lint
from aumos_otel.slo.objective import Definitions, Objective, Prometheus
from aumos_otel.slo.policy import AUMOS_SEED, DAYS_30, SRE_WORKBOOK, Limit, Policy, Tier
from aumos_otel.slo.window import Calendar, Rolling

HEAD = "version: aumos/v1\nservice: chat\n"
#: An indicator about which there is nothing to say.
UP = Gauge('probe_success{job="chat"}')


def found(rest, head="", **known):
    """Grade, rule and text of what lint says of one objective, of which the test gives what follows its name."""
    definitions = spec.parse(f"{HEAD}{head}slos:\n  - {{name: x, {rest}}}\n")
    return [(finding.grade, finding.rule, finding.text) for finding in lint(definitions, **known)]


def rules(rest, head="", **known):
    """Grade and rule of all but the note on single failures, which nearly every objective gets."""
    return [
        (grade, rule) for grade, rule, _ in found(rest, head, **known) if (grade, rule) != ("note", "single-failure")
    ]


def said(rule, rest, head="", **known):
    """The text of the one finding of a rule."""
    (text,) = [text for _, name, text in found(rest, head, **known) if name == rule]
    return text


def objective(**changes):
    """An objective about which there is nothing to say."""
    usual = {"name": "x", "service": "chat", "target": Decimal("0.999"), "indicator": UP}
    return Objective(**(usual | changes))


def of(*objectives, prometheus=None):
    """Grade and rule of what lint says of objectives."""
    definitions = Definitions(objectives=objectives, prometheus=prometheus or Prometheus())
    return [
        (finding.grade, finding.rule)
        for finding in lint(definitions)
        if (finding.grade, finding.rule) != ("note", "single-failure")
    ]


limits = st.builds(
    Limit, st.integers(60, 10 * 86_400), st.decimals("0.1", 50, places=1, allow_nan=False, allow_infinity=False)
)


@st.composite
def policies(draw):
    """Policies of fixed factors, for 30 days."""
    tiers = draw(
        st.lists(
            st.builds(
                Tier,
                st.sampled_from(["page", "ticket"]),
                st.lists(limits, min_size=1, max_size=3, unique_by=lambda limit: limit.seconds).map(
                    lambda chosen: tuple(sorted(chosen, key=lambda limit: limit.seconds))
                ),
            ),
            min_size=1,
            max_size=3,
        )
    )
    return Policy("drawn", "a test", DAYS_30, tuple(tiers))


targets = st.integers(1, 9_999).map(lambda part: Decimal(part) / 10_000)


def fires(tiers, burn):
    """Whether steady errors that burn at this rate make a tier fire, once every window is full of them."""
    return any(all(burn >= limit.factor for limit in tier.limits) for tier in tiers)


@given(policies(), targets, st.fractions(0, 1))
def test_what_is_called_blind_never_fires_and_what_is_not_does(drawn, target, position):
    """Between the ends of the band that lint names nothing fires; without a band everything worth mentioning does."""
    one = objective(target=target, policy=drawn)
    most = 1 / one.budget
    burn = 1 + (most - 1) * Decimal(position.numerator) / position.denominator
    names = {rule: finding for finding in lint(Definitions(objectives=(one,))) for rule in [finding.rule]}
    if "never-fires" in names:
        assert not fires(drawn.tiers, most)
    elif "blind-band" in names:
        _, _, band = names["blind-band"].text.partition("(burn rates 1 to ")
        end = Decimal(band.partition(")")[0])
        assert abs(burn / end - 1) < Decimal("0.001") or fires(drawn.tiers, burn) == (burn > end)
    else:
        assert fires(drawn.tiers, burn) or burn <= Decimal("1.1")


@given(policies(), targets)
def test_what_is_called_unreachable_does_not_fire_when_everything_is_bad(drawn, target):
    """Exactly the tiers that lint names cannot be reached by an error ratio of 1."""
    one = objective(target=target, policy=drawn)
    texts = [
        finding.text
        for finding in lint(Definitions(objectives=(one,)))
        if finding.rule in ("unreachable", "never-fires")
    ]
    out_of_reach = [tier for tier in drawn.tiers if not fires([tier], 1 / one.budget)]
    every = len(out_of_reach) == len(drawn.tiers)
    assert len(set(texts)) == (
        1 if every else len({(policy_lint._name(tier), policy_lint._needed(tier)) for tier in out_of_reach})
    )


@given(limits, limits, targets, st.floats(0.2, 5))
def test_a_single_failure_fires_up_to_the_rate_that_is_named(first, second, target, factor):
    """One bad event among as many as each window then holds reaches every limit at that rate, and not at a higher one."""
    tier = Tier("page", tuple(sorted((first, second), key=lambda limit: limit.seconds)))
    one = objective(target=target, policy=Policy("drawn", "a test", DAYS_30, (tier,)))
    rate = policy_lint.single_failure_rate(one, tier)
    if rate is None:
        assert any(limit.factor * one.budget > 1 for limit in tier.limits)
        return
    ratios = [1 / (rate * factor * limit.seconds) for limit in tier.limits]
    reached = all(ratio >= float(limit.factor * one.budget) for ratio, limit in zip(ratios, tier.limits, strict=True))
    assert reached == (factor <= 1) or abs(factor - 1) < 1e-6


def test_the_design_is_clean():
    """The objectives of a usual file have neither errors nor warnings."""
    assert rules("target: 99.9%, sli: http.availability, where: {http.route: /chat}") == []
    assert rules("target: 99%, sli: llm.time_to_first_chunk, below: 1.28s") == []


def test_unreachable_thresholds():
    """A factor above 1 / (1 - target) is named with that arithmetic; an error when nothing is left to page."""
    text = said("unreachable", "target: 90%, sli: {gauge: up}")
    assert "needs a burn rate of 14.4, but even when everything is bad it is 1 / (1 - 90%) = 10" in text
    assert rules("target: 90%, sli: {gauge: up}") == [("warning", "unreachable")]
    assert rules("target: 80%, sli: {gauge: up}") == [("error", "unreachable")] * 2
    assert rules("target: 80%, sli: {gauge: up}, burn_policy: aumos-seed") == [("error", "never-fires")]


def test_blind_bands():
    """The seed's pair never sees what burns below 14.4, though all of the budget goes within 2.08 days and more."""
    text = said("blind-band", "target: 99.9%, sli: {gauge: up}, burn_policy: aumos-seed")
    assert "0.001 to 0.0144 (burn rates 1 to 14.4)" in text
    assert "gone in 30d to 2.08d" in text
    assert rules("target: 99.9%, sli: {gauge: up}, burn_policy: sloth-30d") == []
    assert "blind-band" in dict(map(reversed, rules("target: 99.9%, sli: {gauge: up}, window: 90d")))


def test_factors_belong_to_a_period():
    """Fixed factors over another period, shares that contradict factors, and factors below 1 are named."""
    text = said("factor-period", "target: 99.9%, sli: {gauge: up}, window: 7d, burn_policy: aumos-seed")
    assert "burning at 6 for 1h uses 3.571% of the budget of 7d, but 0.833% of that of 30d" in text
    assert ("warning", "factor-below-one") in rules("target: 99.9%, sli: {gauge: up}, window: 7d")
    tiers = "{tiers: [{page: 5m>=14.4 & 1h>=14.4, budget: 5%}, {ticket: 6h>=1}]}"
    text = said("factor-period", f"target: 99.9%, sli: {{gauge: up}}, burn_policy: {tiers}")
    assert "5% x 30d / 1h = 36, which is used instead" in text
    assert rules("target: 99.9%, sli: {gauge: up}, window: {calendar: month}") == []


def test_windows_that_rules_cannot_see():
    """A window, or a slice, must hold four scrapes and one evaluation."""
    head = "prometheus: {scrape_interval: 2m}\n"
    assert "the window 5m is shorter than 4 x 2m between scrapes" in said(
        "window-resolution", "target: 99.9%, sli: {gauge: up}", head
    )
    slices = "budgeting: {timeslices: 30s, target: 90%}"
    text = said("window-resolution", f"target: 99.9%, sli: {{gauge: up}}, {slices}")
    assert "the window 30s is shorter than 1m between evaluations" in text
    assert ("error", "window-resolution") in rules("target: 99.9%, sli: {gauge: up}, burn_policy: demo")


def test_windows_out_of_order():
    """Limits whose windows do not grow, and windows longer than the period, are named."""
    limits_ = (Limit(3600, Decimal(6)), Limit(300, Decimal(1)))
    backwards = Policy("x", "", DAYS_30, (Tier("page", limits_), *SRE_WORKBOOK.tiers[2:]))
    assert ("error", "window-order") in of(objective(policy=backwards))
    assert ("warning", "window-order") in of(objective(window=Rolling(86_400)))


def test_retention():
    """Samples must be kept as long as the longest window that is asked for."""
    head = "prometheus: {retention: 15d}\n"
    assert "30d are asked for, but samples are kept for 15d" in said("retention", "target: 99%, sli: {gauge: up}", head)
    assert rules("target: 99%, sli: {gauge: up}", "prometheus: {retention: 30d}\n") == []


def test_single_failures():
    """Lint tells below which traffic one failure pages; with known traffic that is an error, above it nothing."""
    rest = "target: 99.9%, sli: {gauge: up}"
    (note,) = found(rest)
    assert note[:2] == ("note", "single-failure")
    assert "at most 1.16 events a minute (69.4 in 1h): 1 / 69.4 >= 14.4 x (1 - 99.9%)" in note[2]
    assert [finding[:2] for finding in found(rest, traffic={"chat/x": 1})] == [("error", "single-failure")]
    assert found(rest, traffic={"chat/x": 2}) == []
    assert found(rest + ", min_bad_events: 2", traffic={"chat/x": 1}) == []


def test_single_minutes():
    """Where minutes count there is one a minute: that is known."""
    assert rules("target: 99.9%, sli: {threshold: up, lt: 1}") == [("warning", "single-failure")]
    assert rules("target: 99%, sli: {threshold: up, lt: 1}") == []


@pytest.mark.parametrize("target", ["1", "1.5", "0", "-1"])
def test_targets_of_imported_objectives(target):
    """A target that leaves nothing to be bad, or everything, is an error, and nothing is reckoned with it."""
    assert of(objective(target=Decimal(target))) == [("error", "target")]


def test_time_zones():
    """A calendar in a zone that is not UTC is noted; one in a zone that is none is an error."""
    assert of(objective(window=Calendar("month", "Europe/Berlin"))) == [("note", "time-zone")]
    assert of(objective(window=Calendar("month", "Mars/Olympus"))) == [("error", "time-zone")]
    assert of(objective(window=Calendar("month"))) == []


def test_composites():
    """Parts over another window, counted apart otherwise, or missing are named."""
    whole = objective(name="whole", indicator=Composite({"x": Decimal(1)}), target=Decimal("0.99"))
    assert of(objective(), whole) == []
    assert ("warning", "composite") in of(objective(window=Rolling(86_400 * 28)), whole)
    assert of(objective(group_by=("route",)), whole) == [("warning", "composite")]
    assert of(whole) == [("error", "composite")]


def test_slis_that_are_counted_twice_or_for_two():
    """The same predicate under two names is counted twice; two predicates under one name are an error."""
    text = "".join(
        f"  - {{name: {name}, target: 99%, sli: {{match: {{a.b: c}}, good: {{}}}}}}\n" for name in ("one", "two")
    )
    same = spec.parse(f"{HEAD}slos:\n{text}")
    assert of(*same.objectives) == [("warning", "same-meaning")]
    other = spec.parse(f"{HEAD}slos:\n  - {{name: one, target: 99%, sli: {{match: {{a.b: d}}, good: {{}}}}}}\n")
    elsewhere = replace(other.objectives[0], service="mail")
    assert of(same.objectives[0], elsewhere) == [("error", "duplicate")]
    assert ("error", "duplicate") in of(objective(), objective())


def test_thresholds_off_the_edges_of_buckets():
    """A histogram counts up to its edges only; a span is compared exactly, but no dashboard can show that."""
    sli = "{histogram: http_server_request_duration_seconds, below: 300ms%s}"
    text = said("bucket-edge", f"target: 99%, sli: {sli % ''}")
    assert "no bucket of http_server_request_duration_seconds ends at 0.3: the nearest are 0.25 and 0.5" in text
    assert rules(f"target: 99%, sli: {sli % ', native: true'}") == []
    assert rules("target: 99%, sli: {histogram: http_server_request_duration_seconds, below: 250ms}") == []
    assert rules("target: 99%, sli: {histogram: own_seconds, below: 300ms}") == [("note", "bucket-edge")]
    assert rules("target: 99%, sli: {histogram: own_seconds, below: 300ms}", edges={"own_seconds": (0.3,)}) == []
    assert rules("target: 99%, sli: {histogram: 'rate(x[5m])', below: 1}") == [("error", "histogram")]
    for rest in ("llm.time_to_first_chunk, below: 1.5s", "http.latency, below: 300ms", "llm.latency, below: 1s"):
        assert rules(f"target: 99%, sli: {rest}") == [("warning", "bucket-edge")]


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        (Query('http_total{code=~"5.."}'), None),
        (Query("http_total # all\n"), None),
        (Query("rate(http_total[5m])"), "promql-counter"),
        (Query('{job="x"}'), "promql-selector"),
        (Query('{__name__!="x"}'), "promql"),
        (Query('{__name__!="x", a="b"}'), "promql-selector"),
        (Query('{__name__="http_total"}'), None),
        (Query('http_total{a=~".*"}'), "promql-cost"),
        (Query('http_total{a="1" or b="2"}'), "promql"),
        (Query("http_total{"), "promql"),
        (Query("x[{{.window}}]"), "promql-window"),
        (Query("sum(rate(x[{{.window}}]))", "template"), None),
        (Query("sum(rate(x[{{ .window }}]))", "template"), None),
        (Query("sum(rate(x[5m]))", "template"), "promql-window"),
        (Query("sum(rate(x[$__rate_interval])) + x offset {{.window}}", "template"), "promql"),
        (Query("rate(sum(x)[{{.window}}:1m])", "template"), "promql-sum-first"),
        (Query("increase((max by (a) (x) or y)[{{.window}}:1m])", "template"), "promql-sum-first"),
        (Query("max_over_time(sum(x)[{{.window}}:1m])", "template"), None),
        (Query("(" * 100 + "x" + ")" * 100), "promql"),
        (Query("+".join(["x"] * 200), "gauge"), "promql"),
        (Query("x" * 9000), "promql"),
        (Query("-" * 8000 + "x", "gauge"), "promql"),
        (Query('x{a="((((${b}"}'), None),
        (Query(""), "promql"),
    ],
)
def test_promql(query, rule):
    """What cannot be parsed, asks for everything, or sums before it takes the rate is named; the rest is not."""
    assert [fault.rule for fault in promql_lint.lint_query(query)] == ([rule] if rule else [])


def test_every_query_of_an_objective_is_looked_at():
    """Findings name the place of the query."""
    for sli, place in [
        ("{ratio: {good: 'x{', total: y}}", "good"),
        ("{ratio: {bad: y, total: 'x{'}}", "total"),
        ("{raw_ratio: {good: 'x{'}}", "raw_ratio"),
        ("{threshold: 'x{', lt: 1}", "threshold"),
        ("{gauge: 'x{'}", "gauge"),
    ]:
        assert said("promql", f"target: 99%, sli: {sli}").startswith(f"{place}: it cannot be parsed")
    assert ("error", "ratio") in of(objective(indicator=Ratio(Query("a"), good=Query("b"), bad=Query("c"))))


def test_promql_that_cannot_be_checked_is_said(monkeypatch):
    """Without the parser lint says that nothing was checked."""
    monkeypatch.setitem(sys.modules, "promql_parser", None)
    assert [fault.rule for fault in promql_lint.lint_query(Query("x"))] == ["promql-unchecked"]


def test_what_is_measured_elsewhere_is_an_error():
    """What cannot be asked from here is named with its remedy, and nothing else is said of it."""
    assert rules("target: 99.9%, sli: {elsewhere: Datadog, remedy: export it}") == [("error", "elsewhere")]


def test_findings_are_sorted_and_plain():
    """Errors go first, and each finding is plain data with the line of its objective."""
    definitions = spec.parse(
        f"{HEAD}slos:\n  - {{name: a, target: 99.9%, sli: {{gauge: up}}}}\n"
        "  - {name: b, target: 80%, sli: {gauge: up}, burn_policy: aumos-seed}\n"
    )
    first, *_ = lint(definitions)
    assert first.to_dict() == {
        "grade": "error",
        "rule": "never-fires",
        "objective": "chat/b",
        "line": 5,
        "text": first.text,
        "remedy": first.remedy,
    }
    assert str(first).startswith("error never-fires: chat/b: no alert can ever fire: ")


@pytest.mark.parametrize("name", sorted(policy.BUILT_IN))
def test_built_in_policies_are_consistent(name):
    """The factors of each built-in policy are what its shares of the budget say for the period it is written for."""
    one = objective(policy=policy.BUILT_IN[name], window=Rolling(policy.BUILT_IN[name].period))
    assert [finding for finding in of(one) if finding[1].startswith("factor")] == []
    assert AUMOS_SEED.for_period(DAYS_30) == AUMOS_SEED
