"""YAML as we print it: our reader, which is Calico's, reads it back as the same."""

from __future__ import annotations

import yaml

from tortie.model.yamlscalars import resolve
from tortie.model.yamltree import Position, ScalarNode

_LINE_BREAKS = frozenset("\r\x85\u2028\u2029")
"""Beside the line feed."""


def yaml_text(value: object) -> str:
    """*value* as YAML, in the order given."""
    return _dumped(value, flow=False)


def yaml_lines(value: object) -> list[str]:
    """*value* as people write it: collections of which nothing is a collection stand on one line."""
    return _dumped(value, flow=None).splitlines()


def yaml_item_lines(value: object) -> list[str]:
    """*value* as an item of a list: ``- ``, and its lines."""
    return yaml_lines([value]) if isinstance(value, dict | list) else [f"- {yaml_line(value)}"]


def yaml_line(value: object) -> str:
    """*value* on one line: ``{a: [b, c]}``."""
    return _dumped([value], flow=True)[1:-2]


def _dumped(value: object, *, flow: bool | None) -> str:
    width = 100_000 if flow else 120 if flow is None else 1_000
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=flow)
    assert isinstance(text, str)
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes every text that would be taken for a number, a truth value or null."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "'" if resolve(ScalarNode(Position(1, 1), text, True, "")) != text else None
    if _LINE_BREAKS.intersection(text):
        style = '"'  # the only style in which YAML can escape them
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
