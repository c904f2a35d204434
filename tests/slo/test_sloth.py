from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import document, formats
from aumos_otel.slo.indicator import Counted, Elsewhere, Histogram, Query, Ratio, RawRatio
from aumos_otel.slo.objective import Alerting, Definitions, Gate, Notice, Objective
from aumos_otel.slo.policy import SLOTH_30D, SRE_WORKBOOK
from aumos_otel.slo.window import Rolling

FOLDER = Path(__file__).parents[1] / "contract" / "formats" / "sloth"
SENT = Objective(
    name="sent",
    service="mail",
    target=Decimal("0.999"),
    indicator=Ratio(
        total=Query("sum(rate(mails_total[{{.window}}]))", "template"),
        bad=Query("sum(rate(errors_total[{{.window}}]))", "template"),
    ),
    policy=SLOTH_30D,
    alerting=Alerting(name="MailsFail"),
)


def _read(name):
    return formats.read((FOLDER / name).read_text(), name)


@pytest.mark.parametrize("name", ["spec.yaml", "resource.yaml"])
def test_every_indicator_is_read(name):
    """Events, a raw ratio and a plugin become their indicators, in the file and in the resource alike."""
    delivered, spam, plugin = (objective.indicator for objective in _read(name).objectives)
    assert delivered.bad == Query('sum(rate(mails_total{result="failed"}[{{.window}}]))', "template")
    assert delivered.good is None
    assert spam == RawRatio(Query("1 - avg_over_time(spam:caught:ratio[{{.window}}])", "template"), "failure")
    assert isinstance(plugin, Elsewhere)
    assert plugin.system == "the plugin 'example/availability' of sloth"


def test_what_the_service_says_holds_for_each_slo():
    """Labels of the service hold for its SLOs, whose own go before; owner and runbook are found among them."""
    delivered, spam, _ = _read("spec.yaml").objectives
    assert delivered.labels == {"owner": "team-mail", "tier": "1"}
    assert spam.labels == {"owner": "team-mail", "tier": "2"}
    assert (delivered.owner, delivered.runbook) == ("team-mail", "https://runbooks.example/mail")
    assert spam.name == "spam-caught"
    assert delivered.target == Decimal("0.9995")


def test_alerts_are_read():
    """Name, labels and annotations of both alerts are read, and that one of them is off."""
    delivered, spam, _ = _read("spec.yaml").objectives
    assert delivered.alerting.name == "MailsGetLost"
    assert delivered.alerting.notice("page").labels == {"severity": "critical"}
    assert delivered.alerting.notice("ticket").enabled is False
    assert spam.alerting.notices == {"page": Notice(enabled=False), "ticket": Notice(enabled=False)}


def test_alert_windows_are_a_policy_and_a_period():
    """Alert windows give the SLOs of their stream the period, and factors of budget x period / long window."""
    (delivered,) = _read("windows.yaml").objectives
    assert delivered.window == Rolling(7 * 86_400)
    assert delivered.policy.name == "sloth-7d"
    assert [tier.long.factor for tier in delivered.policy.tiers] == [
        Decimal("13.44"), Decimal("3.5"), Decimal("1.4"), Decimal("0.98"),
    ]  # fmt: skip
    assert delivered.burn_policy == delivered.policy


def test_sloths_own_windows_are_the_built_in_policy():
    """A document that says what sloth does by default is the built-in policy."""
    text = (FOLDER / "windows.yaml").read_text()
    for old, new in (("7d", "30d"), ("8\n", "2\n"), ("12.5", "5"), ("20", "10"), ("42", "10")):
        text = text.replace(f" {old}", f" {new}", 1)
    (delivered,) = formats.read(text).objectives
    assert delivered.policy == SLOTH_30D


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("errorBudgetPercent: 8", "errorBudgetPercent: 0", "quick.errorBudgetPercent"),
        ("longWindow: 1h", "longWindow: 1m", "quick.longWindow"),
        ("longWindow: 3d", "longWindow: 8d", "slow.longWindow"),
        ("sloPeriod: 7d", "sloPeriod: a week", "sloPeriod"),
    ],
)
def test_wrong_alert_windows_are_refused(old, new, path):
    """Windows that are no windows are problems where they stand."""
    with pytest.raises(ObjectiveError, match=path):
        formats.read((FOLDER / "windows.yaml").read_text().replace(old, new))


def test_a_change_is_written_into_the_document():
    """An objective that changed since it was read is written into its document, which keeps the rest."""
    definitions = _read("resource.yaml")
    first, *rest = definitions.objectives
    changed = replace(definitions, objectives=(replace(first, target=Decimal("0.5")), *rest[:1]))
    (written,) = document.load(formats.write(changed, "sloth"), "x.yaml").data
    assert written["metadata"]["namespace"] == "monitoring"
    assert [slo["objective"] for slo in written["spec"]["slos"]] == [50, 90]
    assert written["spec"]["slos"][0]["alerting"]["pageAlert"] == {"labels": {"severity": "critical"}}


def test_an_objective_of_ours_is_written_and_read():
    """An objective by templates is equal after it went through sloth's format."""
    (again,) = formats.read(formats.write(Definitions(objectives=(SENT,)), "sloth")).objectives
    assert replace(again, foreign={}) == SENT


@pytest.mark.parametrize(
    ("indicator", "bad"),
    [
        (
            Ratio(total=Query("mails_total"), bad=Query('mails_total{ok="0"}')),
            'sum(rate(mails_total{ok="0"}[{{.window}}]))',
        ),
        (
            Ratio(total=Query("mails_total"), good=Query('mails_total{ok="1"}')),
            '(sum(rate(mails_total[{{.window}}]))) - (sum(rate(mails_total{ok="1"}[{{.window}}])))',
        ),
        (
            Histogram("mail_seconds", Decimal("0.25")),
            '(sum(rate(mail_seconds_count[{{.window}}]))) - (sum(rate(mail_seconds_bucket{le="0.25"}[{{.window}}])))',
        ),
        (
            Counted("mail.sent"),
            "(sum(rate(aumos_sli_events_total{MAIL}[{{.window}}])))"
            " - (sum(rate(aumos_sli_good_events_total{MAIL}[{{.window}}])))".replace(
                "MAIL", 'aumos_sli_name="mail.sent",job=~"(.+/)?mail"'
            ),
        ),
    ],
)
def test_counts_become_templates(indicator, bad):
    """Counters, histograms and counted SLIs are written as the errors that sloth asks for."""
    definitions = Definitions(objectives=(replace(SENT, indicator=indicator),))
    (again,) = formats.read(formats.write(definitions, "sloth")).objectives
    assert again.indicator.bad.text == bad


def test_descriptions_find_a_place():
    """Owner, runbook and display name are written in the words that sloth's users have for them."""
    told = replace(SENT, owner="team-mail", runbook="https://runbooks.example", display_name="Mails are sent")
    (again,) = formats.read(formats.write(Definitions(objectives=(told,)), "sloth")).objectives
    assert (again.owner, again.runbook, again.description) == (told.owner, told.runbook, told.display_name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"policy": SRE_WORKBOOK}, "burn_policy: sloth-30d"),
        ({"window": Rolling(86_400)}, "30 days"),
        ({"group_by": ("route",)}, "no group_by"),
        ({"gate": Gate()}, "no gate"),
        ({"indicator": Elsewhere("Datadog", "ask Prometheus")}, "indicator"),
    ],
)
def test_what_sloth_cannot_say_is_a_problem(change, said):
    """What sloth's format has no word for is a problem that names the objective, the field and what would do."""
    with pytest.raises(ObjectiveError, match=said) as caught:
        formats.write(Definitions(objectives=(replace(SENT, **change),)), "sloth")
    assert str(caught.value).startswith("mail/sent: ")
