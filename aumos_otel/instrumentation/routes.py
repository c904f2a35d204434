"""The route template of a request, read from what Starlette and FastAPI leave in the ASGI scope.

The scope is looked at after the router has run, so nothing is matched twice and a request that
matched no route has no template: its span keeps the bare method as name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a mounted application without routes of its own (static files, WSGI) adds to the template.
_REST: Final = "/{path}"


def template(scope: Mapping[str, Any], root_at_entry: str) -> str | None:
    """The template, e.g. ``/items/{item_id}``; None when no route matched.

    Args:
        scope: as the router left it.
        root_at_entry: its ``root_path`` before the application ran; it belongs to the template.
    """
    root = str(scope.get("root_path") or "")
    prefix = _prefix(root, root_at_entry, scope.get("path_params") or {})
    route = scope.get("route")
    if route is not None and not hasattr(route, "routes"):
        return prefix + _path(scope, route)
    if len(root) > len(root_at_entry):
        return prefix + _REST
    path = _path_of_endpoint(scope)
    return None if path is None else prefix + path


def _prefix(root: str, root_at_entry: str, path_params: Mapping[str, Any]) -> str:
    """The mounted part of the path, with values of path parameters put back to their names."""
    mounted = root.removeprefix(root_at_entry)
    if mounted:
        for name, value in path_params.items():
            mounted = f"{mounted}/".replace(f"/{value}/", f"/{{{name}}}/", 1).removesuffix("/")
    return root_at_entry.rstrip("/") + mounted


def _path(scope: Mapping[str, Any], route: Any) -> str:
    """The template of a route; FastAPI >= 0.137 keeps the prefix of an included router elsewhere."""
    included = scope.get("fastapi")
    context = included.get("effective_route_context") if isinstance(included, dict) else None
    if context is not None and getattr(context, "original_route", None) is route:
        return str(context.path_format)
    return str(getattr(route, "path_format", None) or getattr(route, "path", ""))


def _path_of_endpoint(scope: Mapping[str, Any]) -> str | None:
    """For a plain Starlette route, which some versions do not name in the scope."""
    endpoint, app = scope.get("endpoint"), scope.get("app")
    if endpoint is None:
        return None
    paths = {
        getattr(route, "path_format", None)
        for route in getattr(app, "routes", ())
        if getattr(route, "endpoint", None) is endpoint
    }
    return paths.pop() if len(paths) == 1 else None
