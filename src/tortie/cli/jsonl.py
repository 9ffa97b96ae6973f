"""Questions and answers as JSON lines: one question a line on standard input, one answer a line on standard output, in order.

For scripts and editors: one process answers any number. A line that cannot be answered gets ``{"error": …}``, and the
next ones are answered all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
import msgspec

Answer = dict[str, Any]


class UnanswerableError(ValueError):
    """A line that is no question of this kind; the text says what was expected."""


def answer_lines(answer: Callable[[bytes], Answer]) -> None:
    """Answer every line by *answer*; each answer is written before the next line is read."""
    for line in sys.stdin.buffer:
        click.echo(msgspec.json.encode(_answered(answer, line.strip())).decode())


def _answered(answer: Callable[[bytes], Answer], line: bytes) -> Answer:
    try:
        return answer(line)
    except UnanswerableError as error:
        return {"error": str(error)}


def json_object(line: bytes) -> Answer:
    """The JSON object that *line* is; UnanswerableError if it is none."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnanswerableError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UnanswerableError(f"expected a JSON object, got {line[:60].decode(errors='replace')}")
    return value
