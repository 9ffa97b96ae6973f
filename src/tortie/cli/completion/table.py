"""The table that completion answers from, made from the commands and kinds as they are declared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from tortie.cli.forms import PLAIN, FormType
from tortie.cli.main import COMMANDS, LazyGroup, cli
from tortie.cli.reference.naming import names
from tortie.model.kinds import KINDS

_HEAD = '''\
"""Every command, option and kind, for completion. Made by `make reference` from the declarations; changes here are lost."""

# fmt: off
from __future__ import annotations
'''
_FORMS = (*PLAIN, "custom-columns=", "jsonpath=")
FILES, KIND, RESOURCES, NAMESPACE, TEXT = "files", "kind", "resources", "namespace", "text"
"""What can stand for a value: names of files, of a kind, of a kind and its resources, of a namespace, or anything."""


def write_table(path: Path) -> None:
    """Write the module ``words``."""
    path.write_text(table_text(), encoding="utf-8")


def table_text() -> str:
    """The source of the module ``words``."""
    lines = [
        _HEAD,
        "COMMANDS: dict[str, tuple[dict[str, str], dict[str, str | tuple[str, ...]], str | tuple[str, ...]]] = {",
    ]
    lines += [
        f"    {path!r}: ({_commands(command)!r}, {_options(command)!r}, {_arguments(command)!r}),"
        for path, command in _walk(cli)
    ]
    lines += [
        "}", '"""By its words: the commands below it, its options with what their values can be (empty: none), its arguments."""', "",
        "KINDS: dict[str, tuple[str, bool]] = {",
        *(f"    {name!r}: ({kind.prefix!r}, {kind.namespaced!r})," for kind in KINDS for name in names(kind)),
        "}", '"""By each name: what the keys of its resources begin with, and whether they are in namespaces."""', "",
        f"PLURALS: tuple[str, ...] = {tuple(names(kind)[1] for kind in KINDS)!r}",
        '"""The name of each kind that is offered first."""', "",
    ]  # fmt: skip
    return "\n".join(lines)


def _walk(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    for name, child in _children(command):
        yield from _walk(child, f"{path} {name}".strip())


def _children(command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield name, child


def _commands(command: click.Command) -> dict[str, str]:
    summaries = {name: source.summary for name, source in COMMANDS.items()} if isinstance(command, LazyGroup) else {}
    return {name: summaries.get(name) or child.get_short_help_str(limit=100) for name, child in _children(command)}


def _options(command: click.Command) -> dict[str, str | tuple[str, ...]]:
    options: dict[str, str | tuple[str, ...]] = {"--help": ""}
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            for name in (*param.opts, *param.secondary_opts):
                options[name] = "" if param.is_flag else _values(param)
    return options


def _arguments(command: click.Command) -> str | tuple[str, ...]:
    found = [param for param in command.params if isinstance(param, click.Argument)]
    return _values(found[0], several=len(found) > 1 or found[0].nargs < 0) if found else ""


def _values(param: click.Parameter, *, several: bool = False) -> str | tuple[str, ...]:
    """What a value of *param* can be."""
    metavar = param.metavar or ""
    if isinstance(param.type, click.Choice):
        return tuple(map(str, param.type.choices))
    if isinstance(param.type, FormType):
        return _FORMS
    if isinstance(param.type, click.Path) or "FILE" in metavar:
        return FILES
    if "KIND" in metavar:
        return RESOURCES if several else KIND
    return NAMESPACE if metavar == "NS" else TEXT
