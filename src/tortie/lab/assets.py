"""The files of the pages, the collector's and any lab's. They load nothing else: their policy forbids that to the browser."""

from __future__ import annotations

from importlib import resources

from tortie.lab import http

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_FIELDS = (
    ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),
)

_FOLDER = resources.files("tortie.lab") / "page"


def _paths() -> dict[str, str]:
    """Where each file that a page refers to is served."""
    names = sorted(file.name for file in _FOLDER.iterdir() if file.name.endswith(tuple(_TYPES)))
    return {f"/assets/{name}": name for name in names if not name.endswith(".html")}


_PATHS = _paths()


def asset(path: str, page: str) -> http.Response:
    """What ``GET`` *path* answers: the *page* at ``/``, a file that pages refer to, or 404."""
    name = page if path == "/" else _PATHS.get(path)
    if name is None:
        return http.NOT_FOUND
    suffix = name[name.rindex(".") :]
    return http.Response(200, (_FOLDER / name).read_bytes(), _TYPES[suffix], _FIELDS)
