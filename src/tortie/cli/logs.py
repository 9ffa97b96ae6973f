"""Where log records go: standard error, as text for people or as one JSON object a line."""

from __future__ import annotations

import logging
import time

LEVELS = {
    "debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR,
    "warn": logging.WARNING, "fatal": logging.CRITICAL, "panic": logging.CRITICAL,
}  # fmt: skip
"""Also by calicoctl's names, the last three."""


class JSONFormatter(logging.Formatter):
    """``{"time", "level", "logger", "message"}``, and ``"exception"`` where there is one; the time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        import json  # noqa: PLC0415 - every command configures its log, and few write JSON

        entry = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure(level: str, style: str) -> None:
    """Send records of *level* and above to standard error; *style* is ``text`` or ``json``."""
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JSONFormatter() if style == "json" else text)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(LEVELS[level])
