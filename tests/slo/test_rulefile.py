from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import promql_parser
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slo import definitions as drawn

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import policy, rulefile
from aumos_otel.slo.indicator import Composite, Counted, Elsewhere, Histogram, Query, Ratio
from aumos_otel.slo.objective import Definitions, Gate, Objective
from aumos_otel.slo.window import Calendar, Timeslices

GOLDEN = Path(__file__).parent.parent / "contract" / "formats" / "rules"
AVAILABLE = Objective(
    name="chat-available",
    service="chat-api",
    target=Decimal("0.999"),
    indicator=Counted("http.availability"),
    policy=policy.AUMOS_SEED,
    owner="team-assistant",
    runbook="https://runbooks.example/chat",
    description="Chat answers",
    gate=Gate(2, Decimal("0.95")),
)
FAST = Objective(
    name="fast",
    service="chat-api",
    target=Decimal("0.95"),
    indicator=Histogram('latency_seconds{job="chat"}', Decimal(2)),
    policy=policy.parse("ticket: 1h>=2"),
    window=Calendar("month"),
    budgeting=Timeslices(300, Decimal("0.9")),
    group_by=("route",),
    labels={"tier": "1"},
)


def test_compiled_rules_are_those_that_are_written_down():
    """The form is a contract: what a file of objectives compiles to changes only on purpose."""
    whole = Definitions(objectives=(FAST, AVAILABLE))
    resource = rulefile.prometheus_rule(
        rulefile.groups(replace(whole, objectives=(FAST,)), "me", "sloth"),
        "slo-chat",
        "monitoring",
        {"b": "2", "a": "1"},
    )
    for name, text in (("chat-api.yaml", rulefile.rule_file(rulefile.groups(whole))), ("resource.yaml", resource)):
        assert (GOLDEN / name).read_text(encoding="utf-8") == text


def test_the_order_of_the_objectives_does_not_matter():
    """By service and name, level by level."""
    other = replace(AVAILABLE, service="a-service")
    forwards, backwards = (
        rulefile.groups(Definitions(objectives=found)) for found in ((AVAILABLE, FAST, other), (other, FAST, AVAILABLE))
    )
    assert forwards == backwards
    assert [group["name"] for group in forwards] == [
        "aumos-slo-a-service-chat-available",
        "aumos-slo-a-service-chat-available-budget",
        "aumos-slo-chat-api-chat-available",
        "aumos-slo-chat-api-chat-available-budget",
        "aumos-slo-chat-api-fast",
        "aumos-slo-chat-api-fast-budget",
    ]
    assert [group["interval"] for group in forwards[:2]] == ["1m", "5m"]


def test_names_that_run_together_are_told_apart():
    """Service a-b with c, and service a with b-c, are two groups."""
    pair = (replace(AVAILABLE, service="a-b", name="c"), replace(AVAILABLE, service="a", name="b-c"))
    names = [group["name"] for group in rulefile.groups(Definitions(objectives=pair))]
    assert len(set(names)) == 4
    assert all(name.startswith("aumos-slo-a-b-c-") for name in names)
    suffixed = (replace(AVAILABLE, name="x"), replace(AVAILABLE, name="x-budget"))
    names = [group["name"] for group in rulefile.groups(Definitions(objectives=suffixed))]
    assert len(set(names)) == 4


def test_all_that_cannot_be_compiled_is_told_at_once():
    """Each objective with its own reason, and none is compiled."""
    wrong = (
        replace(AVAILABLE, name="a", indicator=Elsewhere("Datadog", "ask Prometheus")),
        replace(AVAILABLE, name="b", indicator=Composite({"c": Decimal(1)})),
        FAST,
        replace(FAST, target=Decimal("0.5")),
    )
    with pytest.raises(ObjectiveError) as raised:
        rulefile.groups(Definitions(objectives=wrong))
    assert len(raised.value.problems) == 3
    assert "chat-api/fast: got 2 objectives of that name, expected one" in str(raised.value)
    assert "chat-api/a: sli: got 'Datadog'" in str(raised.value)
    assert "chat-api/b: sli: got 'c'" in str(raised.value)


def test_groups_can_be_kept_small():
    """A ruler that takes twenty rules a group gets them in order, twenty at a time."""
    whole = Definitions(objectives=(AVAILABLE, replace(AVAILABLE, name="other", policy=policy.SLOTH_30D)))
    parts, groups = (rulefile.groups(whole, largest=largest) for largest in (20, None))
    assert max(len(group["rules"]) for group in parts) <= 20 < max(len(group["rules"]) for group in groups)
    assert [rule for group in parts for rule in group["rules"]] == [rule for group in groups for rule in group["rules"]]
    assert len({group["name"] for group in parts}) == len(parts)


def test_sloths_names_come_beside_ours():
    """With its labels on the alerts, for routes and silences that know them."""
    ours, both = (rulefile.groups(Definitions(objectives=(AVAILABLE,)), names=names) for names in ("aumos", "sloth"))
    assert [group["name"] for group in both] == [*(group["name"] for group in ours), f"{ours[0]['name']}-sloth"]
    (page,) = [rule for rule in both[0]["rules"] if rule.get("alert") == "SLOErrorBudgetBurn"]
    assert page["labels"]["sloth_severity"] == "page"
    assert page["labels"]["sloth_id"] == "chat-api-chat-available"


def test_a_label_changes_no_version_and_a_target_does():
    """What is recorded goes on under another owner or text; under another target it begins anew."""

    def exprs(objective):
        return [
            rule["expr"] for group in rulefile.groups(Definitions(objectives=(objective,))) for rule in group["rules"]
        ]

    assert exprs(AVAILABLE) == exprs(replace(AVAILABLE, owner="b", description="c", labels={"d": "e"}))
    changed = replace(AVAILABLE, target=Decimal("0.998"))
    assert not set(exprs(AVAILABLE)) & {expr for expr in exprs(changed) if "aumos_slo:" in expr}


def test_text_is_read_back_as_it_was():
    """Whatever YAML would take it for; lines of an expression stay lines, and long ones are not broken."""
    data = {"a": ["no", "1:30", "010", "x\ny", " x", "\x85", "é", "a" * 300, "{{ $x }}", ""], "b": {"c": 1}}
    text = rulefile.dump(data)
    assert yaml.safe_load(text) == data
    assert "é" in text
    assert "a" * 300 in text
    shared = {"x": 1}
    assert "&" not in rulefile.dump([shared, shared])


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(drawn.definitions(), st.sampled_from(["aumos", "sloth"]))
def test_whatever_can_be_defined_compiles_or_is_refused_by_name(definitions, names):
    """Any definitions give rules that are owned, unique and read back as they are, or one error with all reasons."""
    try:
        groups = rulefile.groups(definitions, "me", names)
    except ObjectiveError:
        return
    assert yaml.safe_load(rulefile.rule_file(groups)) == {"groups": groups}
    assert len({group["name"] for group in groups}) == len(groups)
    for group in groups:
        recorded = [
            (rule.get("record"), tuple(sorted(rule["labels"].items()))) for rule in group["rules"] if "record" in rule
        ]
        assert len(set(recorded)) == len(recorded)
        for rule in group["rules"]:
            assert rule["labels"]["aumos_owner"] == "me"
            assert all(isinstance(value, str) and isinstance(key, str) for key, value in rule["labels"].items())


@given(st.data())
def test_what_is_derived_from_level_0_is_promql(data):
    """Each window, policy, gate and time zone gives expressions that parse, whatever the names."""
    objective = data.draw(drawn.objectives)
    objective = replace(objective, indicator=Ratio(Query("hits"), bad=Query('fails{a="b"}')), group_by=("route",))
    for group in rulefile.groups(Definitions(objectives=(objective,)), names="sloth"):
        for rule in group["rules"]:
            promql_parser.parse(rule["expr"])
