"""The control plane: a row of ``/api/v1/slos`` for each objective.

Queries, service and window of a row cannot be changed: such a row is deleted and made anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from aumos_otel.errors import RolloutError
from aumos_otel.rollout import ownership
from aumos_otel.rollout.plan import Actual
from aumos_otel.slo import promql
from aumos_otel.slo.indicator import Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aumos_otel.rollout.plan import Content
    from aumos_otel.slo.objective import Definitions, Objective

_PATH: Final = "/api/v1/slos"
_PAGE: Final = 100
_TIMEOUT: Final = 30.0
_MARK: Final = "aumos_fingerprint"
_DAY: Final = 86_400

#: What of a row can be changed; the rest makes another row of it.
_CHANGEABLE: Final = (
    "name",
    "description",
    "target_percentage",
    "fast_burn_threshold",
    "slow_burn_threshold",
    "labels",
)
_FIXED: Final = ("slo_type", "service_name", "numerator_query", "denominator_query", "window_days")


def rows(loaded: Sequence[Definitions], owner: str) -> dict[str, Content]:
    """What the control plane should hold, by ``service/name``.

    Raises:
        ObjectiveError: an objective has no query.
    """
    return {
        f"{objective.service}/{objective.name}": _row(objective, definitions, owner)
        for definitions in loaded
        for objective in definitions.objectives
    }


def _row(objective: Objective, definitions: Definitions, owner: str) -> Content:
    events = promql.events(objective, definitions)
    tier = objective.burn_policy.tiers[0]
    return {
        "name": objective.name,
        "description": objective.description,
        "slo_type": "latency" if isinstance(objective.indicator, Histogram) else "custom",
        "target_percentage": float(objective.target * 100),
        "service_name": objective.service,
        "numerator_query": events.good,
        "denominator_query": events.total,
        "window_days": max(1, round(objective.window.seconds / _DAY)),
        "fast_burn_threshold": float(tier.short.factor),
        "slow_burn_threshold": float(tier.long.factor),
        "labels": {**objective.labels, ownership.LABEL: owner},
    }


class Server:
    """The control plane's objectives.

    Args:
        url: of the server, without path.
        token: of the tenant whose objectives these are.
    """

    def __init__(self, url: str, owner: str, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._owner = owner
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._ids: dict[str, str] = {}
        self._there: dict[str, Content] = {}

    @property
    def address(self) -> str:
        """The server."""
        return f"server:{self._url}"

    def read(self) -> Mapping[str, Actual]:
        """The owner's rows, by ``service/name``."""
        found: dict[str, Actual] = {}
        page, seen = 1, 0
        while True:
            answer = self._ask("GET", "", params={"page": page, "page_size": _PAGE})
            for item in answer["items"]:
                labels = dict(item.get("labels") or {})
                mark = labels.pop(_MARK, "")
                if labels.get(ownership.LABEL) == self._owner:
                    name = f"{item['service_name']}/{item['name']}"
                    content = {key: item.get(key) for key in (*_CHANGEABLE, *_FIXED)} | {"labels": labels}
                    self._ids[name], self._there[name] = str(item["id"]), content
                    found[name] = Actual(content, mark)
            seen += len(answer["items"])
            if not answer["items"] or seen >= answer["total"]:
                return found
            page += 1

    def write(self, name: str, content: Content, mark: str) -> None:
        """Create, change, or replace a row."""
        body = {**content, "labels": {**content["labels"], _MARK: mark}}
        known = self._there.get(name)
        if known is not None and all(known[key] == content[key] for key in _FIXED):
            self._ask("PUT", f"/{self._ids[name]}", body={key: body[key] for key in _CHANGEABLE})
            return
        if known is not None:
            self.delete(name)
        self._ask("POST", "", body=body)

    def delete(self, name: str) -> None:
        """Remove one of the owner's rows."""
        self._ask("DELETE", f"/{self._ids[name]}")

    def finish(self) -> None:
        """The server evaluates them by itself."""

    def _ask(self, method: str, path: str, body: Content | None = None, params: Mapping[str, Any] | None = None) -> Any:
        try:
            answer = httpx.request(
                method, f"{self._url}{_PATH}{path}", json=body, params=params, headers=self._headers, timeout=_TIMEOUT
            )
            answer.raise_for_status()
            return answer.json() if answer.content else {}
        except httpx.HTTPStatusError as error:
            seen = f"{error.response.status_code} {error.response.text.strip()[:300]}"
        except (httpx.HTTPError, ValueError) as error:
            seen = f"{type(error).__name__}: {error}"
        raise RolloutError(
            f"{self.address} {method} {_PATH}{path}",
            seen=seen,
            expected="an answer of the control plane",
            remedy="see the address, and the token in AUMOS_OTEL_SLO_TOKEN",
        )
