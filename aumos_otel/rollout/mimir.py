"""The ruler API of Mimir: ``/prometheus/config/v1/rules/{namespace}``; Cortex has the same at ``/api/v1/rules``.

One request a tenant: the API takes no list of organisations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
import yaml

from aumos_otel.errors import RolloutError
from aumos_otel.rollout import ownership
from aumos_otel.rollout.plan import Actual, fingerprint
from aumos_otel.slo import rulefile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.rollout.plan import Content

#: The namespace that ours are in.
NAMESPACE: Final = "aumos-slo"
_PATH: Final = "/prometheus/config/v1/rules"
_TIMEOUT: Final = 30.0


class Mimir:
    """The rule groups of one tenant.

    Args:
        url: of the server, or of its rules API when the path ends in ``/rules``; may hold user and password.
        tenant: sent as ``X-Scope-OrgID``; None: none is sent.
    """

    def __init__(self, url: str, owner: str, tenant: str | None = None, token: str | None = None) -> None:
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        base = urlunsplit((parts.scheme, parts.netloc, path if path.endswith("/rules") else path + _PATH, "", ""))
        headers = {} if tenant is None else {"X-Scope-OrgID": tenant}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._owner = owner
        self._headers = headers
        self._base = base
        self._where = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @property
    def address(self) -> str:
        """The URL, without credentials."""
        return f"mimir:{self._where}"

    def read(self) -> Mapping[str, Actual]:
        """The owner's groups, by name."""
        answer = self._ask("GET", f"/{NAMESPACE}", accept=(200, 404))
        groups = [] if answer.status_code == httpx.codes.NOT_FOUND else _groups(answer.text)
        owned = (group for group in groups if ownership.is_owned([group], self._owner))
        return {group["name"]: Actual(*_without_mark(group)) for group in owned}

    def write(self, name: str, content: Content, mark: str) -> None:
        """Create or replace a group; one of that name that is somebody else's stays as it is."""
        answer = self._ask("GET", f"/{NAMESPACE}/{quote(name, safe='')}", accept=(200, 404))
        if answer.status_code == httpx.codes.OK and not ownership.is_owned(_groups(answer.text), self._owner):
            raise RolloutError(
                f"{self.address} {NAMESPACE}/{name}",
                seen="rules that are not this owner's",
                expected=f"no such group, or one whose rules all belong to {self._owner}",
                remedy="delete or rename that group",
            )
        body = rulefile.dump(_with_mark(content, mark))
        self._ask("POST", f"/{NAMESPACE}", accept=(200, 201, 202), body=body)

    def delete(self, name: str) -> None:
        """Remove one of the owner's groups."""
        self._ask("DELETE", f"/{NAMESPACE}/{quote(name, safe='')}", accept=(200, 202, 204, 404))

    def finish(self) -> None:
        """The ruler finds them by itself."""

    def _ask(self, method: str, path: str, accept: tuple[int, ...], body: str | None = None) -> httpx.Response:
        try:
            kind = {} if body is None else {"Content-Type": "application/yaml"}
            answer = httpx.request(
                method, self._base + path, content=body, headers={**self._headers, **kind}, timeout=_TIMEOUT
            )
        except httpx.HTTPError as error:
            raise RolloutError(
                self.address,
                seen=f"{type(error).__name__}: {error}",
                expected="an answer of the ruler",
                remedy="see that the address is right and can be reached",
            ) from None
        if answer.status_code not in accept:
            raise RolloutError(
                f"{self.address} {method} {path}",
                seen=f"{answer.status_code} {answer.text.strip()[:300]}",
                expected="success",
                remedy=_REMEDIES.get(answer.status_code, "see what it says"),
            )
        return answer


_REMEDIES: Final = {
    401: "pass --tenant, or a token in AUMOS_OTEL_SLO_TOKEN",
    403: "see what the token may do",
    404: "give the URL of the rules API: it ends in /rules",
    413: "raise the ruler's limits",
    429: "raise the tenant's limit of rule groups or rules",
}

_ANNOTATION: Final = "aumos_fingerprint"


def _with_mark(group: Content, mark: str) -> Content:
    """A group has no place for a mark of its own: its alerts carry it."""
    rules = [
        {**rule, "annotations": {**rule.get("annotations", {}), _ANNOTATION: mark}} if "alert" in rule else rule
        for rule in group["rules"]
    ]
    return {**group, "rules": rules}


def _without_mark(group: Content) -> tuple[Content, str]:
    marks, rules = set(), []
    for rule in group["rules"]:
        annotations = dict(rule.get("annotations", {}))
        if _ANNOTATION in annotations:
            marks.add(annotations.pop(_ANNOTATION))
        rules.append({**rule, "annotations": annotations} if annotations else _bare(rule))
    content = {**group, "rules": rules}
    if len(marks) == 1:
        return content, str(marks.pop())
    return content, "" if not marks else f"not {fingerprint(content)}"


def _bare(rule: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key != "annotations"}


def _groups(text: str) -> list[dict[str, Any]]:
    """The groups of an answer: one group, or those of one namespace."""
    try:
        known = yaml.safe_load(text)
    except yaml.YAMLError:
        known = None
    if isinstance(known, dict) and isinstance(known.get("rules"), list):
        known = {"": [known]}
    if not isinstance(known, dict):
        return []
    lists = (groups for groups in known.values() if isinstance(groups, list))
    return [group for groups in lists for group in groups if isinstance(group, dict) and "name" in group]
