from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import document, formats, pyrra
from aumos_otel.slo.indicator import Counted, Gauge, Histogram, Query, Ratio, Threshold
from aumos_otel.slo.objective import Alerting, Definitions, Gate, Notice, Objective
from aumos_otel.slo.policy import PYRRA, SRE_WORKBOOK
from aumos_otel.slo.window import Calendar, Rolling

FILE = Path(__file__).parents[1] / "contract" / "formats" / "pyrra" / "every-indicator.yaml"
UP = Objective(
    name="up",
    service="web",
    target=Decimal("0.999"),
    indicator=Gauge('probe_success{job="probe"}'),
    window=Rolling(28 * 86_400),
    policy=PYRRA,
)


@pytest.fixture
def objectives():
    """The objectives of the file, by name."""
    return {objective.name: objective for objective in formats.read(FILE.read_text()).objectives}


def test_every_indicator_is_read(objectives):
    """Ratio, latency, native latency and boolean gauge become their indicators."""
    total = Query('http_requests_total{job="web"}')
    assert objectives["requests"].indicator == Ratio(
        total=total, bad=Query('http_requests_total{job="web",code=~"5.."}')
    )
    assert objectives["fast"].indicator == Histogram('http_duration_seconds{job="web"}', Decimal("0.5"))
    assert objectives["fast-native"].indicator == Histogram(
        'http_duration_seconds{job="web"}', Decimal("0.2"), native=True
    )
    assert objectives["up"].indicator == Gauge('probe_success{job="probe"}')


def test_a_latency_of_other_series_than_the_total_stays_two_counters(objectives):
    """A success that is picked otherwise than the total is no histogram's share, but a counter of its own."""
    indicator = objectives["fast-without-errors"].indicator
    assert indicator.good == Query('http_duration_seconds_bucket{job="web",code!~"5..",le="0.5"}')
    assert indicator.total == Query('http_duration_seconds_count{job="web"}')


def test_target_window_and_groups_are_read(objectives):
    """The target is a percentage as text, the window a duration, and grouping counts apart."""
    requests = objectives["requests"]
    assert (requests.target, requests.window) == (Decimal("0.999"), Rolling(28 * 86_400))
    assert (requests.group_by, objectives["fast-native"].group_by) == (("handler",), ("handler", "method"))


def test_the_service_is_a_label_or_the_namespace(objectives):
    """The service is what pyrra.dev/service says, else the namespace."""
    assert {objective.service for objective in objectives.values()} == {"web"}
    assert "service" not in objectives["fast-native"].labels


def test_labels_and_annotations_with_the_prefix_go_on(objectives):
    """Labels and annotations with Pyrra's prefix are the objective's and its alerts', without it; others are not."""
    requests = objectives["requests"]
    assert requests.labels == {"team": "web", "owner": "team-web"}
    assert requests.alerting.annotations == {"runbook_url": "https://runbooks.example/web"}
    assert (requests.owner, requests.runbook) == ("team-web", "https://runbooks.example/web")


def test_alerting_is_read(objectives):
    """Names, severities, and what is switched off are read."""
    alerting = objectives["requests"].alerting
    assert alerting.name == "RequestsFail"
    assert alerting.notice("page").labels == {"severity": "critical"}
    assert alerting.notice("ticket").labels == {"severity": "warning"}
    off = {"page": Notice(enabled=False), "ticket": Notice(enabled=False)}
    assert objectives["fast"].alerting == Alerting(notices=off, absent=False)
    assert objectives["up"].alerting == Alerting(notices=off)


def test_the_policy_is_pyrras(objectives):
    """For 28 days the policy is the built-in one."""
    assert objectives["requests"].policy is PYRRA
    assert objectives["requests"].burn_policy == PYRRA


@pytest.mark.parametrize(
    ("days", "minutes"),
    [
        (28, [(5, 60), (30, 360), (120, 1440), (360, 5760)]),
        (14, [(3, 30), (15, 180), (60, 720), (180, 2880)]),
        (7, [(1, 15), (8, 90), (30, 360), (90, 1440)]),
        (30, [(5, 64), (32, 386), (129, 1543), (386, 6171)]),
    ],
)
def test_windows_grow_with_the_period_and_factors_stay(days, minutes):
    """Pyrra rounds its windows, in proportion to 28 days, to whole minutes; the factors are always the same."""
    found = pyrra.policy(days * 86_400)
    assert [(tier.short.seconds // 60, tier.long.seconds // 60) for tier in found.tiers] == minutes
    assert [tier.long.factor for tier in found.tiers] == [14, 7, 2, 1]
    assert found.for_period(days * 86_400) == found


def test_windows_of_a_short_period_are_a_minute_at_least():
    """A period for which Pyrra's windows would be nothing gets windows of one minute."""
    assert pyrra.policy(3600).tiers[0].short.seconds == 60


def test_severities_that_differ_within_one_alert_are_told():
    """Two tiers with severities of their own share an alert here, and that is said."""
    text = FILE.read_text().replace("mediumBurn: critical", "mediumBurn: page")
    assert any("both tiers share one alert" in remark for remark in formats.examine(text).remarks)


def test_a_target_that_looks_like_a_share_is_told():
    """A target below one is a percentage all the same, and that is said."""
    imported = formats.examine(FILE.read_text().replace('"99.9"', '"0.99"'))
    assert imported.definitions.objectives[0].target == Decimal("0.0099")
    assert any("means 0.99 %" in remark for remark in imported.remarks)


@pytest.mark.parametrize(
    "indicator",
    [
        Gauge("up"),
        Ratio(total=Query("a_total"), bad=Query('a_total{code="500"}')),
        Histogram('seconds{job="x"}', Decimal("0.25")),
        Histogram("seconds", Decimal("1.5"), native=True),
    ],
    ids=lambda indicator: type(indicator).__name__,
)
def test_an_objective_of_ours_is_written_and_read(indicator):
    """An objective that Pyrra has words for is equal after it went through its resource."""
    mine = replace(UP, indicator=indicator, group_by=("route",), description="All is well", labels={"team": "web"})
    (again,) = formats.read(formats.write(Definitions(objectives=(mine,)), "pyrra")).objectives
    assert replace(again, foreign={}) == mine


def test_a_change_is_written_into_the_document(objectives):
    """An objective that changed since it was read is written into its document, which keeps the rest."""
    changed = replace(objectives["requests"], target=Decimal("0.95"))
    (written,) = document.load(formats.write(Definitions(objectives=(changed,)), "pyrra"), "x.yaml").data
    assert written["spec"]["target"] == "95"
    assert written["spec"]["ruleOutput"]["longRulesLabels"] == {"ruler": "far"}
    assert written["metadata"]["labels"]["prometheus"] == "k8s"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"policy": SRE_WORKBOOK}, "burn_policy: pyrra"),
        ({"window": Calendar("month")}, "a rolling window"),
        ({"gate": Gate()}, "no gate"),
        ({"indicator": Threshold("x", "lt", Decimal(1))}, "a gauge of 0 and 1"),
        ({"indicator": Counted("mail.sent")}, "a gauge of 0 and 1"),
        ({"alerting": Alerting(notices={"page": Notice(enabled=False)})}, "both on or both off"),
    ],
)
def test_what_pyrra_cannot_say_is_a_problem(change, said):
    """What Pyrra's resource has no word for is a problem that names the objective, the field and what would do."""
    with pytest.raises(ObjectiveError, match=said) as caught:
        formats.write(Definitions(objectives=(replace(UP, **change),)), "pyrra")
    assert str(caught.value).startswith("web/up: ")
