"""What a target should hold, from the definitions: files, groups, resources or rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import httpx

from aumos_otel.errors import RolloutError
from aumos_otel.rollout import ownership
from aumos_otel.rollout.files import PREFIX, Files
from aumos_otel.rollout.kubernetes import Kubernetes
from aumos_otel.rollout.mimir import Mimir
from aumos_otel.rollout.server import Server, rows
from aumos_otel.slo import rulefile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aumos_otel.rollout.plan import Content, Target
    from aumos_otel.slo.objective import Definitions
    from aumos_otel.slo.rulefile import Names

_KINDS: Final = "files:DIR, mimir:URL, k8s:NAMESPACE or server:URL"


def at(
    target: str,
    loaded: Sequence[Definitions],
    *,
    owner: str,
    names: Names = "aumos",
    labels: Mapping[str, str] = MappingProxyType({}),
    tenant: str | None = None,
    reload: str | None = None,
    token: str | None = None,
) -> tuple[Target, dict[str, Content]]:
    """The target of that name, and what it should hold.

    Args:
        target: ``files:DIR``, ``mimir:URL``, ``k8s:NAMESPACE`` or ``server:URL``.
        loaded: what the files define.
        owner: mark of the rules.
        names: ``sloth`` adds sloth's series.
        labels: of the PrometheusRule resources, for the operator's ``ruleSelector``.
        tenant: sent as ``X-Scope-OrgID``.
        reload: URL of the Prometheus that reads the directory.
        token: sent as bearer.

    Raises:
        RolloutError: there is no such kind of target.
        ObjectiveError: an objective cannot be compiled.
    """
    kind, _, rest = target.partition(":")
    if not rest or kind not in {"files", "mimir", "k8s", "server"}:
        raise RolloutError("--to", seen=target, expected=_KINDS, remedy="e.g. --to files:/etc/prometheus/rules")
    if kind == "files":
        return Files(Path(rest), owner, _reloading(reload)), files(loaded, owner, names)
    if kind == "mimir":
        return Mimir(rest, owner, tenant, token), groups(loaded, owner, names)
    if kind == "k8s":
        return Kubernetes(rest, owner), resources(loaded, owner, names, rest, labels)
    return Server(rest, owner, token), rows(loaded, owner)


def files(loaded: Sequence[Definitions], owner: str, names: Names) -> dict[str, Content]:
    """A rule file for each service, by name."""
    return {f"{PREFIX}{service}.yml": {"groups": found} for service, found in _by_service(loaded, owner, names).items()}


def groups(loaded: Sequence[Definitions], owner: str, names: Names) -> dict[str, Content]:
    """Rule groups by name.

    Raises:
        RolloutError: two have the same name.
    """
    found = [group for compiled in _by_service(loaded, owner, names).values() for group in compiled]
    by_name = {group["name"]: group for group in found}
    if len(by_name) < len(found):
        taken = [group["name"] for group in found]
        raise RolloutError(
            "rule groups",
            seen=sorted({name for name in taken if taken.count(name) > 1}),
            expected="distinct names of service and objective together",
            remedy="rename an objective",
        )
    return by_name


def resources(
    loaded: Sequence[Definitions], owner: str, names: Names, namespace: str, labels: Mapping[str, str]
) -> dict[str, Content]:
    """A PrometheusRule for each service, by name; ``labels`` are for the operator's ``ruleSelector``."""
    return {
        f"{PREFIX}{service}": rulefile.resource(
            found, f"{PREFIX}{service}", namespace, {**labels, ownership.LABEL: owner}
        )
        for service, found in _by_service(loaded, owner, names).items()
    }


def _by_service(loaded: Sequence[Definitions], owner: str, names: Names) -> dict[str, list[Content]]:
    found: dict[str, list[Content]] = {}
    for definitions in loaded:
        for service in sorted({objective.service for objective in definitions.objectives}):
            of_service = tuple(each for each in definitions.objectives if each.service == service)
            compiled = rulefile.groups(replace(definitions, objectives=of_service), owner, names)
            found.setdefault(service, []).extend(compiled)
    return found


def _reloading(url: str | None) -> Callable[[], object]:
    def reload() -> None:
        if url is None:
            return
        try:
            answer = httpx.post(url.rstrip("/") + "/-/reload", timeout=30.0)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise RolloutError(
                f"{url}/-/reload",
                seen=f"{type(error).__name__}: {error}",
                expected="success",
                remedy="start Prometheus with --web.enable-lifecycle, or reload it by hand; the files are written",
            ) from None

    return reload
