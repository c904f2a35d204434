"""The little of a Kubernetes API server that kubectl needs for one kind: no Kubernetes runs on a test machine.

The real kubectl talks to it; that a real API server answers alike is not proven by it.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml

GROUP, VERSION, PLURAL, KIND = "monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule"


class KubernetesAPI:
    """Keeps resources by name; ``kubeconfig`` is what kubectl is to be given."""

    def __init__(self, directory: Path) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.kubeconfig = directory / "kubeconfig"

    def __enter__(self) -> Self:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                self._answer(*api.read(self.path))

            def do_PATCH(self) -> None:
                body = yaml.safe_load(self.rfile.read(int(self.headers["Content-Length"])))
                name = urlsplit(self.path).path.rpartition("/")[2]
                api.items[name] = body
                self._answer(200, api.item(name))

            def do_DELETE(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                name = urlsplit(self.path).path.rpartition("/")[2]
                found = api.items.pop(name, None)
                self._answer(
                    *((200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}) if found else MISSING)
                )

            def _answer(self, status: int, content: dict[str, Any]) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        cluster = {"server": f"http://127.0.0.1:{self._server.server_port}"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        self.kubeconfig.write_text(json.dumps(config))
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def item(self, name: str) -> dict[str, Any]:
        """A resource as the server shows it, with fields of its own."""
        item = self.items[name]
        return {**item, "metadata": {**item["metadata"], "uid": "1", "resourceVersion": "7", "generation": 1}}

    def read(self, url: str) -> tuple[int, dict[str, Any]]:
        """The answer to a GET."""
        parts = urlsplit(url)
        resource = {"name": PLURAL, "singularName": "prometheusrule", "namespaced": True, "kind": KIND}
        resource["verbs"] = ["get", "list", "create", "patch", "delete"]
        version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
        group = {"name": GROUP, "versions": [version], "preferredVersion": version}
        here = f"apis/{GROUP}/{VERSION}"
        patch = {
            "x-kubernetes-group-version-kind": {"group": GROUP, "version": VERSION, "kind": KIND},
            "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
            "responses": {},
        }
        paths = {f"/{here}/namespaces/{{namespace}}/{PLURAL}/{{name}}": {"patch": patch}}
        document = {"openapi": "3.0.0", "info": {"title": "k", "version": "1"}, "paths": paths}
        fixed: dict[str, dict[str, Any]] = {
            "/openapi/v3": {"paths": {here: {"serverRelativeURL": f"/openapi/v3/{here}?hash=1"}}},
            f"/openapi/v3/{here}": document,
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]},
            f"/apis/{GROUP}/{VERSION}": {
                "kind": "APIResourceList",
                "groupVersion": f"{GROUP}/{VERSION}",
                "resources": [resource],
            },
        }
        if parts.path in fixed:
            return 200, fixed[parts.path]
        before, _, name = parts.path.partition(f"/{PLURAL}")
        if not before.startswith(f"/apis/{GROUP}/{VERSION}/namespaces/"):
            return MISSING
        if name:
            return (200, self.item(name[1:])) if name[1:] in self.items else MISSING
        wanted = parse_qs(parts.query).get("labelSelector", [""])[0].partition("=")
        chosen = [
            self.item(each)
            for each, item in self.items.items()
            if not wanted[0] or item["metadata"].get("labels", {}).get(wanted[0]) == wanted[2]
        ]
        metadata = {"resourceVersion": "7"}
        return 200, {"kind": f"{KIND}List", "apiVersion": f"{GROUP}/{VERSION}", "metadata": metadata, "items": chosen}


MISSING: tuple[int, dict[str, Any]] = (
    404,
    {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "NotFound",
        "code": 404,
        "message": "not found",
    },
)
