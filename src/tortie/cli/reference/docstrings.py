"""The docstrings of a declaration, read from its source: those of classes, and those after their attributes.

Python keeps no docstring of an attribute, so the source is parsed. In it, a string that stands alone after an attribute
belongs to it, whether the attribute is a struct's field or an enum's member. That reads files, so it is not in ``tortie.model``.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_OURS = "tortie."


class ClassDoc(NamedTuple):
    """What the source of one class says, without what it inherits."""

    text: str
    """The class's own docstring; empty if it has none."""
    attributes: Mapping[str, str]
    """By the attribute's name in Python."""


_NOTHING = ClassDoc("", {})


def class_doc(cls: type) -> str:
    """The docstring of *cls* itself; empty if it has none."""
    return _own(cls).text


def attribute_docs(cls: type) -> Mapping[str, str]:
    """The docstrings of the attributes of *cls*, inherited ones included, by their names in Python."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        docs |= _own(base).attributes
    return docs


def _own(cls: type) -> ClassDoc:
    return _of_module(cls.__module__).get(cls.__qualname__, _NOTHING) if cls.__module__.startswith(_OURS) else _NOTHING


@functools.cache
def _of_module(module: str) -> Mapping[str, ClassDoc]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {
        node.name: ClassDoc(ast.get_docstring(node) or "", dict(_attributes(node)))
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def _attributes(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement, following in itertools.pairwise(node.body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                yield name, inspect.cleandoc(text)
