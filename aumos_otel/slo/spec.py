"""Our own format of objectives, ``aumos/v1``: read with all its problems at once, and written without loss.

A file has one document a service, or several.  docs/reference/slo-yaml.md tells every key.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import document, quantity
from aumos_otel.slo.entry import Entry, data_of
from aumos_otel.slo.foreign import Findings
from aumos_otel.slo.indicator import Composite, Spans
from aumos_otel.slo.objective import Definitions, Prometheus
from aumos_otel.slo.problem import Problem
from aumos_otel.slo.spec_objective import (
    objective_data,
    read_defaults,
    read_objective,
    shared_data,
)
from aumos_otel.slo.spec_policy import read_policy
from aumos_otel.slo.spec_sli import read_named, shared_slis, sli_data

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from aumos_otel.slo.document import Documents
    from aumos_otel.slo.objective import Objective
    from aumos_otel.slo.policy import Policy
    from aumos_otel.slo.problem import Path
    from aumos_otel.slo.sli import Sli
    from aumos_otel.slo.spec_policy import Read

VERSION: Final = "aumos/v1"


def parse(text: str | bytes, source: str = "slo.yaml", read: Read | None = None) -> Definitions:
    """What a file defines.

    Args:
        text: of the file, YAML or JSON.
        source: its name, for messages.
        read: gives the text of a policy file that it names; None: it may name none.

    Raises:
        ObjectiveError: it cannot be used; the error has every problem of it.

    >>> from aumos_otel.slo import spec
    >>> text = '{"version": "aumos/v1", "service": "chat", "slos": [{"name": "up", "target": "99%", "sli": {"gauge": "up"}}]}'
    >>> spec.parse(text).objectives[0].target
    Decimal('0.99')
    """
    return from_data(document.load(text, source), read)


def write(definitions: Definitions) -> str:
    """The file that `parse` reads as the same definitions."""
    return document.write(to_data(definitions))


def from_data(documents: Documents, read: Read | None = None) -> Definitions:
    """What documents define; `parse` says the rest."""
    reading = _Reading(documents, read)
    definitions = reading.definitions()
    problems = reading.problems()
    if problems:
        raise ObjectiveError(documents.source, problems)
    return definitions


def to_data(definitions: Definitions) -> list[dict[str, Any]]:
    """The documents that `from_data` reads as the same definitions: one for each run of objectives of a service."""
    runs = [list(run) for _, run in groupby(definitions.objectives, lambda objective: objective.service)]
    first, *others = runs or [[]]
    return [
        _document(first, definitions.prometheus, definitions.foreign),
        *(_document(run, Prometheus(), {}) for run in others),
    ]


class _Reading:
    def __init__(self, documents: Documents, read: Read | None) -> None:
        self._documents = documents
        self._read = read
        self._findings = Findings()
        self._elsewhere: list[object] = []
        self._found: list[tuple[Path, Objective]] = []
        self._common: dict[str, tuple[Path, Any]] = {}
        #: Services and names of objectives, of those too that have problems.
        self._names: set[tuple[str, object]] = set()

    def problems(self) -> list[object]:
        own = sorted(map(self._documents.locate, self._findings.problems), key=lambda problem: problem.line)
        return [*own, *self._elsewhere]

    def definitions(self) -> Definitions:
        if not self._documents.data:
            self._findings.problem((), "nothing", f"a document with version: {VERSION}")
        for index, data in enumerate(self._documents.data):
            self._document(Entry(data, (index,), self._findings))
        self._findings.problems.extend(_conflicts(self._found, self._names))
        return Definitions(
            objectives=tuple(objective for _, objective in self._found),
            prometheus=self._common.get("prometheus", ((), Prometheus()))[1],
            foreign=self._common.get("foreign", ((), {}))[1],
        )

    def _document(self, entry: Entry) -> None:
        if not entry.value:
            return
        if entry.get("version") != VERSION:
            entry.wrong("version", VERSION)
        defaults = read_defaults(entry, self._policy)
        named = read_named(entry)
        if (prometheus := entry.entry("prometheus")) is not None:
            self._once("prometheus", prometheus.path, _prometheus(prometheus))
        if (foreign := entry.entry("foreign")) is not None:
            self._once("foreign", foreign.path, foreign.value)
        slos = entry.entries("slos")
        if "slos" not in entry:
            entry.wrong("slos", "a list of objectives")
        entry.done()
        for slo in slos:
            self._names.add((defaults.service, slo.text("name")))
            objective = read_objective(slo, defaults, named, self._policy)
            if objective is not None:
                placed = replace(objective, line=self._documents.line(slo.path))
                self._found.append((slo.path, placed))

    def _policy(self, holder: Entry) -> Policy | None:
        return read_policy(holder, self._read, self._elsewhere)

    def _once(self, key: str, path: Path, value: object) -> None:
        known = self._common.setdefault(key, (path, value))
        if known[1] != value:
            line = self._documents.line(known[0])
            self._findings.problem(path, value, f"the same as in line {line}: it is about the whole file")


def _conflicts(found: Sequence[tuple[Path, Objective]], mentioned: Collection[tuple[str, object]]) -> Iterator[Problem]:
    """Names that are given twice or not at all."""
    names: dict[tuple[str, str], Objective] = {}
    slis: dict[tuple[str, str], Sli] = {}
    for path, objective in found:
        key = (objective.service, objective.name)
        if key in names:
            expected = f"a name that no other SLO of {objective.service!r} has, but line {names[key].line} has it"
            yield Problem((*path, "name"), objective.name, expected)
        names.setdefault(key, objective)
        if isinstance(objective.indicator, Spans):
            sli = objective.indicator.sli
            if slis.setdefault((objective.service, sli.name), sli) != sli:
                yield Problem((*path, "sli"), sli.name, "another name: an SLI that means something else has this one")
    for path, objective in found:
        if isinstance(objective.indicator, Composite):
            for part in objective.indicator.parts:
                place = (*path, "sli", "composite", part)
                if (objective.service, part) not in mentioned:
                    yield Problem(place, part, f"the name of an SLO of {objective.service!r}")
                elif _reaches(part, objective.name, objective.service, names):
                    yield Problem(place, part, f"a part that {objective.name!r} is not a part of itself")


def _reaches(start: str, goal: str, service: str, names: Mapping[tuple[str, str], Objective]) -> bool:
    """Whether the objective ``goal`` is ``start``, or one of its parts, or one of theirs."""
    ahead, seen = [start], {start}
    while ahead:
        name = ahead.pop()
        if name == goal:
            return True
        objective = names.get((service, name))
        parts = objective.indicator.parts if objective and isinstance(objective.indicator, Composite) else {}
        ahead.extend(part for part in parts if part not in seen)
        seen.update(parts)
    return False


def _prometheus(entry: Entry) -> Prometheus:
    usual = Prometheus()
    found = Prometheus(
        scrape_interval=entry.span("scrape_interval") or usual.scrape_interval,
        interval=entry.span("interval") or usual.interval,
        retention=entry.span("retention"),
        matchers=entry.labels("matchers"),
    )
    entry.done()
    return found


def _prometheus_data(prometheus: Prometheus) -> dict[str, Any]:
    usual, text = Prometheus(), quantity.duration_text
    scraped, evaluated, kept = prometheus.scrape_interval, prometheus.interval, prometheus.retention
    return data_of(
        scrape_interval=None if scraped == usual.scrape_interval else text(scraped),
        interval=None if evaluated == usual.interval else text(evaluated),
        retention=None if kept is None else text(kept),
        matchers=dict(prometheus.matchers),
    )


def _document(run: Sequence[Objective], prometheus: Prometheus, foreign: Mapping[str, Any]) -> dict[str, Any]:
    """One document: what its objectives have in common stands at its top."""
    shared, named = shared_data(run), shared_slis(run)
    head = data_of(
        version=VERSION,
        **shared,
        prometheus=_prometheus_data(prometheus),
        slis={sli.name: sli_data(sli) for sli in named},
    )
    slos = [objective_data(objective, shared, named) for objective in run]
    return head | {"slos": slos} | data_of(foreign=dict(foreign))
