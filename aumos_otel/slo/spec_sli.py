"""SLIs over spans in our format: one that is built in, a predicate of one's own, or one that several objectives use."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo import library, sli
from aumos_otel.slo.entry import Entry
from aumos_otel.slo.indicator import Spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aumos_otel.slo.objective import Objective
    from aumos_otel.slo.sli import Sli

#: A name under which an SLI is counted.
SLI_NAME: Final = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?")
SLI_NAMES: Final = "letters, digits, dots and dashes"
#: What narrows an SLI that is built in, and says what of it is good.
NARROWING: Final = ("where", "below", "above")


def read_named(holder: Entry) -> Mapping[str, Sli]:
    """The SLIs at ``slis``, by their names."""
    inside = holder.entry("slis")
    found: dict[str, Sli] = {}
    if inside is None:
        return found
    for name in inside.value:
        entry = Entry(inside.value[name], (*inside.path, name), holder.findings)
        if not SLI_NAME.fullmatch(name) or name in library.NAMES:
            expected = f"a name of {SLI_NAMES}, other than those that are built in"
            holder.findings.problem(entry.path, name, expected)
        if "sli" in entry.value:
            predicate = built_in(entry, name)
            entry.done()
        else:
            predicate = inline(entry, name)
        if predicate is not None:
            found[name] = predicate
    return found


def built_in(entry: Entry, name: str) -> Sli | None:
    """The SLI that is built in under the name at ``sli``, counted as ``name``."""
    return library.build(
        entry.get("sli"),
        sli_name=name,
        path=entry.path,
        problems=entry.findings.problems,
        **{key: entry.get(key) for key in NARROWING},
    )


def inline(entry: Entry, name: str) -> Sli | None:
    """The predicate that a mapping writes out; counted as ``name`` unless it says otherwise."""
    found = sli.read(entry.value, entry.path, entry.findings.problems, name=name)
    if found is not None and not SLI_NAME.fullmatch(found.name):
        entry.findings.problem((*entry.path, "name"), found.name, SLI_NAMES)
        return None
    return found


def sli_data(predicate: Sli) -> dict[str, Any]:
    """What `read_named` reads as the SLI, under its name."""
    return {key: value for key, value in predicate.to_data().items() if key != "name"}


def inline_data(predicate: Sli, name: str) -> dict[str, Any]:
    """What `inline` reads as the SLI, for an objective called ``name``."""
    return sli_data(predicate) if predicate.name == name else predicate.to_data()


def shared_slis(objectives: Sequence[Objective]) -> list[Sli]:
    """The SLIs that several of the objectives use: they stand at the top of the document, by names that are free."""
    used = [objective.indicator.sli for objective in objectives if isinstance(objective.indicator, Spans)]
    counts = Counter(predicate.name for predicate in used)
    return list(
        {
            predicate.name: predicate
            for predicate in used
            if counts[predicate.name] > 1 and predicate.name not in library.NAMES
        }.values()
    )
