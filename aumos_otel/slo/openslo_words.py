"""Objectives in the words of OpenSLO v1, without loss.

The document is read, and what that misses of the objective goes into an annotation.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aumos_otel.slo import foreign, openslo_sli, openslo_slo, openslo_window, spec
from aumos_otel.slo.entry import data_of
from aumos_otel.slo.foreign import Findings, Node
from aumos_otel.slo.openslo_library import API_VERSION, FORMAT, OWN_TYPE, Library
from aumos_otel.slo.spec_objective import objective_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.slo.objective import Definitions, Objective


def express(objective: Objective) -> dict[str, Any]:
    """The document that reads as the objective."""
    return completed(words(objective), objective, Library(()))


def whole_data(about: Definitions) -> dict[str, Any]:
    """The document that says what no objective says: a data source, since that may have anything in it."""
    data = spec.to_data(about)[0]
    details = {key: value for key, value in data.items() if key not in ("version", "slos")}
    return {
        "apiVersion": API_VERSION,
        "kind": "DataSource",
        "metadata": {"name": OWN_TYPE},
        "spec": {"type": OWN_TYPE, "connectionDetails": details},
    }


def words(objective: Objective) -> dict[str, Any]:
    """What OpenSLO has words for."""
    indicator, compared = openslo_sli.data(objective.indicator, objective.name)
    method, slices = openslo_window.budgeting_data(objective.budgeting)
    target = float(objective.target)
    inside = data_of(
        description=objective.description,
        service=objective.service,
        indicator={"metadata": {"name": objective.name}, "spec": indicator},
        timeWindow=openslo_window.data(objective.window),
        budgetingMethod=method,
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "SLO",
        "metadata": data_of(
            name=objective.name,
            displayName=objective.display_name,
            labels=dict(objective.labels),
            annotations=dict(objective.annotations),
        ),
        "spec": {**inside, "objectives": [{**compared, "target": target if 0 < target < 1 else 0.5, **slices}]},
    }


def completed(document: dict[str, Any], objective: Objective, library: Library) -> dict[str, Any]:
    """The document with an annotation of what reading it misses of the objective."""
    read = _read(document, library)
    if read is None or read.indicator != objective.indicator:
        document = _in_our_words(document, objective)
        read = _read(document, library)
    wanted = objective_data(_bare(objective), {}, ())
    said = {} if read is None else objective_data(_bare(read), {}, ())
    rest = {key: value for key, value in wanted.items() if said.get(key) != value}
    rest |= dict.fromkeys(key for key in said if key not in wanted)
    if not rest:
        return document
    metadata = document["metadata"]
    annotations = {
        **metadata.get("annotations", {}),
        openslo_slo.REST: json.dumps(rest, ensure_ascii=False, sort_keys=True),
    }
    return {**document, "metadata": {**metadata, "annotations": annotations}}


def _in_our_words(document: dict[str, Any], objective: Objective) -> dict[str, Any]:
    """The document with its indicator as a source of our own."""
    sli = {"metadata": {"name": objective.name}, "spec": openslo_sli.own_data(objective.indicator, objective.name)}
    targets = [
        {key: value for key, value in target.items() if key not in ("op", "value")}
        for target in document["spec"]["objectives"]
    ]
    return {**document, "spec": {**document["spec"], "indicator": sli, "objectives": targets}}


def _read(document: Mapping[str, Any], library: Library) -> Objective | None:
    findings = Findings()
    found = openslo_slo.read(Node(document, (), findings), library, foreign.Names(findings))
    return found[0] if len(found) == 1 and not findings.problems else None


def _bare(objective: Objective) -> Objective:
    """The objective without the document of OpenSLO that it was read from."""
    kept = {name: value for name, value in objective.foreign.items() if name != FORMAT}
    return replace(objective, foreign=kept)
