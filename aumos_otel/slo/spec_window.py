"""Periods, and how time is weighed in them, in our format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

from aumos_otel.slo import quantity
from aumos_otel.slo.entry import Entry
from aumos_otel.slo.window import (
    LONGEST,
    OCCURRENCES,
    Calendar,
    Occurrences,
    RatioTimeslices,
    Rolling,
    Timeslices,
    known,
)

if TYPE_CHECKING:
    from aumos_otel.slo.window import Budgeting, Window

_SLICES: Final = ("timeslices", "ratio_timeslices")


def read_window(holder: Entry) -> Window | None:
    """The period at ``window``; None if none is there, or none that is one."""
    value = holder.get("window")
    if not isinstance(value, dict):
        if value is not None and not isinstance(value, str):
            holder.problem("window", "a duration such as 30d, or a mapping such as {calendar: month}")
            return None
        seconds = holder.span("window")
        return None if seconds is None else Rolling(seconds)
    entry = Entry(value, (*holder.path, "window"), holder.findings)
    unit = next((unit for unit in LONGEST if unit == entry.get("calendar")), None)
    if unit is None:
        entry.wrong("calendar", "one of " + ", ".join(LONGEST))
    time_zone = entry.text("time_zone") or "UTC"
    entry.done()
    if not known(time_zone):
        entry.problem("time_zone", "a time zone such as Europe/Berlin")
        return None
    return None if unit is None else Calendar(unit, time_zone)


def window_data(window: Window) -> Any:
    """What `read_window` reads as the period."""
    if isinstance(window, Rolling):
        return quantity.duration_text(window.seconds)
    zone = {} if window.time_zone == "UTC" else {"time_zone": window.time_zone}
    return {"calendar": window.unit, **zone}


def read_budgeting(holder: Entry) -> Budgeting:
    """What counts, at ``budgeting``: events, unless something else is there."""
    value = holder.get("budgeting")
    if value is None or value == "occurrences":
        return OCCURRENCES
    if not isinstance(value, dict):
        holder.problem("budgeting", "occurrences, {timeslices: 5m, target: 95%} or {ratio_timeslices: 5m}")
        return OCCURRENCES
    entry = Entry(value, (*holder.path, "budgeting"), holder.findings)
    kind = entry.one_of(_SLICES)
    seconds = entry.span(kind) if kind else None
    target = entry.share("target", whole=True) if kind == "timeslices" else None
    if kind == "timeslices" and entry.get("target") is None:
        entry.wrong("target", "the share of a slice's events that makes it a good one, such as 95%")
    entry.done()
    if seconds is None:
        return OCCURRENCES
    return RatioTimeslices(seconds) if target is None else Timeslices(seconds, target)


def budgeting_data(budgeting: Budgeting) -> Any:
    """What `read_budgeting` reads as the same."""
    match budgeting:
        case Occurrences():
            return "occurrences"
        case Timeslices(seconds, target):
            return {"timeslices": quantity.duration_text(seconds), "target": quantity.percent_text(target)}
        case RatioTimeslices(seconds):
            return {"ratio_timeslices": quantity.duration_text(seconds)}
        case _:
            assert_never(budgeting)
