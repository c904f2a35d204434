"""Compiled rules reach what runs them: Prometheus, the ruler of Cortex, the operator's resources, the control plane."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from servers import backends
from servers.control_plane import ControlPlane
from servers.kubernetes_api import KubernetesAPI

from aumos_otel.errors import RolloutError
from aumos_otel.rollout import desired
from aumos_otel.rollout.plan import apply, changes
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Definitions, Objective

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SLO = """
version: aumos/v1
service: shop
slos:
  - {name: pay, target: 99%, sli: http.availability, where: {http.route: /pay}}
  - {name: ship, target: 99.9%, sli: http.availability, where: {http.route: /ship}}
"""


def definitions(*names: str, target: str = "0.99") -> list[Definitions]:
    """Objectives of one service about SLIs that are counted elsewhere."""
    objectives = tuple(
        Objective(name=name, service="shop", target=Decimal(target), indicator=Counted(name)) for name in names
    )
    return [Definitions(objectives=objectives)]


def rolled(target: str, defined: list[Definitions], owner: str = "us", **how: Any) -> list[str]:
    """Apply, and what that did to how many."""
    place, contents = desired.at(target, defined, owner=owner, **how)
    return sorted(change.action for change in apply(place, changes(contents, place.read())))


def drifted(target: str, defined: list[Definitions], **how: Any) -> list[bool]:
    """Of what would change, whether somebody edited it."""
    place, contents = desired.at(target, defined, owner="us", **how)
    return [change.drifted for change in changes(contents, place.read()) if change.action != "keep"]


def command(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "aumos_otel", "slo", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_prometheus_reads_what_is_applied(tmp_path: Path) -> None:
    """The plan says what is missing, apply writes and reloads, the rules run, and another plan is empty."""
    file, directory = tmp_path / "slo.yaml", tmp_path / "rules"
    file.write_text(SLO)
    directory.mkdir()
    with backends.Prometheus(tmp_path / "prometheus", rules=[directory / "*.yml"]) as prometheus:
        to = ("--to", f"files:{directory}")
        assert command("plan", str(file), *to).returncode == 1
        applied = command("apply", str(file), *to, "--reload", prometheus.url)
        assert applied.returncode == 0, applied.stderr
        assert command("plan", str(file), *to).returncode == 0
        groups = prometheus.api("rules")["groups"]
        assert {group["name"] for group in groups} == {
            *("aumos-slo-shop-pay", "aumos-slo-shop-pay-budget", "aumos-slo-shop-ship", "aumos-slo-shop-ship-budget")
        }

        file.write_text(SLO.replace("target: 99%", "target: 95%"))
        planned = command("plan", str(file), *to, "--json")
        assert [change["action"] for change in json.loads(planned.stdout)] == ["update"]


def test_ruler_of_cortex(tmp_path: Path) -> None:
    """Groups are made, kept, changed and deleted for one tenant; another tenant's and another owner's stay."""
    with backends.Cortex(tmp_path) as cortex:
        url = f"mimir:{cortex.url}/api/v1/rules"
        theirs = "name: theirs\nrules:\n- {record: a, expr: vector(1)}\n"
        scope = {"X-Scope-OrgID": "acme"}
        cortex.call("POST", "/api/v1/rules/aumos-slo", theirs.encode(), scope)

        assert rolled(url, definitions("pay"), tenant="globex") == ["create"] * 2
        assert rolled(url, definitions("pay"), tenant="acme") == ["create"] * 2
        assert rolled(url, definitions("pay"), tenant="acme") == []
        assert rolled(url, definitions("pay", "ship", target="0.9"), tenant="acme") == ["create"] * 2 + ["update"] * 2
        assert rolled(url, definitions("ship", target="0.9"), tenant="acme") == ["delete"] * 2
        assert rolled(url, [], tenant="acme", owner="them") == []

        group = cortex.call("GET", "/api/v1/rules/aumos-slo/aumos-slo-shop-ship", None, scope).decode()
        cortex.call("POST", "/api/v1/rules/aumos-slo", group.replace("severity: page", "severity: x").encode(), scope)
        assert drifted(url, definitions("ship", target="0.9"), tenant="acme") == [True]
        assert rolled(url, [], tenant="acme") == ["delete"] * 2
        assert cortex.call("GET", "/api/v1/rules/aumos-slo/theirs", None, scope).decode().startswith("name: theirs")
        with pytest.raises(RolloutError, match="--tenant"):
            rolled(url, definitions("pay"))


def test_resources_through_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real kubectl makes, changes and deletes ours by label; the API server is a small one of our own."""
    with KubernetesAPI(tmp_path) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig))
        monkeypatch.setenv("HOME", str(tmp_path))
        theirs = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "spec": {"groups": []}}
        api.items["theirs"] = {**theirs, "metadata": {"name": "theirs", "namespace": "prod"}}

        assert rolled("k8s:prod", definitions("pay"), labels={"release": "p"}) == ["create"]
        assert rolled("k8s:prod", definitions("pay"), labels={"release": "p"}) == []
        stored = api.items["aumos-slo-shop"]
        assert stored["metadata"]["labels"] == {"aumos_owner": "us", "release": "p"}
        assert rolled("k8s:prod", definitions("pay", "ship"), labels={"release": "p"}) == ["update"]
        api.items["aumos-slo-shop"]["spec"]["groups"].pop()
        assert drifted("k8s:prod", definitions("pay", "ship"), labels={"release": "p"}) == [True]
        assert rolled("k8s:prod", []) == ["delete"]
        assert set(api.items) == {"theirs"}

        api.items["aumos-slo-shop"] = {**theirs, "metadata": {"name": "aumos-slo-shop", "namespace": "prod"}}
        with pytest.raises(RolloutError, match="not this owner's"):
            rolled("k8s:prod", definitions("pay"))


def test_rows_of_the_control_plane() -> None:
    """Rows are made, changed, replaced and deleted by the REST contract; the server is a small one of our own."""
    with ControlPlane(token="secret") as server:
        url = f"server:{server.url}"
        server.add({"name": "theirs", "service_name": "shop", "labels": {}})

        assert rolled(url, definitions("pay", "ship"), token="secret") == ["create"] * 2
        assert rolled(url, definitions("pay", "ship"), token="secret") == []
        (row,) = (row for row in server.rows.values() if row["name"] == "pay")
        assert (row["target_percentage"], row["window_days"], row["fast_burn_threshold"]) == (99.0, 30, 14.4)
        assert rolled(url, definitions("pay", "ship", target="0.95"), token="secret") == ["update"] * 2
        assert row["id"] in server.rows  # changed in place
        assert rolled(url, definitions("pay", target="0.95"), token="secret") == ["delete"]
        assert [row["name"] for row in server.rows.values()] == ["theirs", "pay"]
        with pytest.raises(RolloutError, match="401"):
            rolled(url, definitions("pay"))
