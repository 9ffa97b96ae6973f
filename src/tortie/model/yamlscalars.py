"""What a scalar means: YAML 1.1's types as Calico's command reads them, and their text and number forms.

Calico's command is written in Go, and its YAML reader differs from PyYAML's resolver: ``1e3`` is a number, ``1:30`` is not,
``0o17`` is octal. Then the value is turned into what the field wants: a label's value ``yes`` becomes the text ``true``.
Users' files depend on it, so we do the same, and ``tortie.model.document`` warns wherever it changes the text.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from typing import TypeAlias

from tortie.model.yamltree import ScalarNode

ScalarValue: TypeAlias = str | int | float | bool | None

_TAGS = "tag:yaml.org,2002:"
_WORDS: dict[str, ScalarValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGERS = (
    (re.compile(r"[-+]?(0|[1-9][0-9]*)"), 10),
    (re.compile(r"[-+]?0[oO]?[0-7]+"), 8),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]+"), 16),
    (re.compile(r"[-+]?0[bB][01]+"), 2),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MOST_DIGITS = 67
"""Of a whole number of 64 bits: two letters that tell its base, a sign, and its bits."""
_INT64, _UINT64 = -(1 << 63), (1 << 64) - 1


def resolve(node: ScalarNode) -> ScalarValue:
    """The value of *node* by YAML 1.1; ValueError for a ``!!binary`` that is none.

    Quoted text and text with a tag of somebody's own stay text.
    """
    if node.tag == _TAGS + "binary":
        return _binary(node.text)
    if node.tag == _TAGS + "str" or (node.tag and not node.tag.startswith(_TAGS)):
        return node.text
    return _by_look(node.text) if node.plain or node.tag else node.text


def _by_look(text: str) -> ScalarValue:
    if text in _WORDS:
        return _WORDS[text]
    digits = text.replace("_", "") if text[0] in "+-.0123456789" else text
    number = _integer(digits)
    if number is not None and _INT64 <= number <= _UINT64:
        return number
    if _FLOAT.fullmatch(digits):
        value = float(digits)
        return text if math.isinf(value) else value  # 1e400 is beyond a number, so it is text
    return text


def _integer(digits: str) -> int | None:
    """The whole number that *digits* spell; None also for one of more digits than 64 bits have."""
    for pattern, base in _INTEGERS:
        if len(digits) <= _MOST_DIGITS and pattern.fullmatch(digits):
            return int(re.sub("0[oO]", "0", digits) if base == 8 else digits, base)
    return None


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError(f"{text!r} is not base64 of UTF-8 text, as !!binary promises") from None


def as_text(value: ScalarValue) -> str:
    """The text that a text field gets: ``true``, ``8``, ``1.5``; empty for null."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return _float_text(value)
        case _:
            return str(value)


def _float_text(value: float) -> str:
    """*value* in the fewest digits that tell it among single-precision numbers; an exponent below 1e-4 and from 1e6 on.

    That is what Calico's command writes, so the text ``0.123456789`` is stored as ``0.12345679``.
    """
    single = _single(value)
    if not math.isfinite(single):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[repr(single)]
    # Nine digits tell every single-precision number, but only those of the number itself: a value half-way between two
    # may, in nine digits, be nearer to the other one.
    precision, text = next((n, text) for n in range(9) if _single(float(text := f"{single:.{n}e}")) == single)
    exponent = int(text.partition("e")[2])
    return text if not -4 <= exponent < 6 else f"{float(text):.{max(precision - exponent, 0)}f}"


def _single(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def as_integer(value: ScalarValue) -> int | None:
    """The whole number that *value* is (``80.0`` too), or None."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def as_number(value: ScalarValue) -> int | float | None:
    """The finite number that *value* is, whole ones as int, or None."""
    if isinstance(value, float):
        return (int(value) if value.is_integer() else value) if math.isfinite(value) else None
    return as_integer(value)
