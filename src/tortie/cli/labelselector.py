"""What ``-l`` means: a selector of ours (Calico's language), or kubectl's form of it, conditions separated by commas.

role == 'web' && !has(canary)       role=web,!canary       tier in (a,b),env!=prod
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import click

from tortie.model.codec import Document
from tortie.selectors import Selector, SelectorError, parse

_LABEL = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_VALUE = r"[-A-Za-z0-9_.]*"
_CONDITION = re.compile(
    rf"""\s*(?:
        (?P<absent>!\s*)?(?P<present>{_LABEL})
      | (?P<name>{_LABEL})\s*(?P<operator>==|=|!=)\s*(?P<value>{_VALUE})
      | (?P<set>{_LABEL})\s+(?P<in>in|notin)\s*\((?P<values>[^()]*)\)
    )\s*""",
    re.VERBOSE,
)


def label_filter(texts: Sequence[str]) -> Callable[[Document], bool]:
    """Whether a document has the labels that every one of *texts* asks for; UsageError."""
    selectors = [_read(text) for text in texts]

    def selects(document: Document) -> bool:
        labels = document["metadata"].get("labels") or {}
        return all(selector.matches(labels) for selector in selectors)

    return selects


def _read(text: str) -> Selector:
    try:
        return parse(text)
    except SelectorError as error:
        translated = _of_kubectl(text)
        if translated is None:
            raise click.UsageError(
                f"{text!r} is no selector: {error.reason}\n{error.caret()}\n"
                "expected such as role=web,!canary or \"role == 'web' && !has(canary)\""
            ) from error
        return parse(translated)


def _of_kubectl(text: str) -> str | None:
    """The same in our language; None if it is not kubectl's either."""
    conditions = re.split(r",(?![^()]*\))", text)
    found = [_CONDITION.fullmatch(condition) for condition in conditions]
    translated = [_condition(one) for one in found if one is not None]
    return " && ".join(translated) if len(translated) == len(conditions) else None


def _condition(found: re.Match[str]) -> str:
    if found["present"] is not None:
        return f"{'!' if found['absent'] else ''}has({found['present']})"
    if found["name"] is not None:
        return f"{found['name']} {'!=' if found['operator'] == '!=' else '=='} '{found['value']}'"
    values = ", ".join(f"'{value.strip()}'" for value in found["values"].split(","))
    return f"{found['set']} {'not in' if found['in'] == 'notin' else 'in'} {{{values}}}"
