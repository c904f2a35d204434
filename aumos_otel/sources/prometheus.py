"""What objectives counted, by the HTTP API of Prometheus, or of what speaks it: Thanos, Mimir, Cortex.

The increments that the compiled rules record are read as they were written, sample by sample.  For the time before
there were any, the same expressions are evaluated at each minute.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx

from aumos_otel.errors import SourceError
from aumos_otel.semconv import attributes, rules
from aumos_otel.slo import promql, quantity
from aumos_otel.slo.history import History
from aumos_otel.slo.slices import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aumos_otel.slo.objective import Definitions, Objective
    from aumos_otel.sources import Group

#: Prometheus answers a range query with at most 11,000 points a series.
_MOST_POINTS: Final = 10_000
#: Seconds of one question for raw samples: Mimir lets nobody ask for more than a month at once.
_CHUNK: Final = 604_800.0
_TIMEOUT: Final = 60.0

#: Values by time.
_Column = dict[float, float]


class Prometheus:
    """The counters of one server, or of one tenant of it.

    Args:
        url: of the server, with the path before ``/api/v1`` if it has one; may hold user and password.  Proxies and
            certificate authorities are those of the environment (``HTTPS_PROXY``, ``SSL_CERT_FILE``).
        definitions: what the objectives belong to.
        tenant: sent as ``X-Scope-OrgID``; None: none is sent.
        token: sent as bearer token; None: none is sent.
        timeout: seconds for one question.
    """

    def __init__(
        self,
        url: str,
        definitions: Definitions,
        *,
        tenant: str | None = None,
        token: str | None = None,
        timeout: float = _TIMEOUT,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SourceError(
                "Prometheus", seen=url, expected="a URL such as http://localhost:9090", remedy="correct the URL"
            )
        headers = {} if tenant is None else {"X-Scope-OrgID": tenant}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self.notes: list[str] = []
        self._definitions = definitions
        self._interval = definitions.prometheus.interval
        self._client = httpx.Client(headers=headers, timeout=timeout)
        self._base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self._where = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def now(self) -> float:
        """The server's time: windows must end where its samples do, whatever our clock says."""
        result = self._ask("query", {"query": "time()"})
        try:
            return float(result["result"][1])
        except (KeyError, IndexError, TypeError, ValueError):
            raise self._error(result, "the server's time", "see that the URL is that of a Prometheus API") from None

    def histories(self, objective: Objective, start: float, end: float) -> dict[Group, History]:
        """What the objective counted in (``start``, ``end``], by the values of `promql.grouping`."""
        groups = self._joined(objective, *(self._recorded(objective, name, start, end) for name in _LEVEL_0))
        first = min((at for columns in groups.values() for at in columns), default=math.inf)
        if first - start > 2 * self._interval:
            asked = promql.events(objective, self._definitions)
            before = min(first - self._interval, end)
            evaluated = self._joined(
                objective, *(self._evaluated(objective, text, start, before) for text in (asked.good, asked.total))
            )
            for group, samples in evaluated.items():
                groups[group] = samples | groups.get(group, {})
        weight = self._interval / MINUTE
        return {
            group: History.of(
                ((at, good * weight, total * weight) for at, (good, total) in samples.items()), step=self._interval
            )
            for group, samples in (groups or {(): {}}).items()
        }

    def _joined(
        self, objective: Objective, good: dict[Group, _Column], total: dict[Group, _Column]
    ) -> dict[Group, dict[float, tuple[float, float]]]:
        """Good and total of each moment at which both are known."""
        joined = {
            group: {at: (good[group][at], value) for at, value in column.items() if at in good.get(group, {})}
            for group, column in total.items()
        }
        halves = sum(len(column) for column in total.values()) - sum(map(len, joined.values()))
        if halves:
            self._note(f"{_subject(objective)}: {halves} samples have a total and no good events, and are left out")
        return joined

    def _recorded(self, objective: Objective, metric: str, start: float, end: float) -> dict[Group, _Column]:
        """The samples that the rules wrote: a range selector yields them as they are."""
        matchers = ",".join(
            f"{promql.label(name)}={promql.quoted(value)}"
            for name, value in (
                (attributes.AUMOS_SLO_SERVICE, objective.service),
                (attributes.AUMOS_SLO_NAME, objective.name),
                (attributes.AUMOS_SLO_VERSION, objective.version),
            )
        )
        columns: dict[Group, _Column] = {}
        while start < end:
            until = min(start + _CHUNK, end)
            seconds = quantity.duration_text(math.ceil(until - start))
            answer = self._ask("query", {"query": f"{metric}{{{matchers}}}[{seconds}]", "time": _time(until)})
            self._collect(objective, answer, start, columns)
            start = until
        return columns

    def _evaluated(self, objective: Objective, text: str, start: float, end: float) -> dict[Group, _Column]:
        """The value of an expression at each whole interval."""
        columns: dict[Group, _Column] = {}
        for first, last in _grid(start, end, self._interval):
            asked = {"query": text, "start": _time(first), "end": _time(last), "step": _time(self._interval)}
            self._collect(objective, self._ask("query_range", asked), start, columns)
        return columns

    def _collect(
        self, objective: Objective, answer: dict[str, Any], start: float, columns: dict[Group, _Column]
    ) -> None:
        """Add the values of an answer to the columns of their groups."""
        labels = promql.grouping(objective)
        seen: dict[Group, dict[str, str]] = {}
        odd = 0
        for metric, values in self._matrix(answer):
            group = tuple(metric.get(label, "") for label in labels)
            if group in seen:
                raise SourceError(
                    f"{self._where} {_subject(objective)}",
                    seen=[seen[group], metric],
                    expected="one series",
                    remedy="ask a server that removes the duplicates of replicas, and let one owner roll out the rules",
                )
            seen[group] = metric
            column = columns.setdefault(group, {})
            for at, value in values:
                if not 0 <= value < math.inf:
                    odd += 1
                elif at > start:
                    column[at] = value
        if odd:
            self._note(f"{_subject(objective)}: {odd} samples are not numbers of 0 or more, and are left out")

    def _matrix(self, answer: dict[str, Any]) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Labels and values of each series."""
        try:
            if answer["resultType"] == "matrix":
                return [
                    (series["metric"], [(float(at), float(text)) for at, text in series.get("values", ())])
                    for series in answer["result"]
                ]
        except (AttributeError, KeyError, TypeError, ValueError):
            pass
        raise self._error(answer, "a matrix", "see that the URL is that of a Prometheus API")

    def _ask(self, path: str, asked: dict[str, str]) -> dict[str, Any]:
        """The data of an answer; what it warns of becomes a note."""
        try:
            answer = self._client.post(f"{self._base}/api/v1/{path}", data=asked)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._error(
                f"{type(error).__name__}: {error}", "an answer", "see that the URL is right and can be reached"
            ) from None
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or body.get("status") != "success" or not isinstance(body.get("data"), dict):
            said = body.get("error") if isinstance(body, dict) else None
            seen = f"{answer.status_code} {said or answer.text.strip()[:300]}"
            raise self._error(seen, "success", _REMEDIES.get(answer.status_code, "see what it says")) from None
        for note in body.get("warnings") or ():
            self._note(f"{self._where}: {note}")
        data: dict[str, Any] = body["data"]
        return data

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _error(self, seen: object, expected: str, remedy: str) -> SourceError:
        return SourceError(f"Prometheus {self._where}", seen=seen, expected=expected, remedy=remedy)


_LEVEL_0: Final = (f"{rules.AUMOS_SLO_GOOD_INCREASE}1m", f"{rules.AUMOS_SLO_TOTAL_INCREASE}1m")
_REMEDIES: Final = {
    **dict.fromkeys(
        (301, 302, 303, 307, 308), "give the URL that it redirects to, or the credentials that it asks for"
    ),
    400: "see that the objective's queries are PromQL",
    401: "give a token, or user and password in the URL; a server with tenants wants the tenant",
    403: "see what the token may read",
    404: "see that the URL is that of a Prometheus API: /api/v1/query must be below it",
    422: "ask for fewer days, or raise the server's limits",
    429: "ask again later, or for fewer days",
    503: "ask for fewer days, or raise the server's limits of time",
}


def _grid(start: float, end: float, step: float) -> Iterator[tuple[float, float]]:
    """First and last of the multiples of ``step`` in (``start``, ``end``], in pieces that one question may ask for."""
    position, last = math.floor(start / step) + 1, math.floor(end / step)
    while position <= last:
        until = min(position + _MOST_POINTS - 1, last)
        yield position * step, until * step
        position = until + 1


def _time(seconds: float) -> str:
    """Prometheus keeps milliseconds."""
    return f"{seconds:.3f}"


def _subject(objective: Objective) -> str:
    return f"{objective.service}/{objective.name}"
