"""What an objective counted, from a file: CSV, JSON lines, or OpenMetrics text as ``promtool`` reads and writes it.

In OpenMetrics text either the increments that the compiled rules record are looked for, or the counters of the SLI.
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Final

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from aumos_otel.errors import SourceError
from aumos_otel.semconv import attributes, metrics, rules
from aumos_otel.slo import promql
from aumos_otel.slo.history import History
from aumos_otel.slo.indicator import Counted, Spans
from aumos_otel.slo.slices import MINUTE, weighed
from aumos_otel.sources import lines, local

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from aumos_otel.slo.incident import Incident
    from aumos_otel.slo.objective import Objective
    from aumos_otel.sources import Group

#: With this last line, text is OpenMetrics.
_ENDING: Final = "# EOF"
#: A year in steps of ten seconds has fewer; with more, the times of the file are not what they seem.
_MOST_STEPS: Final = 5_000_000
_VERSION: Final = promql.label(attributes.AUMOS_SLO_VERSION)

#: Time and value by labels.
_Series = dict[tuple[tuple[str, str], ...], dict[float, float]]


class File:
    """One file of counts; it is read whole, and at once.

    Raises:
        SourceError: it cannot be read as any of the formats, or has nothing in it.
    """

    def __init__(self, path: Path) -> None:
        self.notes: list[str] = []
        self._path = path
        text = _read(path)
        self._samples: list[tuple[float, float, float]] = []
        self._metrics: dict[str, _Series] = {}
        if text.rstrip().endswith(_ENDING):
            self._metrics = self._openmetrics(text)
        else:
            self._samples = lines.samples(text, str(path))
        times = [at for at, _, _ in self._samples]
        times += [at for metric in self._metrics.values() for column in metric.values() for at in column]
        if not times:
            raise _error(
                path, "no sample with a time", f"time, good and total, or OpenMetrics that ends with {_ENDING}"
            )
        self._last = max(times)

    def now(self) -> float:
        """The time of the last sample."""
        return self._last

    def histories(self, objective: Objective, start: float, end: float) -> dict[Group, History]:
        """What the objective counted in (``start``, ``end``]; lines without labels are of whatever it is about."""
        if self._metrics:
            known = self._recorded(objective, start, end) or self._counted(objective, start, end)
            return known or {(): History(MINUTE, math.inf)}
        found = [sample for sample in self._samples if start < sample[0] <= end]
        step = self._step(at for at, _, _ in found)
        return {(): weighed(History.of(found, step=step), objective.budgeting)}

    def _recorded(self, objective: Objective, start: float, end: float) -> dict[Group, History]:
        """The increments a minute that rules recorded; of the objective's version where there are several."""
        wanted = {
            promql.label(attributes.AUMOS_SLO_SERVICE): objective.service,
            promql.label(attributes.AUMOS_SLO_NAME): objective.name,
        }
        good, total = (
            self._series(f"{metric}1m", wanted)
            for metric in (rules.AUMOS_SLO_GOOD_INCREASE, rules.AUMOS_SLO_TOTAL_INCREASE)
        )
        versions = {dict(labels).get(_VERSION) for labels in total}
        histories = {}
        for labels, column in total.items():
            if len(versions) == 1 or dict(labels).get(_VERSION) == objective.version:
                step, fine = self._step(column), good.get(labels, {})
                weight = step / MINUTE
                group = _group(objective, dict(labels))
                if group in histories:
                    raise _error(self._path, dict(labels), f"one series of {objective.service}/{objective.name}")
                histories[group] = History.of(
                    (
                        (at, fine[at] * weight, value * weight)
                        for at, value in column.items()
                        if at in fine and start < at <= end
                    ),
                    step=step,
                )
        return histories

    def _counted(self, objective: Objective, start: float, end: float) -> dict[Group, History]:
        """From the counters of the SLI, whatever job or instance they are of."""
        indicator = objective.indicator
        if not isinstance(indicator, Spans | Counted):
            return {}
        name = indicator.sli.name if isinstance(indicator, Spans) else indicator.name
        points: dict[Group, tuple[list[local.Point], list[local.Point]]] = defaultdict(lambda: ([], []))
        for position, metric in enumerate((metrics.AUMOS_SLI_EVENTS, metrics.AUMOS_SLI_GOOD_EVENTS)):
            wanted = {promql.label(attributes.AUMOS_SLI_NAME): name}
            for labels, column in self._series(f"{metric.name.replace('.', '_')}_total", wanted).items():
                points[_group(objective, dict(labels))][position].extend(
                    local.Point(labels, at, 0.0, value) for at, value in column.items()
                )
        histories = {}
        for group, (events, good) in points.items():
            step = self._step({point.at for point in events})
            whole = weighed(local.history(events, good, step=step), objective.budgeting)
            histories[group] = History.of((sample for sample in whole if start < sample.at <= end), step=step)
        return histories

    def _series(self, metric: str, wanted: Mapping[str, str]) -> _Series:
        """The series of a metric that have the labels."""
        return {
            labels: column
            for labels, column in self._metrics.get(metric, {}).items()
            if wanted.items() <= dict(labels).items()
        }

    def _step(self, times: Iterable[float]) -> float:
        """The usual seconds between two samples; a minute where there are not two."""
        ordered = sorted(set(times))
        gaps = [after - before for before, after in pairwise(ordered)]
        step = float(median(gaps)) if gaps else MINUTE
        if gaps and (ordered[-1] - ordered[0]) / step > _MOST_STEPS:
            raise _error(
                self._path, f"samples {step:g} s apart over {ordered[-1] - ordered[0]:g} s", "samples at even steps"
            )
        return step

    def _openmetrics(self, text: str) -> dict[str, _Series]:
        found: dict[str, _Series] = defaultdict(lambda: defaultdict(dict))
        odd = 0
        try:
            for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call] # it has no types
                for sample in family.samples:
                    if sample.timestamp is None or not 0 <= sample.value < math.inf:
                        odd += 1
                    else:
                        labels = tuple(sorted(sample.labels.items()))
                        found[sample.name][labels][float(sample.timestamp)] = float(sample.value)
        except ValueError as error:
            raise _error(self._path, str(error), "OpenMetrics text") from None
        if odd:
            self.notes.append(
                f"{self._path}: {odd} samples have no time, or are not numbers of 0 or more, and are left out"
            )
        return found


def _group(objective: Objective, labels: Mapping[str, str]) -> Group:
    return tuple(labels.get(label, "") for label in promql.grouping(objective))


def incidents(path: Path) -> list[Incident]:
    """What a file says of incidents that there were: start, end and name of each.

    Raises:
        SourceError: it cannot be read as such.
    """
    return lines.incidents(_read(path), str(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _error(path, f"{type(error).__name__}: {error}", "a text file that can be read") from None


def _error(path: Path, seen: object, expected: str) -> SourceError:
    return SourceError(str(path), seen=seen, expected=expected, remedy="correct it, or name another file")
