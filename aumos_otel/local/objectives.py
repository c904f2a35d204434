"""Where the objectives stand that services tell of, by what the local backend has of their counters."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aumos_otel._internal import discovery
from aumos_otel.errors import ObjectiveError, SourceError
from aumos_otel.local import counted, schema
from aumos_otel.local.queries import Reader
from aumos_otel.slo import indicator, policy, quantity, window
from aumos_otel.slo.history import History
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.slices import weighed
from aumos_otel.slo.status import evaluate
from aumos_otel.sources import local

if TYPE_CHECKING:
    from aumos_otel.local.counted import BadEvent, Counted, Key, Told
    from aumos_otel.slo.status import Evaluation, State
    from aumos_otel.sources import Group

#: Points that may be missing, and seconds that one may be under way, before silence is silence.
_MISSED: Final = 3
_UNDER_WAY: Final = 2.0
#: Seconds that the running backend may take to answer.
_TIMEOUT: Final = 5.0
#: What comes first in a list.
_WORST: Final[tuple[State, ...]] = ("critical", "warning", "unknown", "ok")


@dataclass(frozen=True, slots=True)
class Standing:
    """One objective at one moment.

    Attributes:
        told: the objective as its service told it.
        objective: what that means; None: it cannot be read, see `problem`.
        policy_known: whether the burn policy could be read; else nothing is said to burn or not to.
        problem: what is wrong, in words, for people; empty: nothing.
        history: what its SLI counted; empty without points.
        at: the moment that is told about, Unix seconds: the last point, or now when that is too long ago.
        evaluation: None where `objective` is.
        bad: the traces behind the latest bad events.
    """

    told: Told
    objective: Objective | None
    policy_known: bool
    problem: str
    history: History
    at: float
    evaluation: Evaluation | None
    bad: list[BadEvent]

    @property
    def key(self) -> str:
        """What it is called in addresses."""
        return f"{self.told.service}/{self.told.name}"

    @property
    def state(self) -> State:
        """The word of the engine; what cannot be evaluated is unknown, never healthy."""
        return self.evaluation.state if self.evaluation is not None and self.policy_known else "unknown"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        known: dict[str, Any] = {}
        if self.evaluation is not None:
            known = self.evaluation.to_dict() if self.policy_known else {"budget": self.evaluation.budget.to_dict()}
        return {
            **known,
            "service": self.told.service,
            "name": self.told.name,
            "target": self.told.target,
            "at": self.at,
            "state": self.state,
            "policy": self.told.policy,
            "sli": self.told.sli,
            "window": self.told.window,
            "owner": self.told.owner,
            "problem": self.problem,
            "last_data": self.history.last,
            "bad_traces": [event.trace_id for event in self.bad],
        }


@dataclass(frozen=True, slots=True)
class Loose:
    """An SLI that is counted without an objective about it, since its first point that is stored."""

    service: str
    name: str
    good: float
    total: float


@dataclass(frozen=True, slots=True)
class Board:
    """All objectives, worst first, and the SLIs that none is about."""

    standings: list[Standing]
    loose: list[Loose]


class Objectives:
    """Answers where the objectives stand; reads anew only after points have arrived.  For any number of threads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._read_at = -1
        self._told: list[Told] = []
        self._counted: dict[Key, tuple[Counted, History]] = {}

    def board(self, now: float) -> Board:
        """Everything at ``now``, Unix seconds."""
        with self._lock:
            self._refresh()
            told, read = self._told, self._counted
        about = {(each.service, each.sli) for each in told}
        standings = [_stand(each, *read.get((each.service, each.sli), _NOTHING), now) for each in told]
        standings.sort(key=lambda each: (_WORST.index(each.state), each.told.service, each.told.name))
        loose = []
        for key, (_, history) in read.items():
            if key not in about and history.last is not None:
                whole = history.counts(history.last, math.inf)
                loose.append(Loose(*key, whole.good, whole.total))
        return Board(standings, loose)

    def standing(self, key: str, now: float) -> Standing | None:
        """One objective by its key; None: none is told of."""
        return next((each for each in self.board(now).standings if each.key == key), None)

    def _refresh(self) -> None:
        end = self._reader.cursor().points
        if end == self._read_at:
            return
        with self._reader.snapshot() as connection:
            self._told = counted.objectives(connection)
            read = {key: counted.count(connection, key) for key in counted.slis(connection)}
        self._counted = {key: (each, _history(each)) for key, each in read.items()}
        self._read_at = end


class LocalSource:
    """A `Source` over the database of the local backend: the running one's, else the one in the usual place.

    Args:
        path: another database.

    Raises:
        SourceError: there is none.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.notes: list[str] = []
        self._path = path or _running() or schema.default_path()
        self._reader = Reader(self._path)
        if not self._path.is_file():
            raise SourceError(
                "the local backend",
                seen=f"no database {self._path}",
                expected="one that has received metrics",
                remedy="run: aumos-otel ui, and send it the metrics of the service",
            )

    def now(self) -> float:
        """The present."""
        return time.time_ns() / 1e9

    def histories(self, objective: Objective, start: float, end: float) -> dict[Group, History]:
        """What the objective's SLI counted in (``start``, ``end``], over all instances of its service."""
        of = objective.indicator
        if not isinstance(of, indicator.Spans | indicator.Counted):
            raise ObjectiveError(
                f"{objective.service}/{objective.name}",
                ["got an indicator that is a query, expected one that is counted by the service: ask its Prometheus"],
            )

        def group(known: dict[str, Any]) -> Group:
            return tuple(str(known.get(name, "")) for name in objective.group_by)

        key = (objective.service, of.sli.name if isinstance(of, indicator.Spans) else of.name)
        try:
            with self._reader.snapshot() as connection:
                found = counted.count_apart(connection, key, group)
        except sqlite3.Error as error:
            raise SourceError(
                f"database {self._path}",
                seen=f"{type(error).__name__}: {error}",
                expected="a database of the local backend",
                remedy="run: aumos-otel ui",
            ) from error
        histories: dict[Group, History] = {}
        for name, each in found.items():
            whole = weighed(_history(each), objective.budgeting)
            inside = (sample for sample in whole if start < sample.at <= end)
            histories[name] = History.of(inside, step=whole.step)
        return histories or {(): _NOTHING[1]}


def _running() -> Path | None:
    """The database of the running backend, as it tells itself."""
    backend = discovery.read()
    if backend is None:
        return None
    request = urllib.request.Request(f"{backend.ui}/api/about", headers={"Authorization": f"Bearer {backend.token}"})  # noqa: S310 - checked to be loopback http
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT) as answer:
            return Path(json.loads(answer.read())["database"])
    except (OSError, ValueError, KeyError):  # it has just ended, or is of another version
        return None


def _history(of: Counted) -> History:
    return local.history(of.events, of.good, step=of.step)


_NOTHING: Final = (counted.Counted(), _history(counted.Counted()))


def _stand(told: Told, count: Counted, history: History, now: float) -> Standing:
    at = moment(history, now)
    objective, policy_known, problem = _read(told)
    if not problem and objective is not None:
        problem = _doubt(told, count, history, objective)
    return Standing(
        told=told,
        objective=objective,
        policy_known=policy_known,
        problem=problem,
        history=history,
        at=at,
        evaluation=None if objective is None else evaluate(objective, history, at),
        bad=count.bad,
    )


def moment(history: History, now: float) -> float:
    """When an objective is evaluated: points come at intervals, and until the next one is due the last one tells."""
    if history.last is None or abs(now - history.last) > _MISSED * history.step + _UNDER_WAY:
        return now
    return history.last


def _doubt(told: Told, count: Counted, history: History, objective: Objective) -> str:
    """Why nothing is known, or what is known is not to be trusted."""
    if not told.sli:
        return "its indicator is not counted by the service: ask Prometheus where it stands"
    if not count.events:
        return f"nothing was counted for its SLI {told.sli} yet"
    whole = history.counts(history.last or 0.0, math.inf)
    if whole.good > whole.total:
        return f"{whole.good:g} good events of {whole.total:g}: the counters are at fault"
    short = objective.burn_policy.windows[0]
    if len(history) > 1 and history.step > short:
        return (
            f"points come every {history.step:g} s, more seldom than the window of "
            f"{quantity.duration_text(short)} needs: set OTEL_METRIC_EXPORT_INTERVAL lower"
        )
    return ""


def _read(told: Told) -> tuple[Objective | None, bool, str]:
    """The objective, whether its policy can be read, and what is wrong."""
    try:
        target = quantity.ratio(repr(told.target))
        period = _window(told.window)
    except ValueError as error:
        return None, False, f"target {told.target}, window {told.window!r}: expected {error}"
    problem, chosen = "", policy.BUILT_IN.get(told.policy)
    if chosen is None:
        try:
            chosen = policy.parse(told.policy)
        except ValueError as error:
            problem = f"burn policy {told.policy!r}: expected {error}"
    objective = Objective(
        name=told.name,
        service=told.service,
        target=target,
        indicator=indicator.Counted(told.sli),
        window=period,
        policy=chosen or policy.SRE_WORKBOOK,
        owner=told.owner,
    )
    return objective, chosen is not None, problem


def _window(text: str) -> window.Window:
    for unit in window.LONGEST:
        if unit == text:
            return window.Calendar(unit)
    seconds = quantity.seconds(text)
    if seconds != int(seconds):
        raise ValueError("a window of whole seconds")
    return window.Rolling(int(seconds))
