"""Answering a shell: the words that could stand where the cursor is. Never an error: a shell has nowhere to show one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from tortie.cli.completion.words import COMMANDS, KINDS, PLURALS

_MOST_NAMES = 1_000


def answer(words: Sequence[str]) -> None:
    """Print the answer to *words*: the shell's name, then those of the command line up to the cursor, the last one unfinished.

    Each candidate is a line, with a tab and a description where there is one; the last line is ``:files`` where the shell is to
    offer its files, ``:more`` where a candidate is not the whole word, else ``:``.
    """
    try:
        shell, _, *line, current = words
        candidates, directive = Line(line, current, shell).candidates()
    except Exception:  # noqa: BLE001 - whatever is wrong, the user is in the middle of typing
        candidates, directive = {}, ":"
    for word, description in candidates.items():
        sys.stdout.write(f"{word}\t{description}\n" if description else f"{word}\n")
    sys.stdout.write(f"{directive}\n")


class Line:
    """A command line that is being typed."""

    def __init__(self, words: Sequence[str], current: str, shell: str) -> None:
        self._prefix = ""
        """Of the current word: what stands before the value that is completed."""
        self._given: dict[str, str] = {}
        """The options so far, with their values."""
        self._arguments: list[str] = []
        self._command = ""
        self._pending = ""
        """The option whose value comes next."""
        self._only_arguments = False
        words = _joined([*words, current]) if shell == "bash" else [*words, current]
        for word in words[:-1]:
            self._take(word)
        self._current = words[-1]
        if self._current.startswith("--") and "=" in self._current and not self._only_arguments:
            self._pending, _, self._current = self._current.partition("=")
            # bash completes what stands after the sign alone, the others the whole word
            self._prefix = "" if shell == "bash" else f"{self._pending}="

    def _take(self, word: str) -> None:
        commands, options, _ = COMMANDS[self._command]
        if self._pending:
            self._given[self._pending], self._pending = word, ""
        elif word == "--":
            self._only_arguments = True
        elif word.startswith("-") and not self._only_arguments:
            name, equals, value = word.partition("=")
            if equals:
                self._given[name] = value
            elif options.get(name):
                self._pending = name
            else:
                self._given[name] = ""
        elif word in commands:
            self._command = f"{self._command} {word}".strip()
        else:
            self._arguments.append(word)

    def candidates(self) -> tuple[Mapping[str, str], str]:
        """The words that could be meant, with their descriptions, and the directive."""
        commands, options, arguments = COMMANDS[self._command]
        if self._pending:
            return self._of_values(options.get(self._pending, ""))
        if self._current.startswith("-") and not self._only_arguments:
            return {name: "" for name in options if name.startswith(self._current)}, ":"
        if commands:
            return {name: text for name, text in commands.items() if name.startswith(self._current)}, ":"
        return self._of_values(arguments)

    def _of_values(self, values: str | tuple[str, ...]) -> tuple[Mapping[str, str], str]:
        if values == "files":
            return {}, ":files"
        found = [word for word in self._possible(values) if word.startswith(self._current)]
        more = any(word.endswith(("=", "/")) for word in found)
        return dict.fromkeys((f"{self._prefix}{word}" for word in found), ""), ":more" if more else ":"

    def _possible(self, values: str | tuple[str, ...]) -> Iterator[str]:
        match values:
            case tuple():
                yield from values
            case "kind":
                yield from self._kinds() if not self._arguments else ()
            case "resources" if not self._arguments and "/" in self._current:
                kind = self._current.partition("/")[0]
                yield from (f"{kind}/{name}" for name in self._names(kind))
            case "resources" if not self._arguments:
                yield from self._kinds()
            case "resources":
                yield from (name for name in self._names(self._arguments[0]) if name not in self._arguments[1:])
            case "namespace":
                yield from self._names("namespace")

    def _kinds(self) -> Iterator[str]:
        plurals = [name for name in PLURALS if name.startswith(self._current)]
        yield from plurals or KINDS

    def _names(self, kind: str) -> Iterator[str]:
        if kind.lower() not in KINDS:
            return
        prefix, namespaced = KINDS[kind.lower()]
        if namespaced:
            prefix += f"{self._option('-n', '--namespace') or 'default'}/"
        from tortie.cli.completion.names import names_below  # noqa: PLC0415 - only names need a datastore

        yield from names_below(
            prefix, self._option("--datastore"), self._option("--lab"), self._option("-c", "--config"), _MOST_NAMES
        )

    def _option(self, *names: str) -> str | None:
        return next((self._given[name] for name in names if name in self._given), None)


def _joined(words: Sequence[str]) -> list[str]:
    """*words* of bash, which takes ``--output=yaml`` for three."""
    joined: list[str] = []
    for word in words:
        after_sign = joined and joined[-1].startswith("--") and joined[-1].endswith("=")
        if joined and (after_sign or (word == "=" and joined[-1].startswith("--"))):
            joined[-1] += word
        else:
            joined.append(word)
    return joined
