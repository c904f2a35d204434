"""A backtest as a picture: burn rate, budget, and the alerts of each policy, over incidents in grey.

The colours are Okabe and Ito's, which colour-blind people can tell apart; no meaning is in a colour alone.
"""

from __future__ import annotations

import io
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Literal

from aumos_otel.errors import MissingExtraError
from aumos_otel.slo import quantity
from aumos_otel.slo.backtest import instants
from aumos_otel.slo.burn_rate import burn_rate
from aumos_otel.slo.incident import period_allowance

try:
    import matplotlib as mpl
    from matplotlib import dates, ticker
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
except ModuleNotFoundError as missing:
    raise MissingExtraError("a plot", extra="plot", module=str(missing.name)) from None

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from aumos_otel.slo.backtest import Alert, Backtest
    from aumos_otel.slo.history import History
    from aumos_otel.slo.objective import Objective

_BLUE: Final = "#0072B2"
_SKY: Final = "#56B4E9"
_RED: Final = "#D55E00"
_AMBER: Final = "#E69F00"
_GREY: Final = "#BBBBBB"
_INK: Final = "#333333"

#: Points of a line: more than one a pixel are not seen; of those in its place the highest is drawn.
_POINTS: Final = 1500
_DAY: Final = 86_400
_BUDGET_POINTS: Final = 600
#: Burn rates below are drawn here: a logarithm has no 0.
_FLOOR: Final = 0.05
#: The same text for the same data, in each process.
_STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "aumos-otel",
    "text.parse_math": False,  # a dollar in a name is a dollar
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(result: Backtest, history: History, form: Literal["svg", "png"] = "svg") -> bytes:
    """The picture of a backtest and of the history that it replayed; the same bytes for the same data.

    Raises:
        MissingExtraError: on import of this module, without the extra ``plot``.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(12, 5.6 + 0.55 * len(result.trials)), layout="constrained")
        FigureCanvasAgg(figure)
        rows = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1.6, 0.55 * len(result.trials) + 0.3))
        burns, left, alerts = rows
        moments = instants(history)
        _draw_burns(burns, result, history, moments)
        _draw_budget(left, result.objective, history, moments)
        _draw_alerts(alerts, result)
        for axes in rows:
            for incident in result.incidents:
                axes.axvspan(_date(incident.start), _date(incident.end), color=_GREY, alpha=0.5, lw=1, zorder=0)
            axes.grid(visible=True, axis="y", color="#EEEEEE", zorder=0)
            axes.set_axisbelow(True)
        _name_incidents(burns, result)
        burns.set_xlim(_date(result.start - result.step), _date(result.end))
        locator = dates.AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call] # matplotlib's stubs have gaps
        alerts.xaxis.set_major_locator(locator)
        alerts.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call] # same
        alerts.set_xlabel("UTC")
        buffer = io.BytesIO()
        figure.savefig(buffer, format=form, dpi=110, metadata={"Date": None} if form == "svg" else {"Software": None})
        return buffer.getvalue()


def _draw_burns(axes: Axes, result: Backtest, history: History, moments: Sequence[float]) -> None:
    objective = result.objective
    tier = result.trials[0].policy.tiers[0]
    share = float(objective.budget)
    for limit, colour, width in ((tier.short, _SKY, 0.8), (tier.long, _BLUE, 1.6)):
        rates = [burn_rate(counts, share) for counts in history.rolling(limit.seconds, moments)]
        times, highest = _thinned(moments, rates)
        label = f"burn rate over {quantity.duration_text(limit.seconds)}"
        axes.plot(times, highest, color=colour, lw=width, label=label)
    factors = {float(limit.factor) for trial in result.trials for tier in trial.policy.tiers for limit in tier.limits}
    for factor in sorted(factors | {1.0}):
        axes.axhline(factor, color=_INK, lw=0.8, ls=(0, (4, 3)))
        axes.annotate(
            f"{factor:g}", (1, factor), xycoords=("axes fraction", "data"), xytext=(3, 0),
            textcoords="offset points", va="center", color=_INK, fontsize=8,
        )  # fmt: skip
    blind = next((trial for trial in result.trials if trial.blind), None)
    if blind is not None and blind.blind is not None:
        label = f"{blind.policy.name} is blind: never fires at a constant rate here"
        axes.axhspan(
            *blind.blind, facecolor="none", edgecolor=_AMBER, hatch="///", lw=0, alpha=0.35, zorder=0, label=label
        )
    axes.set_yscale("log")
    axes.set_ylim(_FLOOR, 1.6 / share)
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.set_ylabel("burn rate")
    axes.set_title(
        f"{objective.service} / {objective.name}: {quantity.percent_text(objective.target)} good", loc="left", pad=24
    )
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=8)


def _draw_budget(axes: Axes, objective: Objective, history: History, moments: Sequence[float]) -> None:
    """Of a whole period with the mean traffic, so that it begins with 100 % where the history does."""
    allowed = period_allowance(objective, history)
    every = max(1, len(moments) // _BUDGET_POINTS)
    at = [*moments[::every], moments[-1]] if allowed else []
    used = [history.counts(moment, moment - objective.window.start(moment)).bad / allowed for moment in at]
    axes.plot([_date(moment) for moment in at], [(1 - share) * 100 for share in used], color=_BLUE, lw=1.6)
    axes.axhline(0, color=_RED, lw=1)
    axes.set_ylabel("budget left")
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(decimals=0))


def _draw_alerts(axes: Axes, result: Backtest) -> None:
    names = [trial.policy.name for trial in result.trials]
    for row, trial in enumerate(result.trials):
        for alert in trial.alerts:
            _draw_bar(axes, row, alert, result)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.legend(
        handles=[
            Patch(facecolor=_RED, label="page"),
            Patch(facecolor=_AMBER, edgecolor="white", hatch="////", label="ticket"),
            Patch(facecolor=_GREY, alpha=0.5, label="incident"),
        ],
        loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=3, frameon=False, fontsize=8,
    )  # fmt: skip


def _draw_bar(axes: Axes, row: int, alert: Alert, result: Backtest) -> None:
    start, end = _date(alert.start), _date(result.end if alert.end is None else alert.end)
    width = max(end - start, (_date(result.end) - _date(result.start)) / 500)  # a short one is still seen
    page = alert.severity == "page"
    axes.barh(
        row - 0.2 if page else row + 0.2, width, 0.36, start,
        color=_RED if page else _AMBER, edgecolor=_RED if page else "white", hatch="" if page else "////",
        lw=0 if page else 0.5, zorder=2,
    )  # fmt: skip


def _name_incidents(axes: Axes, result: Backtest) -> None:
    for position, incident in enumerate(result.incidents):
        axes.annotate(
            incident.name, (_date(incident.start), 1), xycoords=("data", "axes fraction"),
            xytext=(2, -9 - 10 * (position % 2)), textcoords="offset points", fontsize=8, color=_INK,
        )  # fmt: skip


def _thinned(moments: Sequence[float], rates: Sequence[float | None]) -> tuple[list[float], list[float]]:
    """Times, and the highest rate of each place on the line; NaN, a gap, where nothing happened."""
    every = max(1, len(moments) // _POINTS)
    times, highest = [], []
    for start in range(0, len(moments), every):
        known = [rate for rate in rates[start : start + every] if rate is not None]
        times.append(_date(moments[start]))
        highest.append(max((_FLOOR, *known)) if known else float("nan"))
    return times, highest


def _date(at: float) -> float:
    return at / _DAY  # matplotlib counts days from 1970, which is where Unix seconds begin
