"""The documentation as tests see it: its pages, and what they tell a reader to type.

In a ``console`` block a line after the prompt ``$`` (or ``#``, as root) is a command, continued after ``>``; the lines below it are
what the reader sees, with ``…`` for anything that may differ. A ``sh`` block is typed as it stands and shows no output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

PAGES = sorted(path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))

_FENCE = re.compile(r"^```(\S*)$")


class Block(NamedTuple):
    """A fenced block: the word after its fence, the number of its first line, its lines."""

    language: str
    line: int
    lines: tuple[str, ...]


class Command(NamedTuple):
    """What the reader types, where it stands in the page, and what the page shows then; None: nothing is said about that."""

    text: str
    line: int
    output: str | None


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    opened: tuple[str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate((ROOT / page).read_text().splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence is None:
            lines.append(line)
        elif opened is None:
            opened, lines = (fence[1], number + 1), []
        else:
            yield Block(*opened, tuple(lines))
            opened = None
    assert opened is None, f"{page}: the block of line {opened} is not closed"


def prose(page: Path) -> str:
    """The text outside fenced blocks."""
    return re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def code_spans(page: Path) -> Iterator[str]:
    """What stands between single backticks, line breaks read as spaces."""
    return (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page)))


def commands(page: Path) -> Iterator[Command]:
    """Everything that the page says to type, in order."""
    for block in blocks(page):
        match block.language:
            case "console":
                yield from _of_console(block)
            case "sh":
                yield Command("\n".join(block.lines), block.line, None)


def _of_console(block: Block) -> Iterator[Command]:
    typed: list[str] = []
    shown: list[str] = []
    begun = block.line
    prompt = block.lines[0][:2]  # of the whole block, since a line of output may begin like the other one
    assert prompt in ("$ ", "# "), f"line {block.line} has no prompt"
    for number, line in enumerate((*block.lines, prompt), start=block.line):
        if line.startswith(prompt):
            if typed:
                yield Command("\n".join(typed), begun, "\n".join(shown))
            typed, shown, begun = [line[2:]], [], number
        elif line.startswith("> ") and not shown:
            typed.append(line[2:])
        else:
            shown.append(line)


def matches(shown: str, seen: str) -> bool:
    """Whether *seen* is what the page shows; a line of ``…`` alone stands for any lines, blanks at a line's end do not count."""
    pattern = []
    for line in shown.splitlines():
        if line == "…":
            pattern.append(r"(?:.*\n)*?")
        else:
            pattern.append("".join(r".*" if part == "…" else re.escape(part) for part in re.split("(…)", line)) + r"\n")
    lines = [line.rstrip() for line in seen.splitlines()]
    return re.fullmatch("".join(pattern), "".join(line + "\n" for line in lines)) is not None
