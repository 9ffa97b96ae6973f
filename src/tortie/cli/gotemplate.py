"""Go templates are not run here; what says the same as a JSONPath is worked out, so that whoever typed one can go on.

Understood is what people mostly write: fields, ``range``, text and ``"\\n"``.
"""

from __future__ import annotations

import re

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_RANGE = re.compile(r"range\s+(\$?[.\w]+)")
_FIELD = re.compile(r"\$?(\.\w*)+")
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')
_INDEX = re.compile(r'index\s+(\$?[.\w]+)((?:\s+(?:\d+|"[^"]*"))+)')
EXAMPLE = r"""'{range .items[*]}{.metadata.name}{"\n"}{end}'"""


def as_jsonpath(template: str) -> str | None:
    """The JSONPath template that prints what the Go template *template* does; None where that cannot be told."""
    texts = _ACTION.split(template)
    parts = [text if place % 2 == 0 else _action(text) for place, text in enumerate(texts)]
    if any(part is None for part in parts):
        return None
    return "".join(part for part in parts if part)


def _action(text: str) -> str | None:
    if text == "end":
        return "{end}"
    if found := _RANGE.fullmatch(text):
        return f"{{range {found[1]}[*]}}"
    if found := _INDEX.fullmatch(text):
        subscripts = re.findall(r'\d+|"[^"]*"', found[2])
        return f"{{{found[1]}{''.join(f'[{one}]'.replace(chr(34), chr(39)) for one in subscripts)}}}"
    return f"{{{text}}}" if _FIELD.fullmatch(text) or _LITERAL.fullmatch(text) else None
