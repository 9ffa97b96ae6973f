"""The reference pages: Markdown for each kind, and an index, which also has what all kinds share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tortie.cli.reference.examples import examples, shown
from tortie.cli.reference.naming import names, stem
from tortie.cli.reference.text import default_text
from tortie.cli.reference.tree import NO_DEFAULT, FieldDoc, StructDoc, describe_kind, structs
from tortie.cli.reference.types import choices, limits, type_text
from tortie.model import meta
from tortie.model.kinds import KINDS, Kind

INDEX = "README.md"
_MADE = "<!-- Made by `make reference` from the declarations in src/tortie/model; changes here are lost. -->"
_INTRODUCTION = """\
# Reference

The kinds of resources and their fields. `tortie fields KIND` shows the same in a terminal, `tortie schema` gives it to editors.

A field that is not required may be left out; its default is what it then means. Names are written as here; what a field
refuses beyond its type, `tortie validate` tells for a file.
"""


def pages() -> Mapping[str, str]:
    """The text of every page, by its file's name."""
    return {INDEX: _index(), **{f"{stem(kind)}.md": _page(kind) for kind in KINDS}}


def write_pages(folder: Path) -> None:
    """Make *folder* hold these pages and no others."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    for path in folder.glob("*.md"):
        if path.name not in wanted:
            path.unlink()


def _index() -> str:
    shared = {
        struct.cls: struct
        for kind in KINDS
        for struct in structs(describe_kind(kind))
        if _is_shared(struct) and struct.cls is not kind.struct
    }
    lines = [_INTRODUCTION, "| kind | apiVersion | scope | what it is |", "|---|---|---|---|", *map(_index_row, KINDS)]
    lines += ["", "## What all kinds share", ""]
    for struct in shared.values():
        lines += _section(struct, "###")
    return _text(lines)


def _index_row(kind: Kind) -> str:
    what = describe_kind(kind).description.partition("\n")[0]
    return f"| [{kind.name}]({stem(kind)}.md) | `{kind.api_version}` | {_scope(kind)} | {_prose(what)} |"


def _page(kind: Kind) -> str:
    root = describe_kind(kind)
    lines = [f"# {kind.name}", "", *_paragraphs(root.description)]
    lines += [f"`apiVersion: {kind.api_version}` · {_scope(kind)} · also called {', '.join(_other_names(kind))}", ""]
    lines += [*_table(root), ""]
    for struct in structs(root):
        if struct is not root and not _is_shared(struct):
            lines += _section(struct, "##")
    lines += [*_example(kind), f"All kinds: [{INDEX}]({INDEX})"]
    return _text(lines)


def _example(kind: Kind) -> Iterator[str]:
    """A resource as a file has it, and as `tortie get` shows it."""
    text = examples()[kind]
    yield from ("## Example", "", "```yaml", *text.splitlines(), "```", "", "```text", *shown(kind, text), "```", "")


def _text(lines: list[str]) -> str:
    return "\n".join([_MADE, "", *lines]).rstrip() + "\n"


def _scope(kind: Kind) -> str:
    return "in a namespace" if kind.namespaced else "cluster-wide"


def _other_names(kind: Kind) -> list[str]:
    return [f"`{name}`" for name in names(kind)[1:]]


def _is_shared(struct: StructDoc) -> bool:
    return struct.cls.__module__ == meta.__name__


def _section(struct: StructDoc, level: str) -> Iterator[str]:
    yield f"{level} {struct.cls.__name__}"
    yield ""
    yield from _paragraphs(struct.description)
    yield from _table(struct)
    yield ""


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in filter(None, text.split("\n")):
        yield _prose(paragraph)
        yield ""


def _table(struct: StructDoc) -> Iterator[str]:
    if struct.fields:
        yield "| field | type | default | what it is |"
        yield "|---|---|---|---|"
        yield from map(_row, struct.fields)
    if struct.kept is None:
        yield "\nAny other field is kept as it is."
    elif struct.kept:
        yield f"\nKept as they are: {', '.join(f'`{name}`' for name in sorted(struct.kept))}."


def _row(field: FieldDoc) -> str:
    default = "required" if field.required else "" if field.default is NO_DEFAULT else f"`{default_text(field)}`"
    return f"| `{field.name}` | {_type(field)} | {default} | {_what(field)} |".replace("  ", " ")


def _type(field: FieldDoc) -> str:
    text = type_text(field.type)
    if field.struct is None:
        return text
    name = field.struct.cls.__name__
    target = f"{INDEX if _is_shared(field.struct) else ''}#{name.lower()}"
    return text.replace(name, f"[{name}]({target})")


def _what(field: FieldDoc) -> str:
    values = [
        f"`{choice.value}`" + (f" ({_in_brackets(choice.description)})" if choice.description else "")
        for choice in choices(field.type)
    ]
    parts = [
        field.description.replace("\n", "<br>"),
        f"Always {values[0]}." if len(values) == 1 else f"One of {', '.join(values)}." if values else "",
        f"Limits: {limits(field.type)}." if limits(field.type) else "",
    ]
    return _prose(" ".join(filter(None, parts)))


def _in_brackets(sentence: str) -> str:
    text = sentence.removesuffix(".")
    return text[:1].lower() + text[1:]


def _prose(text: str) -> str:
    """*text* as Markdown shows it: bars must not end a table's cell, nor ``<name>`` pass for HTML outside code."""
    parts = re.split(r"(`[^`]*`)", text.replace("|", r"\|"))
    return "".join(part if part.startswith("`") else re.sub(r"<(?!br>)", "&lt;", part) for part in parts)
