from __future__ import annotations

import re
from decimal import Decimal

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import promql, quantity
from aumos_otel.slo.indicator import (
    Composite,
    Counted,
    Elsewhere,
    Gauge,
    Histogram,
    Query,
    Ratio,
    RawRatio,
    Threshold,
)
from aumos_otel.slo.objective import Definitions, Objective, Prometheus
from aumos_otel.slo.promql import Events
from aumos_otel.slo.window import OCCURRENCES, RatioTimeslices, Timeslices

RATIO = Ratio(total=Query('hits{job="x"}'), bad=Query('hits{job="x",code="500"}'))


def objective(indicator=RATIO, name="buy", **more):
    """An objective of the service ``shop``."""
    return Objective(name=name, service="shop", target=Decimal("0.99"), indicator=indicator, **more)


def events(indicator=RATIO, prometheus=Prometheus(), parts=(), part=None, **more):  # noqa: B008 - frozen
    """The expressions of an objective called ``buy``."""
    wanted = objective(indicator, **more)
    return promql.events(wanted, Definitions(objectives=(wanted, *parts), prometheus=prometheus), part)


@pytest.mark.parametrize(
    ("scrape", "interval", "expected"),
    [(15, 60, "1m15s"), (30, 60, "2m30s"), (60, 60, "4m"), (15, 30, "1m15s"), (5, 300, "5m5s"), (1, 1, "4s")],
)
def test_a_range_holds_four_scrapes_and_ends_where_the_next_begins(scrape, interval, expected):
    """Evaluations and one scrape more: increments are seen once, or equally often."""
    found = events(prometheus=Prometheus(scrape_interval=scrape, interval=interval))
    assert found.total == f'sum(rate(hits{{job="x"}}[{expected}])) * 60'


@given(st.integers(1, 600), st.integers(1, 600), st.one_of(st.none(), st.integers(1, 10_000)))
def test_ranges_never_lose_an_increment_between_them(scrape, interval, seconds):
    """Whatever the intervals, a range is a whole number of evaluations longer than a scrape, and holds four of those."""
    budgeting = OCCURRENCES if seconds is None else RatioTimeslices(seconds)
    found = events(prometheus=Prometheus(scrape_interval=scrape, interval=interval), budgeting=budgeting)
    (span,) = {quantity.seconds(text) for text in re.findall(r"\[(\w+)\]", found.total + found.good)}
    assert (span - scrape) % interval == 0
    assert span >= 4 * scrape
    assert span >= (seconds or 0)


def test_each_counter_is_rated_before_it_is_summed():
    """The sum of rates survives the restart of one instance; a rate of sums does not."""
    found = events(Ratio(Query("a"), good=Query("b")), group_by=("route", "http.code"))
    assert found.total == 'sum by (route, "http.code") (rate(a[1m15s])) * 60'
    assert found.good == f'sum by (route, "http.code") (rate(b[1m15s])) * 60 or ({found.total}) * 0'


def test_bad_events_are_taken_from_the_total():
    """Without a bad series all is good; with more bad events than events nothing is, and never less."""
    found = events()
    assert found.good == f'clamp_min(({found.total}) - ((sum(rate(hits{{job="x",code="500"}}[1m15s])) * 60) or ({found.total}) * 0), 0)'  # fmt: skip


@pytest.mark.parametrize(
    "written", ["{{.window}}", "{{ .window }}", "{{.window }}", "{{- .window -}}", "{{\t.window}}"]
)
def test_every_spacing_of_the_window_is_replaced(written):
    """Sloth's placeholder is a template of Go: white space and trim marks do not matter, nor what stands behind it."""
    query = Query(f"max_over_time(sum(rate(a[{written}]))[{written}:1m])", "template")
    assert "[1m15s]" in events(Ratio(query, good=query)).total
    assert "[1m15s:1m]" in events(Ratio(query, good=query)).total
    assert "{{" not in events(Ratio(query, good=query)).good


def test_templates_of_rates_and_of_increases_become_events_of_a_minute():
    """A rate is a second's, an increase is the range's; either is a minute's at level 0."""
    rate, increase = (Query(f"sum({name}(a[{{{{.window}}}}]))", "template") for name in ("rate", "increase"))
    found = events(Ratio(rate, good=increase))
    assert found.total == "sum((sum(rate(a[1m15s]))) >= 0 < Inf) * 60"
    assert found.good.startswith("sum((sum(increase(a[1m15s]))) >= 0 < Inf) * 60 / 75 or ")


def test_text_of_the_user_becomes_one_line():
    """Comments would swallow what we append; strings stay as they are, whatever is in them."""
    text = 'sum(a{b="x # y  {{z}}",\n  c=~`le="1"`}) # the rest\n  + # more\n 1'
    assert promql.clean(text) == 'sum(a{b="x # y  {{z}}", c=~`le="1"`}) + 1'


def test_edges_in_the_text_of_the_user_are_found_in_every_spelling():
    """Only a plain matcher of the label le is widened."""
    text = """a{le="1",file="le=\\"2\\"",nole="3",le!="4",le=~"5", le = '6' ,le="0.5"}"""
    assert promql.clean(text) == (
        """a{le=~"1|1\\\\.0",file="le=\\"2\\"",nole="3",le!="4",le=~"5", le=~"6|6\\\\.0" ,le="0.5"}"""
    )


def test_the_counters_of_a_service_are_found_by_its_job():
    """With a namespace before it or none; what a regular expression would take for a sign is quoted."""
    found = promql.series(Counted('say "hi"'), "a.b+c", Prometheus())
    assert found.total == r'aumos_sli_events_total{aumos_sli_name="say \"hi\"",job=~"(.+/)?a\\.b\\+c"}'
    assert found.good.startswith("aumos_sli_good_events_total{")
    matched = promql.series(Counted("x"), "shop", Prometheus(matchers={"b": "2", "a.b": "1"}))
    assert matched.total == 'aumos_sli_events_total{aumos_sli_name="x","a.b"="1",b="2"}'


def test_our_own_counters_are_grouped_by_attributes():
    """An attribute of an SLI is a label with underscores; labels of the user's own series are kept as they are."""
    assert promql.grouping(objective(Counted("x"), group_by=("aumos.tenant.id",))) == ("aumos_tenant_id",)
    assert promql.grouping(objective(group_by=("http.route",))) == ("http.route",)


def test_slices_are_judged_with_room_for_rounding():
    """The ratio of floats that is 95 % counts as 95 %; a slice without events is none."""
    found = events(budgeting=Timeslices(300, Decimal("0.950")))
    assert found.total.endswith("[5m15s])) * 60) > bool 0")
    assert found.good.startswith("round((")
    assert found.good.endswith(", 1e-9) >= bool 0.95")


def test_slices_of_what_is_looked_at_once_a_minute_sum_its_minutes():
    """The step of each subquery is written down."""
    found = events(Threshold("depth", "lt", Decimal(3)), budgeting=RatioTimeslices(600))
    assert "sum_over_time((count((depth) >= -Inf))[10m:1m])" in found.total


def test_recorded_parts_stand_for_their_expressions():
    """A composite reads what is recorded of its parts when it is told where."""
    part = objective(name="part")
    found = events(
        Composite({"part": Decimal(2)}), parts=(part,), part=lambda found: Events(f"t_{found.name}", f"g_{found.name}")
    )
    assert "clamp_max(sum(g_part) / (sum(t_part) > 0), 1)" in found.good
    assert "rate(" not in found.good
    assert "rate(" in events(Composite({"part": Decimal(2)}), parts=(part,)).good


@pytest.mark.parametrize(
    ("indicator", "told"),
    [
        (
            Elsewhere("Datadog", "ask Prometheus"),
            "got 'Datadog', expected what Prometheus can be asked; ask Prometheus",
        ),
        (Ratio(Query("a")), "a query of its good or of its bad events"),
        (Histogram("sum(a)", Decimal(1)), "the name of a histogram with matchers"),
        (Histogram('{job="x"}', Decimal(1)), "the name of a histogram with matchers"),
        (Composite({"nobody": Decimal(1)}), "got 'nobody', expected the name of an objective of shop"),
        (Composite({"buy": Decimal(1)}), "got 'buy > buy', expected a composite without itself in it"),
    ],
)
def test_what_has_no_expression_is_refused_by_name(indicator, told):
    """The error names the objective, what was seen and what would have been right."""
    with pytest.raises(ObjectiveError) as raised:
        events(indicator)
    assert str(raised.value).startswith("shop/buy: sli: ")
    assert told in str(raised.value)


@pytest.mark.parametrize("part", [None, lambda found: Events("t", "g")])
def test_circles_of_composites_are_refused(part):
    """Also through another one, and also when the parts are recorded."""
    other = objective(Composite({"buy": Decimal(1)}), name="other")
    with pytest.raises(ObjectiveError, match="buy > other > buy"):
        events(Composite({"other": Decimal(1)}), parts=(other,), part=part)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
selectors = st.builds(
    lambda name, value: f"{name}{{a={promql.quoted(value)}}}", st.sampled_from(["hits", "a:b"]), texts
)
counters = st.builds(Query, selectors)
indicators = st.one_of(
    st.builds(Counted, texts),
    st.builds(Ratio, counters, good=counters),
    st.builds(Ratio, counters, bad=counters),
    st.builds(Ratio, selectors.map(lambda text: Query(f"rate({text}[{{{{.window}}}}])", "template")), good=counters),
    st.builds(RawRatio, selectors.map(lambda text: Query(text, "gauge")), st.sampled_from(["success", "failure"])),
    st.builds(Threshold, selectors, st.sampled_from(["lt", "lte", "gt", "gte"]), st.decimals(-1e6, 1e6)),
    st.builds(Histogram, selectors, st.decimals(0, 1000, places=3), st.booleans()),
    st.builds(Gauge, selectors),
)
budgetings = st.one_of(
    st.just(OCCURRENCES),
    st.builds(Timeslices, st.integers(1, 86_400), st.just(Decimal("0.9"))),
    st.builds(RatioTimeslices, st.integers(1, 86_400)),
)


@given(indicators, budgetings, budgetings, st.sampled_from([(), ("route",), ("a", "b")]))
def test_whatever_is_asked_is_promql(indicator, budgeting, outer, group_by):
    """Each indicator with any text, weighing and grouping gives expressions that parse, alone and in a composite."""
    part = objective(indicator, name="part", budgeting=budgeting, group_by=group_by)
    mixed = objective(Composite({"part": Decimal("0.5")}), budgeting=outer, group_by=group_by)
    definitions = Definitions(objectives=(part, mixed))
    for found in (promql.events(part, definitions), promql.events(mixed, definitions)):
        promql_parser.parse(found.total)
        promql_parser.parse(found.good)
