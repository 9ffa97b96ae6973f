"""The files of the collector's page."""

from __future__ import annotations

from importlib import resources

from tortie.lab import http

_FILES = {
    "/": ("stars.html", "text/html; charset=utf-8"),
    "/assets/stars.css": ("stars.css", "text/css; charset=utf-8"),
    "/assets/stars.js": ("stars.js", "text/javascript; charset=utf-8"),
}


def asset(path: str) -> http.Response:
    """What ``GET`` *path* answers: a file of the page, or 404."""
    if path not in _FILES:
        return http.NOT_FOUND
    name, content_type = _FILES[path]
    return http.Response(200, (resources.files("tortie.lab") / "page" / name).read_bytes(), content_type)
