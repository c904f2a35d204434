"""OpenSLO's indicators: ratios and thresholds of data sources, of which Prometheus can be asked.

A metric source of type ``aumos`` has in its spec what our own format has at ``sli``: what OpenSLO has no word for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, get_args

from aumos_otel.slo import selector
from aumos_otel.slo.entry import Entry, canonical, plain
from aumos_otel.slo.indicator import WINDOW, Elsewhere, Operator, Query, Ratio, RawRatio, Threshold
from aumos_otel.slo.openslo_library import OWN_TYPE
from aumos_otel.slo.spec_indicator import indicator_data, read_indicator

if TYPE_CHECKING:
    from aumos_otel.slo.foreign import Node
    from aumos_otel.slo.indicator import Indicator
    from aumos_otel.slo.openslo_library import Library

#: Types of data sources that speak PromQL, in small letters.
_PROMETHEUS: Final = ("prometheus", "thanos", "cortex", "mimir", "victoriametrics")
#: Where the query of a metric source stands.
_QUERIES: Final = ("query", "promql")
_OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
_NOTHING: Final = Elsewhere("nothing", "name an indicator")
_REMEDY: Final = "ask Prometheus for it: a metric source of type Prometheus with a query in PromQL"

_SUM: Final = re.compile(r"\s*sum\s*\((.*)\)\s*", re.DOTALL)
_RATE: Final = re.compile(r"\b(?:rate|increase)\s*\(")
#: A range of fixed length; strings are matched first so that what looks like one inside them is left alone.
_RANGE: Final = re.compile(
    r"(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)|\[\s*(?P<range>(?:\d+(?:ms|[smhdwy]))+)\s*\]"
)


def read(spec: Node, objective: Node | None, name: str, library: Library) -> Indicator:
    """The indicator of the ``spec`` of an SLI.

    Args:
        spec: the SLI's.
        objective: what a value is compared with; None: the SLI is only checked.
        name: of the objective, which an SLI of its own has as well.
        library: has the data sources.
    """
    spec.text("description")
    kinds = [kind for kind in ("thresholdMetric", "ratioMetric") if kind in spec]
    spec.close("thresholdMetric", "ratioMetric")
    metric = spec.node(kinds[0]) if len(kinds) == 1 else None
    if metric is None:
        spec.findings.problem(spec.path, sorted(spec.value), "exactly one of thresholdMetric and ratioMetric")
        return _NOTHING
    if kinds == ["thresholdMetric"]:
        return _threshold(metric, objective, library)
    if objective is not None:
        for key in ("op", "value"):
            if objective.get(key) is not None:
                objective.remark(key, "this is for a thresholdMetric; beside a ratio it means nothing")
    return _ratio(metric, name, library)


def data(indicator: Indicator, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ``spec`` of an SLI, and what its objective says beside its target."""
    if isinstance(indicator, Threshold):
        said = {"op": indicator.operator, "value": plain(indicator.threshold)}
        return {"thresholdMetric": _prometheus(indicator.query)}, said
    if isinstance(indicator, Ratio) and indicator.bad is None and indicator.good is not None:
        return {"ratioMetric": _counts(indicator.total, "good", indicator.good)}, {}
    if isinstance(indicator, Ratio) and indicator.good is None and indicator.bad is not None:
        return {"ratioMetric": _counts(indicator.total, "bad", indicator.bad)}, {}
    if isinstance(indicator, RawRatio):
        return {"ratioMetric": {"rawType": indicator.kind, "raw": _prometheus(indicator.query.text)}}, {}
    return own_data(indicator, name), {}


def own_data(indicator: Indicator, name: str) -> dict[str, Any]:
    """The ``spec`` of an SLI in our words: OpenSLO sees a ratio of an unknown source."""
    source = {"type": OWN_TYPE, "spec": {"sli": indicator_data(indicator, name, ())}}
    return {"ratioMetric": {"rawType": "success", "raw": {"metricSource": source}}}


def _counts(total: Query, key: str, part: Query) -> dict[str, Any]:
    counter = "gauge" not in (total.form, part.form)
    return {"counter": counter, key: _prometheus(part.text), "total": _prometheus(total.text)}


def _prometheus(query: str) -> dict[str, Any]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


def _threshold(metric: Node, objective: Node | None, library: Library) -> Indicator:
    source = _Source(metric, library)
    operator, value = None, None
    if objective is not None:
        operator = next((known for known in _OPERATORS if known == objective.get("op")), None)
        if operator is None:
            objective.problem("op", f"one of {', '.join(_OPERATORS)}, since the indicator is a thresholdMetric")
        value = objective.number("value")
        if value is None:
            objective.problem("value", "a number, since the indicator is a thresholdMetric")
    text = source.query()
    if text is None:
        return source.elsewhere()
    return _NOTHING if operator is None or value is None else Threshold(text, operator, canonical(value))


def _ratio(metric: Node, name: str, library: Library) -> Indicator:
    counter = metric.flag("counter", default=False)
    kind = metric.choice("rawType", ("success", "failure"), "")
    nodes = {key: node for key in ("good", "bad", "total", "raw") if (node := metric.node(key)) is not None}
    metric.close()
    sources = {key: _Source(node, library) for key, node in nodes.items()}
    if "raw" in sources:
        return _raw(metric, sources, kind, name)
    part = next((key for key in ("good", "bad") if key in sources), None)
    if "total" not in sources or part is None or {"good", "bad"} <= set(sources):
        seen = sorted(metric.value)
        metric.findings.problem(metric.path, seen, "total with one of good and bad, or raw with rawType")
        return _NOTHING
    texts = {key: source.query() for key, source in sources.items()}
    strange = next((sources[key] for key, text in texts.items() if text is None), None)
    if strange is not None:
        return strange.elsewhere()
    queries = {key: _query(sources[key], text, counter=counter) for key, text in texts.items() if text is not None}
    return Ratio(total=queries["total"], good=queries.get("good"), bad=queries.get("bad"))


def _raw(metric: Node, sources: dict[str, _Source], kind: str, name: str) -> Indicator:
    if len(sources) > 1:
        metric.findings.problem(metric.path, sorted(metric.value), "raw alone, without good, bad and total")
    if not kind:
        metric.problem("rawType", "success or failure, since there is a raw ratio")
    raw = sources["raw"]
    if raw.type == OWN_TYPE and raw.spec is not None:
        found = read_indicator(Entry(raw.spec.value, raw.spec.path, metric.findings), name, {})
        return _NOTHING if found is None else found
    text = raw.query()
    if text is None:
        return raw.elsewhere()
    query = Query(text, "template" if WINDOW.search(text) else "gauge")
    return RawRatio(query, "failure" if kind == "failure" else "success")


class _Source:
    """A metric source: what measures, and its own words for what to measure."""

    def __init__(self, metric: Node, library: Library) -> None:
        self.node = metric.node("metricSource", required=True)
        metric.close()
        self.type, self.spec = "", None
        if self.node is None:
            return
        named, reference = self.node.text("type"), self.node.text("metricSourceRef")
        self.spec = self.node.node("spec", required=True)
        self.node.close()
        known = library.spec("DataSource", reference) if reference else None
        if reference and not named and known is None:
            self.node.remark("metricSourceRef", f"no DataSource {reference!r} is in this file")
        self.type = named or (known.text("type") if known else "")
        if not named and not reference:
            self.node.problem("type", "the type of the data source, or a metricSourceRef")
        elif not self.type:
            self.type = f"the data source {reference!r}"

    def query(self) -> str | None:
        """The PromQL; None if it is not Prometheus that measures."""
        if self.spec is None or self.type.lower() not in _PROMETHEUS:
            return None
        key = next((key for key in _QUERIES if key in self.spec), _QUERIES[0])
        for other in self.spec.value:
            if other != key:
                self.spec.remark(other, "only the query is used here; this is kept")
        return self.spec.text(key, required=True)

    def elsewhere(self) -> Elsewhere:
        """The indicator of a source that cannot be asked."""
        if self.node is not None and self.type:
            self.node.remark("type", f"{self.type} cannot be asked from here; the SLO is kept, but cannot be compiled")
        return Elsewhere(self.type or "nothing", _REMEDY)


def _query(source: _Source, text: str, *, counter: bool) -> Query:
    """The query in the form that fits: OpenSLO only says whether it is a counter."""
    if WINDOW.search(text):
        return Query(text, "template")
    ranges = {found["range"] for found in _RANGE.finditer(text) if found["range"]}
    if len(ranges) == 1 and _RATE.search(text):
        _remark(source, f"the range [{ranges.pop()}] is taken for the window over which is counted")
        return Query(_RANGE.sub(lambda found: found["string"] or "[{{.window}}]", text), "template")
    if not counter:
        return Query(text, "gauge")
    inside = _SUM.fullmatch(text)
    series = inside[1].strip() if inside else text
    if selector.parse(series) is not None:
        return Query(series, "counter")
    _remark(source, "counters are best given as a selector of series: a sum hides when one of them begins anew")
    return Query(f"increase(({text})[{{{{.window}}}}:15s])", "template")


def _remark(source: _Source, text: str) -> None:
    if source.node is not None:
        source.node.remark("spec", text)
