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


def template(scope: Mapping[str, Any]) -> str | None:
    """The template, e.g. ``/items/{item_id}``, with the application's root path; None when no route matched."""
    root = str(scope.get("root_path") or "").rstrip("/")
    base = str(scope.get("app_root_path", root)).rstrip("/")  # a mount leaves the application's own root path here
    mounted = root.removeprefix(base)
    prefix = base + _named(mounted, scope.get("path_params") or {}) if mounted else base
    route = scope.get("route")
    if route is not None and not hasattr(route, "routes"):
        return prefix + _path(scope, route)
    path = _path_of_endpoint(scope)
    if path is not None:
        return prefix + path
    return prefix + _REST if mounted else None


def _named(mounted: str, path_params: Mapping[str, Any]) -> str:
    """The mounted part of the path, with values of path parameters put back to their names."""
    for name, value in path_params.items():
        mounted = f"{mounted}/".replace(f"/{value}/", f"/{{{name}}}/", 1).removesuffix("/")
    return mounted


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
