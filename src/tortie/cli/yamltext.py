"""YAML as we print it: our reader, which is Calico's, reads it back as the same."""

from __future__ import annotations

import yaml

from tortie.model.yamlscalars import resolve
from tortie.model.yamltree import Position, ScalarNode

_LINE_BREAKS = frozenset("\r\x85\u2028\u2029")
"""Beside the line feed."""


def yaml_text(value: object) -> str:
    """*value* as YAML, in the order given."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000)
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
