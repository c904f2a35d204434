"""The objectives of the control plane by its REST contract, until there is one: create, list by page, change, delete."""

from __future__ import annotations

import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PATH = "/api/v1/slos"
CHANGEABLE = {
    *("name", "description", "target_percentage", "fast_burn_threshold", "slow_burn_threshold", "labels", "is_active")
}


class ControlPlane:
    """Rows by id."""

    def __init__(self, token: str) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self._token = token
        self._ids = itertools.count(1)

    def add(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with an id."""
        made = {**row, "id": str(next(self._ids))}
        self.rows[made["id"]] = made
        return made

    def __enter__(self) -> Self:
        plane = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Quiet."""

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                status, content = plane.answer(self.command, self.path, body, self.headers.get("Authorization"))
                text = b"" if content is None else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815 - the library's names

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, url: str, body: dict[str, Any], authorization: str | None) -> tuple[int, Any]:
        """Status and content of an answer."""
        if authorization != f"Bearer {self._token}":
            return 401, {"detail": "no token"}
        parts = urlsplit(url)
        key = parts.path.removeprefix(PATH).strip("/")
        if key and key not in self.rows:
            return 404, {"detail": "not found"}
        if method == "POST":
            return 201, self.add(body)
        if method == "DELETE":
            del self.rows[key]
            return 204, None
        if method == "PUT":
            fixed = sorted(set(body) - CHANGEABLE)
            self.rows[key].update({} if fixed else body)
            return (422, {"detail": f"cannot be changed: {fixed}"}) if fixed else (200, self.rows[key])
        asked = parse_qs(parts.query)
        page, size = int(asked["page"][0]), int(asked["page_size"][0])
        items = list(self.rows.values())[(page - 1) * size : page * size]
        return 200, {"items": items, "total": len(self.rows), "page": page, "page_size": size}
