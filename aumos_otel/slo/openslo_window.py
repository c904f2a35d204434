"""OpenSLO's time windows and budgeting methods."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo import window
from aumos_otel.slo.entry import canonical
from aumos_otel.slo.openslo_library import duration, duration_text
from aumos_otel.slo.window import OCCURRENCES, THIRTY_DAYS, Calendar, RatioTimeslices, Rolling, Timeslices

if TYPE_CHECKING:
    from aumos_otel.slo.foreign import Node
    from aumos_otel.slo.window import Budgeting, Unit, Window

_METHODS: Final = ("Occurrences", "Timeslices", "RatioTimeslices")
#: Durations of calendar windows, and those that people write for them.
_UNITS: Final[dict[str, Unit]] = {
    "1d": "day",
    "1w": "week",
    "7d": "week",
    "1M": "month",
    "1Q": "quarter",
    "3M": "quarter",
    "1Y": "year",
    "4Q": "year",
    "12M": "year",
}
_MEANT: Final[dict[str, Unit]] = {
    "1m": "month",
    "28d": "month",
    "30d": "month",
    "31d": "month",
    "365d": "year",
    "366d": "year",
}
_WRITTEN: Final[dict[Unit, str]] = {"day": "1d", "week": "1w", "month": "1M", "quarter": "1Q", "year": "1Y"}
#: A Monday, and the first day of a month, a quarter and a year.
_START: Final = "2024-01-01 00:00:00"
_UNCERTAIN: Final = re.compile(r"[0-9]+[MQY]")


def read(spec: Node) -> Window:
    """The period at ``timeWindow``: thirty days if none is there."""
    nodes = spec.nodes("timeWindow")
    if not nodes:
        return THIRTY_DAYS
    if len(nodes) > 1:
        spec.problem("timeWindow", "one time window")
    node = nodes[0]
    calendar = node.node("calendar")
    rolling = node.flag("isRolling", default=calendar is None)
    text = node.get("duration")
    if rolling and calendar is not None:
        node.problem("calendar", "no calendar, since the window is rolling")
    if not rolling and calendar is None:
        node.problem("isRolling", "a calendar beside it, or isRolling: true")
    found: Window = THIRTY_DAYS
    if rolling:
        seconds = duration(node, "duration", required=True)
        found = THIRTY_DAYS if seconds is None else Rolling(seconds)
        if seconds and _UNCERTAIN.fullmatch(text):
            node.remark("duration", f"months, quarters and years roll as 30, 90 and 365 days: {seconds // 86_400} days")
    elif calendar is not None:
        found = _calendar(node, calendar, text)
    node.close()
    return found


def _calendar(node: Node, calendar: Node, text: object) -> Window:
    unit = _UNITS.get(text) if isinstance(text, str) else None
    if unit is None and isinstance(text, str) and text in _MEANT:
        unit = _MEANT[text]
        node.remark("duration", f"{text} of a calendar is taken for a {unit}; {_WRITTEN[unit]} says that")
    if unit is None:
        node.problem("duration", "a period of the calendar: 1d, 1w, 1M, 1Q or 1Y")
    zone = calendar.text("timeZone", required=True) or "UTC"
    if not window.known(zone):
        calendar.problem("timeZone", "a time zone such as Europe/Berlin")
        zone = "UTC"
    start = calendar.text("startTime", required=True)
    calendar.close()
    found = Calendar(unit or "month", zone)
    _check_start(calendar, start, found.unit)
    return found


def _check_start(calendar: Node, start: str, unit: Unit) -> None:
    """Remark on a start that is not one of the calendar's own: periods begin with those here."""
    if not start:
        return
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        calendar.problem("startTime", "a date and time without time zone, e.g. 2024-01-01 00:00:00")
        return
    at = moment.replace(tzinfo=UTC).timestamp()
    if Calendar(unit).start(at) != at:
        calendar.remark("startTime", f"a {unit} begins with the calendar's here, not at {start}")


def data(period: Window) -> list[dict[str, Any]]:
    """What `read` reads as the period; nothing if OpenSLO cannot say it."""
    if isinstance(period, Calendar):
        calendar = {"startTime": _START, "timeZone": period.time_zone}
        return [{"duration": _WRITTEN[period.unit], "calendar": calendar, "isRolling": False}]
    text = duration_text(period.seconds)
    return [] if text is None else [{"duration": text, "isRolling": True}]


def read_method(spec: Node) -> str:
    """The budgeting method."""
    method = spec.choice("budgetingMethod", _METHODS, "")
    if "budgetingMethod" not in spec:
        spec.remark("budgetingMethod", "there is none; it is taken for Occurrences")
    return method or _METHODS[0]


def read_budgeting(method: str, objective: Node) -> Budgeting:
    """What counts: events, or slices of time."""
    target = objective.number("timeSliceTarget")
    minutes = objective.get("timeSliceWindow")
    if isinstance(minutes, int) and not isinstance(minutes, bool) and minutes > 0:
        seconds: int | None = 60 * minutes
    else:
        seconds = duration(objective, "timeSliceWindow")
    if method == _METHODS[0]:
        return OCCURRENCES
    if minutes is None:
        objective.problem("timeSliceWindow", f"a duration such as 5m, since the budgeting method is {method}")
    if seconds is None:
        return OCCURRENCES
    if method == _METHODS[2]:
        return RatioTimeslices(seconds)
    if target is None or not 0 < target <= 1:
        objective.problem("timeSliceTarget", "a share over 0, at most 1, since the budgeting method is Timeslices")
        target = Decimal(1)
    return Timeslices(seconds, canonical(target))


def budgeting_data(budgeting: Budgeting) -> tuple[str, dict[str, Any]]:
    """The method, and what the objective says of it; events if OpenSLO cannot say it."""
    text = None if budgeting == OCCURRENCES else duration_text(getattr(budgeting, "seconds", 0))
    if text is None:
        return _METHODS[0], {}
    if isinstance(budgeting, Timeslices):
        return _METHODS[1], {"timeSliceTarget": float(budgeting.target), "timeSliceWindow": text}
    return _METHODS[2], {"timeSliceWindow": text}
