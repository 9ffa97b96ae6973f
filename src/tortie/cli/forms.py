"""What ``-o`` of ``get`` says: the form in which resources are printed, read and refused before a datastore is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from tortie.cli.jsonpath import Template

PLAIN = ("ps", "wide", "json", "yaml", "name")
WITH_TEXT = ("custom-columns", "custom-columns-file", "jsonpath", "jsonpath-file")
_GO = ("go-template", "go-template-file")
EXPECTED = "expected ps, wide, yaml, json, name, custom-columns=HEADER:PATH,… or jsonpath=TEMPLATE"


class Form(NamedTuple):
    """How to print: one of ``PLAIN``, ``jsonpath`` or ``custom-columns``."""

    name: str
    template: Template | None = None
    """Of ``jsonpath``."""
    columns: tuple[str, ...] = ()
    """Of ``custom-columns``: each ``HEADER:PATH``, or ``HEADER`` of one of the kind's own columns."""


class FormType(click.ParamType[Form]):
    """``-o``'s value."""

    name = "form"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Form:
        if isinstance(value, Form):
            return value
        word, equals, text = str(value).partition("=")
        if word in PLAIN and not equals:
            return Form(word)
        if word in _GO:
            self.fail(_instead_of_go(word, text), param, ctx)
        if word not in WITH_TEXT or not text:
            self.fail(f"{value!r} is no form; {EXPECTED}", param, ctx)
        if word.endswith("-file"):
            word, text = word.removesuffix("-file"), _content(text)
        return self._columns(text) if word == "custom-columns" else self._template(text, param, ctx)

    def _columns(self, text: str) -> Form:
        """In a file, as kubectl has it: a line of headers and a line of paths."""
        lines = text.splitlines()
        if len(lines) > 1:
            pairs = zip(lines[0].split(), lines[1].split(), strict=False)
            return Form("custom-columns", columns=tuple(":".join(pair) for pair in pairs))
        return Form("custom-columns", columns=tuple(text.split(",")))

    def _template(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Form:
        from tortie.cli.jsonpath import JSONPathError, parse_template  # noqa: PLC0415 - few commands need it

        try:
            return Form("jsonpath", template=parse_template(text))
        except JSONPathError as error:
            self.fail(f"{text!r} is no JSONPath: {error}", param, ctx)


def _content(name: str) -> str:
    from tortie.cli.manifests import decoded  # noqa: PLC0415 - YAML takes time to load, and few forms come from files

    return decoded(name, Path(name).read_bytes())


def _instead_of_go(word: str, text: str) -> str:
    from tortie.cli.gotemplate import EXAMPLE, as_jsonpath  # noqa: PLC0415 - for this message only

    template = _content(text) if word.endswith("-file") and text else text
    instead = as_jsonpath(template) if template else None
    hint = f"'{instead}'" if instead else f"something like {EXAMPLE}"
    return f"Go templates are not supported; use -o jsonpath={hint}"
