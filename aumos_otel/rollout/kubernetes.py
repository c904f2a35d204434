"""``PrometheusRule`` resources of the Prometheus operator, through kubectl: its contexts, logins and server-side apply."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import RolloutError
from aumos_otel.rollout import ownership
from aumos_otel.rollout.plan import Actual

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.rollout.plan import Content

_KIND: Final = "prometheusrules.monitoring.coreos.com"
_ANNOTATION: Final = "aumos-otel/fingerprint"
_TIMEOUT: Final = 60.0


class Kubernetes:
    """The resources of one namespace that carry the owner's label.

    Args:
        namespace: of Kubernetes.
    """

    def __init__(self, namespace: str, owner: str) -> None:
        self._namespace = namespace
        self._owner = owner

    @property
    def address(self) -> str:
        """The namespace; kubectl's current context says of which cluster."""
        return f"k8s:{self._namespace}"

    def read(self) -> Mapping[str, Actual]:
        """The owner's resources, by name."""
        listed = json.loads(self._run("get", _KIND, "-l", f"{ownership.LABEL}={self._owner}", "-o", "json"))
        return {item["metadata"]["name"]: _actual(item) for item in listed.get("items", [])}

    def write(self, name: str, content: Content, mark: str) -> None:
        """Create or replace a resource; fields that somebody else manages are taken over."""
        there = self._run("get", _KIND, name, "--ignore-not-found", "-o", "json").strip()
        if there and json.loads(there)["metadata"].get("labels", {}).get(ownership.LABEL) != self._owner:
            raise RolloutError(
                f"{self.address} {name}",
                seen="a PrometheusRule that is not this owner's",
                expected=f"none of that name, or one with the label {ownership.LABEL}={self._owner}",
                remedy="rename or delete that resource",
            )
        metadata = {**content["metadata"], "annotations": {_ANNOTATION: mark}}
        resource = json.dumps({**content, "metadata": metadata})
        self._run("apply", "--server-side", "--force-conflicts", "--field-manager=aumos-otel", "-f", "-", text=resource)

    def delete(self, name: str) -> None:
        """Remove one of the owner's resources."""
        self._run("delete", _KIND, name, "--ignore-not-found")

    def finish(self) -> None:
        """The operator finds them by itself."""

    def _run(self, *arguments: str, text: str | None = None) -> str:
        program = shutil.which("kubectl")
        if program is None:
            raise RolloutError(self.address, seen="no kubectl", expected="kubectl on PATH", remedy="install it")
        command = [program, "--namespace", self._namespace, *arguments]
        try:
            done = subprocess.run(  # noqa: S603 - the user's own kubectl, no shell
                command, input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            seen = f"no answer in {_TIMEOUT:g} s"
        else:
            if done.returncode == 0:
                return done.stdout
            seen = done.stderr.strip()
        raise RolloutError(
            f"{self.address}: kubectl {arguments[0]}",
            seen=seen,
            expected="success",
            remedy="see that kubectl has a context, and that the operator's PrometheusRule is installed there",
        )


def _actual(item: dict[str, Any]) -> Actual:
    """What of a resource is ours to say; the rest is the server's."""
    metadata = item["metadata"]
    annotations = dict(metadata.get("annotations", {}))
    mark = annotations.pop(_ANNOTATION, "")
    kept: dict[str, Any] = {key: metadata[key] for key in ("name", "namespace", "labels") if key in metadata}
    content = {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": kept, "spec": item["spec"]}
    return Actual(content, mark)
