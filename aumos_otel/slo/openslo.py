"""OpenSLO v1, in and out: every kind of document is checked, those of kind SLO become objectives.

Documents that define no objective are kept in ``Definitions.foreign``, each with the number of objectives before it.
What OpenSLO has no word for stands in an annotation, and in metric and data sources of type ``aumos``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import document, foreign, openslo_alert, openslo_library, openslo_sli, openslo_slo, spec
from aumos_otel.slo.document import Documents
from aumos_otel.slo.foreign import Findings, Node
from aumos_otel.slo.objective import Definitions
from aumos_otel.slo.openslo_library import API_VERSION, FORMAT, KINDS, OWN_TYPE, Library
from aumos_otel.slo.openslo_words import completed, express, whole_data, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aumos_otel.slo.foreign import Names
    from aumos_otel.slo.objective import Objective

#: The keys of what is kept of a document that defines no objective.
_PLACED: Final = {"before", "document"}


def definitions(documents: Sequence[Node], findings: Findings) -> Definitions:
    """What documents of OpenSLO define."""
    library, names = Library(documents), foreign.Names(findings)
    objectives: list[Objective] = []
    kept: list[dict[str, Any]] = []
    whole = Definitions(objectives=())
    for one in documents:
        if one.value.get("apiVersion") != API_VERSION:
            one.problem("apiVersion", f"{API_VERSION}; no other version is read")
        elif one.choice("kind", KINDS, "") == "SLO":
            objectives += _slo(one, library, names)
        elif "kind" not in one:
            one.problem("kind", "one of " + ", ".join(KINDS))
        else:
            _check(one, library)
            about = _about_whole(one)
            whole = about or whole
            if about is None:
                kept.append({"before": len(objectives), "document": dict(one.value)})
    return Definitions(
        objectives=tuple(objectives),
        prometheus=whole.prometheus,
        foreign={**whole.foreign, **({FORMAT: kept} if kept else {})},
    )


def _slo(one: Node, library: Library, names: Names) -> list[Objective]:
    """The objectives of a document of kind SLO; one that is composite comes after its parts.

    Each remembers the document, unless it would be written just so.
    """
    found = openslo_slo.read(one, library, names)
    if len(found) == 1 and express(found[0]) == one.value:
        return found
    return [replace(objective, foreign={**objective.foreign, FORMAT: dict(one.value)}) for objective in found]


def write(definitions: Definitions) -> str:
    """YAML of OpenSLO that reads as the same definitions; documents that were read come back as they were."""
    return document.write(documents(definitions))


def documents(definitions: Definitions) -> list[dict[str, Any]]:
    """The documents of `write` as plain data."""
    kept = [(one["before"], one["document"]) for one in foreign.kept(definitions, FORMAT) if one.keys() >= _PLACED]
    library = Library([Node(one, (), Findings()) for _, one in kept])
    placed: list[tuple[int, dict[str, Any]]] = []
    count = 0
    for original, run in foreign.runs(definitions.objectives, FORMAT):
        placed += [(count, one) for one in _run(original, run, library)]
        count += len(run)
    others = {name: value for name, value in definitions.foreign.items() if name != FORMAT}
    about = Definitions(objectives=(), prometheus=definitions.prometheus, foreign=others)
    whole = [] if about == Definitions(objectives=()) else [whole_data(about)]
    # Sorting keeps the order of what has the same place: a document that stood before an SLO stays before it.
    return [*whole, *(one for _, one in sorted([*kept, *placed], key=lambda pair: pair[0]))]


def _check(one: Node, library: Library) -> None:
    """Note what is wrong in a document that is no SLO."""
    openslo_library.metadata(one)
    kind = one.get("kind")
    if kind == "AlertPolicy":
        openslo_alert.check_policy(one, library)
    elif kind == "AlertCondition":
        openslo_alert.check_condition(one)
    elif kind == "AlertNotificationTarget":
        openslo_alert.check_target(one)
    elif (inside := one.node("spec", required=kind != "Service")) is not None:
        if kind == "SLI":
            openslo_sli.read(inside, None, "sli", library)
        else:
            _check_described(inside, kind)
    one.close("apiVersion")


def _check_described(inside: Node, kind: str) -> None:
    """Note what is wrong in the ``spec`` of a service or a data source."""
    inside.text("description")
    if kind == "DataSource":
        inside.text("type", required=True)
        inside.close("connectionDetails")
    else:
        inside.close()


def _about_whole(one: Node) -> Definitions | None:
    """What a data source of our own type says about the whole file; None if the document is no such."""
    inside = one.value.get("spec")
    if not isinstance(inside, dict) or inside.get("type") != OWN_TYPE:
        return None
    details = inside.get("connectionDetails")
    path = (*one.path, "spec", "connectionDetails")
    if not isinstance(details, dict):
        one.findings.problem(path, details, "a mapping, as it was written here")
        return None
    data = {"version": spec.VERSION, "slos": [], **details}
    try:
        found = spec.from_data(Documents("connectionDetails", (data,), {}))
    except ObjectiveError as error:
        one.findings.problem(path, details, f"what was written here: {error}")
        return None
    return found if whole_data(found) == one.value else None


def _run(original: dict[str, Any] | None, run: Sequence[Objective], library: Library) -> list[dict[str, Any]]:
    """The documents for objectives that were read from one."""
    if original is None:
        return [express(objective) for objective in run]
    read = openslo_slo.read(Node(original, (), Findings()), library, foreign.Names(Findings()))
    if not foreign.differences(run, read):
        return [original]
    found = []
    for objective in run:
        anew = express(objective)
        changed = foreign.merged(original, words(objective)) if len(run) == 1 else anew
        changed = completed(changed, objective, library)
        again = openslo_slo.read(Node(changed, (), findings := Findings()), library, foreign.Names(findings))
        right = not findings.problems and not foreign.differences([objective], again)
        found.append(changed if right else anew)
    return found
