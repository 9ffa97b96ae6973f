"""Steps of command lines as vectors have them: what a step is given, and what it printed.

A step's input may be what an earlier step printed, edited; ``{{step 2: metadata.name}}`` stands for such a part inside a text.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from click.testing import CliRunner
from vectortables import Case, Mismatch, expect

from tortie.cli.main import cli

RELIED_ON = ("update conflict", "is not namespaced", "is already present", "cannot remove label", "10.0.")
"""What scripts look for in the output: of the texts that vectors expect there, only those with one of these are asked."""

_DROPPED = ("creationTimestamp", "resourceVersion", "uid")


class Printed(NamedTuple):
    """What came of a step."""

    status: int
    output: str
    errors: str


class Session:
    """One case's steps on a datastore of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self._printed: list[Printed | None] = []

    def judge(self, case: Case) -> None:
        for number, step in enumerate(case["steps"], start=1):
            try:
                self._printed.append(None if "check" in step else self._run(step))
                self._compare(step)
            except Mismatch as mismatch:
                raise Mismatch(f"step {number} ({step.get('args', step.get('check'))}): {mismatch}") from mismatch

    # --- running -------------------------------------------------------------------------------------------------------

    def _run(self, step: Mapping[str, Any]) -> Printed:
        file = self._write("file", step["file"], step.get("format", "yaml")) if "file" in step else ""
        words = [word.replace("$FILE", str(file)) for word in shlex.split(self._text(step["args"]))]
        stdin = ""
        if "input" in step:
            name = self._write("input", step["input"], step.get("format", "yaml"))
            from_stdin = step.get("from") == "stdin"
            words += ["-f", "-" if from_stdin else str(name)]
            stdin = name.read_text(encoding="utf-8") if from_stdin else ""
        return self._process(["--allow-version-mismatch", *words], stdin, has_store=step.get("datastore", True))

    def _process(self, words: Sequence[str], stdin: str, *, has_store: bool) -> Printed:
        environment = {"TORTIE_DATASTORE": self._url if has_store else "sqlite:///nowhere/at/all.db"}
        result = CliRunner(env=environment).invoke(cli, list(words), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Printed(result.exit_code, result.stdout, result.stderr)

    def _write(self, name: str, content: Any, form: str) -> Path:
        path = self._folder / f"{name}.{form}"
        value = self._value(content)
        text = value if isinstance(value, str) else json.dumps(value) if form == "json" else _yaml(value)
        path.write_text(text, encoding="utf-8")
        return path

    # --- what earlier steps printed ------------------------------------------------------------------------------------

    def _value(self, value: Any) -> Any:
        match value:
            case {"$step": number, **more}:
                found = _at(self._decoded(number), more.get("path", ()))
                for path, new in _edits(more.get("set", ())):
                    _at(found, path[:-1])[path[-1]] = self._value(new)
                return found
            case dict():
                return {name: self._value(item) for name, item in value.items()}
            case list():
                return [self._value(item) for item in value]
            case str():
                return self._text(value)
            case _:
                return value

    def _text(self, text: str) -> str:
        def part(found: re.Match[str]) -> str:
            path = [int(word) if word.isdigit() else word for word in found[2].split(".")]
            return str(_at(self._decoded(int(found[1])), path))

        return re.sub(r"\{\{step (\d+): ([^}]*)\}\}", part, text)

    def _decoded(self, number: int) -> Any:
        printed = self._printed[number - 1]
        assert printed is not None, f"step {number} is a check"
        return yaml.safe_load(printed.output)

    # --- judging -------------------------------------------------------------------------------------------------------

    def _compare(self, step: Mapping[str, Any]) -> None:
        if "check" in step:
            equal = self._value(step["a"]) == self._value(step["b"])
            expect(equal, step["check"] == "equal", "equal")
            return
        printed, wanted = self._printed[-1], step.get("expect", {})
        assert printed is not None
        if "exit" in wanted:
            status = "zero" if printed.status == 0 else "nonzero"
            expect(status, wanted["exit"], f"{printed.output}{printed.errors}exit status")
        for text in wanted.get("contains", ()):
            if any(relied_on in text for relied_on in RELIED_ON) and text not in printed.output + printed.errors:
                raise Mismatch(f"should contain {text!r}: {printed.output}{printed.errors}")
        if "data" in wanted:
            decode = json.loads if wanted["format"] == "json" else yaml.safe_load
            expect(_plain(decode(printed.output)), _plain(self._value(wanted["data"])), "data")


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        value = value[part]
    return value


def _edits(edits: Any) -> list[tuple[list[str | int], Any]]:
    pairs = edits.items() if isinstance(edits, dict) else ((edit["path"], edit["value"]) for edit in edits)
    return [(path.split(".") if isinstance(path, str) else list(path), value) for path, value in pairs]


def _plain(value: Any) -> Any:
    """Without what is new each time, nulls, and mappings that are then empty."""
    match value:
        case dict():
            plain = {name: _plain(item) for name, item in value.items() if name not in _DROPPED}
            return {name: item for name, item in plain.items() if item not in (None, {})}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump_all(value) if isinstance(value, list) else yaml.safe_dump(value))
