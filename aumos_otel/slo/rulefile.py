"""Everything that objectives compile to, as Prometheus, its operator and the rulers read it.

The same objectives always give the same text: sorted, and nothing in it that depends on when or where.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal

import yaml

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import alerts, quantity, sloth_names
from aumos_otel.slo.rules import OWNER, SLOWER, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aumos_otel.slo.objective import Definitions, Objective
    from aumos_otel.slo.rules import Rule

#: A rule group as Prometheus reads it: ``name``, ``interval``, ``rules``.
Group = dict[str, Any]
Names = Literal["aumos", "sloth"]

_API_VERSION: Final = "monitoring.coreos.com/v1"
_DIGITS: Final = 8
#: Of the groups of one objective: its levels, its budget, sloth's series.
_SUFFIXES: Final = ("", "-budget", "-sloth")
#: What YAML takes for the end of a line, although no file of ours ends one so.
_BREAKS: Final = frozenset("\x85\u2028\u2029")


def groups(
    definitions: Definitions, owner: str = OWNER, names: Names = "aumos", largest: int | None = None
) -> list[Group]:
    """The rule groups of all objectives, by service and name; three at most of each.

    ``names="sloth"`` adds sloth's series and labels to ours.  A group of more than ``largest`` rules, which some
    rulers refuse, becomes several: their order is kept, but what one reads from another may be an interval old.

    Raises:
        ObjectiveError: some of them cannot be compiled; it names them all.
    """
    written: list[Group] = []
    problems: list[object] = []
    objectives = sorted(definitions.objectives, key=lambda objective: (objective.service, objective.name))
    for identity, count in Counter((objective.service, objective.name) for objective in objectives).items():
        if count > 1:
            problems.append(f"{'/'.join(identity)}: got {count} objectives of that name, expected one")
    taken = Counter(_name(objective) + suffix for objective in objectives for suffix in _SUFFIXES)
    for objective in objectives:
        name = _name(objective)
        if any(taken[name + suffix] > 1 for suffix in _SUFFIXES):  # service a-b with c, and service a with b-c
            name += "-" + hashlib.sha256(f"{objective.service}\0{objective.name}".encode()).hexdigest()[:_DIGITS]
        try:
            written += _of_objective(Recorder(objective, definitions, owner), name, names)
        except ObjectiveError as error:
            problems += error.problems
    if problems:
        raise ObjectiveError("objectives", problems)
    return [part for group in written for part in _parts(group, largest)]


def rule_file(groups: Sequence[Group]) -> str:
    """A rule file of Prometheus."""
    return dump({"groups": list(groups)})


def resource(groups: Sequence[Group], name: str, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """A ``PrometheusRule`` of the Prometheus operator as plain data; ``labels`` must match its ``ruleSelector``."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = dict(sorted(labels.items()))
    return {
        "apiVersion": _API_VERSION,
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": {"groups": list(groups)},
    }


def prometheus_rule(groups: Sequence[Group], name: str, namespace: str, labels: Mapping[str, str]) -> str:
    """The same, as a manifest."""
    return dump(resource(groups, name, namespace, labels))


def dump(data: object) -> str:
    """YAML in the order of the data, in which each rule can be read, and compared line by line."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000)


def _name(objective: Objective) -> str:
    return f"aumos-slo-{objective.service}-{objective.name}"


def _of_objective(recorder: Recorder, name: str, names: Names) -> Iterator[Group]:
    """The levels with the alerts that read them; the budget, which may be older; sloth's series."""
    interval = recorder.definitions.prometheus.interval
    more = sloth_names.alert_labels(recorder) if names == "sloth" else {}
    yield _group(name, interval, [*recorder.levels(), *alerts.burning(recorder, more), *alerts.broken(recorder)])
    yield _group(f"{name}-budget", max(SLOWER, interval), [*recorder.budget(), *alerts.stale(recorder)])
    if names == "sloth":
        yield _group(f"{name}-sloth", interval, sloth_names.rules(recorder))


def _group(name: str, interval: int, rules: list[Rule]) -> Group:
    return {"name": name, "interval": quantity.duration_text(interval), "rules": rules}


def _parts(group: Group, largest: int | None) -> Iterator[Group]:
    rules = group["rules"]
    size = largest or len(rules)
    for number, begin in enumerate(range(0, len(rules), size), start=1):
        name = group["name"] if number == 1 else f"{group['name']}.{number}"  # no objective has a dot in its name
        yield {**group, "name": name, "rules": rules[begin : begin + size]}


class _Dumper(yaml.SafeDumper):
    """Never refers from one place to another, and keeps the lines of a text."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _BREAKS.intersection(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
