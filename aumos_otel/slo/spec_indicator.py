"""Indicators in our format: the name of an SLI, a predicate of one's own, or what to ask Prometheus for."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final, Literal, assert_never, get_args

from aumos_otel.slo import library, quantity
from aumos_otel.slo.entry import Entry, canonical, decimal, plain
from aumos_otel.slo.indicator import (
    WINDOW,
    Composite,
    Counted,
    Elsewhere,
    Gauge,
    Histogram,
    Indicator,
    Operator,
    Query,
    Ratio,
    RawRatio,
    Spans,
    Threshold,
)
from aumos_otel.slo.spec_sli import NARROWING, SLI_NAME, SLI_NAMES, built_in, inline, inline_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aumos_otel.slo.sli import Sli

_OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
_FORMS: Final[tuple[Literal["counter", "template", "gauge"], ...]] = ("counter", "template", "gauge")
_KINDS: Final[dict[Literal["success", "failure"], str]] = {"success": "good", "failure": "bad"}


def read_indicator(slo: Entry, name: str, named: Mapping[str, Sli]) -> Indicator | None:
    """What an entry of ``slos`` measures; None if that cannot be told.

    Args:
        slo: the entry; ``sli``, ``where``, ``below`` and ``above`` are taken from it.
        name: of the objective, which its own SLI has as well.
        named: the SLIs of the file by their names.
    """
    value = slo.get("sli")
    if isinstance(value, str) and value not in named:
        near = difflib.get_close_matches(value, [*named, *library.NAMES], 1)
        if near and near[0] in named and value not in library.NAMES:
            slo.problem("sli", f"the name of an SLI: {near[0]!r}")
            return None
        found = built_in(slo, name)
        return None if found is None else Spans(found)
    for key in NARROWING:
        if slo.get(key) is not None:
            slo.problem(key, "nothing: only an SLI that is built in takes it; write it into the SLI itself")
    if isinstance(value, str):
        return Spans(named[value])
    if not isinstance(value, dict) or not value:
        slo.wrong("sli", "the name of an SLI, or a mapping such as {match: …, good: …}")
        return None
    return _of_mapping(Entry(value, (*slo.path, "sli"), slo.findings), name)


def _of_mapping(entry: Entry, name: str) -> Indicator | None:
    if "match" in entry or "good" in entry:
        predicate = inline(entry, name)
        return None if predicate is None else Spans(predicate)
    kind = entry.one_of(_READERS)
    if kind is None:
        return None
    indicator = _READERS[kind](entry)
    entry.done()
    return indicator


def indicator_data(indicator: Indicator, name: str, named: Sequence[Sli]) -> Any:  # noqa: PLR0911 - one return a kind
    """What `read_indicator` reads as the indicator, for an objective called ``name``, beside SLIs that are ``named``."""
    match indicator:
        case Spans(sli):
            return sli.name if sli in named else inline_data(sli, name)
        case Counted(counted):
            return {"counted": counted}
        case Ratio(total, good, bad):
            parts = {"good": good, "bad": bad, "total": total}
            return {"ratio": {key: _query_data(part) for key, part in parts.items() if part is not None}}
        case RawRatio(query, kind):
            return {"raw_ratio": {_KINDS[kind]: _query_data(query)}}
        case Threshold(text, operator, threshold):
            return {"threshold": text, operator: plain(threshold)}
        case Histogram(series, below, native):
            return {"histogram": series, "below": plain(below)} | ({"native": True} if native else {})
        case Gauge(series):
            return {"gauge": series}
        case Composite(parts):
            return {"composite": {part: plain(weight) for part, weight in parts.items()}}
        case Elsewhere(system, remedy):
            return {"elsewhere": system, "remedy": remedy}
        case _:
            assert_never(indicator)


def _query(holder: Entry, key: str) -> Query | None:
    value = holder.get(key)
    if isinstance(value, str) and value.strip():
        return Query(value, "template" if WINDOW.search(value) else "counter")
    if not isinstance(value, dict):
        holder.wrong(key, "PromQL, or a mapping of its form: {gauge: PromQL}")
        return None
    entry = Entry(value, (*holder.path, key), holder.findings)
    form = entry.one_of(_FORMS)
    text = entry.text(form, required=True) if form else ""
    entry.done()
    return next((Query(text, known) for known in _FORMS if known == form), None) if text else None


def _query_data(query: Query) -> Any:
    usual = "template" if WINDOW.search(query.text) else "counter"
    return query.text if query.form == usual else {query.form: query.text}


def _ratio(entry: Entry) -> Ratio | None:
    inside = entry.entry("ratio")
    if inside is None:
        return None
    counted = inside.one_of(("good", "bad"))
    total = _query(inside, "total")
    part = _query(inside, counted) if counted else None
    inside.done()
    if total is None or part is None:
        return None
    return Ratio(total, good=part) if counted == "good" else Ratio(total, bad=part)


def _raw_ratio(entry: Entry) -> RawRatio | None:
    inside = entry.entry("raw_ratio")
    if inside is None:
        return None
    counted = inside.one_of(_KINDS.values())
    query = _query(inside, counted) if counted else None
    inside.done()
    return None if query is None else RawRatio(query, "success" if counted == "good" else "failure")


def _threshold(entry: Entry) -> Threshold | None:
    query = entry.text("threshold", required=True)
    operator = entry.one_of(_OPERATORS)
    limit = entry.decimal(operator) if operator else None
    known = next((known for known in _OPERATORS if known == operator), None)
    return Threshold(query, known, limit) if query and known and limit is not None else None


def _histogram(entry: Entry) -> Histogram | None:
    series = entry.text("histogram", required=True)
    native = entry.flag("native", default=False)
    value = entry.get("below")
    below = decimal(value)
    if below is None:
        try:
            below = canonical(quantity.seconds(value))
        except ValueError:
            entry.wrong("below", "a duration such as 300ms, or a number in the histogram's unit")
            return None
    return Histogram(series, below, native) if series else None


def _composite(entry: Entry) -> Composite | None:
    inside = entry.entry("composite")
    if inside is None:
        return None
    weights = {part: inside.decimal(part) for part in inside.value}
    for part, weight in weights.items():
        if weight is not None and weight <= 0:
            inside.problem(part, "a weight above 0")
    if not weights:
        entry.problem("composite", "objectives of the service, each with its weight")
    whole = {part: weight for part, weight in weights.items() if weight is not None}
    return Composite(whole) if whole else None


def _counted(entry: Entry) -> Counted:
    return Counted(entry.word("counted", SLI_NAME, SLI_NAMES))


def _gauge(entry: Entry) -> Gauge:
    return Gauge(entry.text("gauge", required=True))


def _elsewhere(entry: Entry) -> Elsewhere:
    return Elsewhere(entry.text("elsewhere", required=True), entry.text("remedy"))


_READERS: Final[dict[str, Callable[[Entry], Indicator | None]]] = {
    "ratio": _ratio,
    "raw_ratio": _raw_ratio,
    "threshold": _threshold,
    "histogram": _histogram,
    "gauge": _gauge,
    "composite": _composite,
    "counted": _counted,
    "elsewhere": _elsewhere,
}
