"""The selector language's lexer (Calico's ``libcalico-go/lib/selector/tokenizer``, as compatible behaviour).

Two things are unlike most languages. Word operators (``in``, ``starts with`` …) are operators only directly after a
label, so labels may have their names too: ``in in {"in"}``. And ``has(label)``, ``all()`` and ``global()`` are single
tokens, with no space before their parenthesis: ``has == "x"`` compares a label called ``has``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from tortie.selectors.errors import SelectorError

MAX_LABEL_BYTES = 512
"""The longest label name; longer ones are refused."""


class TokenKind(StrEnum):
    """What a token is; the value is how an error message calls it."""

    LABEL = "a label"
    STRING = "a quoted string"
    HAS = "has(…)"
    ALL = "all()"
    GLOBAL = "global()"
    EQUAL = "=="
    NOT_EQUAL = "!="
    IN = "in"
    NOT_IN = "not in"
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"
    NOT = "!"
    AND = "&&"
    OR = "||"
    LEFT_PAREN = "("
    RIGHT_PAREN = ")"
    LEFT_BRACE = "{"
    RIGHT_BRACE = "}"
    COMMA = ","
    END = "the end"


class Token(NamedTuple):
    """One token; ``text`` is a label's name (of LABEL and HAS) or a string's content, else empty."""

    kind: TokenKind
    position: int
    text: str = ""


_IDENTIFIER = r"[A-Za-z0-9_./-]+"
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(r""""([^"]*)"|'([^']*)'""")
_LABEL = re.compile(_IDENTIFIER)
_CALL = re.compile(rf"(?:has\([ \t]*(?P<label>{_IDENTIFIER})|(?P<all>all)\(|(?P<global>global)\()[ \t]*\)")
_CALL_START = re.compile(r"(has|all|global)\(")
_WORD_OPERATOR = re.compile(
    r"(?:(?P<CONTAINS>contains)|(?P<STARTS_WITH>starts[ \t]*with)|(?P<ENDS_WITH>ends[ \t]*with)"
    r"|(?P<NOT_IN>not[ \t]*in)|(?P<IN>in))(?![A-Za-z0-9_./-])"
)
_PUNCTUATION = re.compile(r"==|!=|&&|\|\||[(){},!]")


def tokenize(text: str) -> Iterator[Token]:
    """The tokens of *text*, the last of them END; SelectorError where no token can begin."""
    after_label = False
    position = _skip_space(text, 0)
    while position < len(text):
        token, end = _word_operator(text, position) if after_label else _token(text, position)
        yield token
        after_label = token.kind is TokenKind.LABEL
        position = _skip_space(text, end)
    yield Token(TokenKind.END, position)


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _word_operator(text: str, position: int) -> tuple[Token, int]:
    """What may follow a label: a word operator, else anything that is no identifier."""
    if found := _WORD_OPERATOR.match(text, position):
        return Token(TokenKind[str(found.lastgroup)], position), found.end()
    if _LABEL.match(text, position):
        raise SelectorError(text, position, "expected an operator such as == or in after the label")
    return _token(text, position)


def _token(text: str, position: int) -> tuple[Token, int]:
    if found := _PUNCTUATION.match(text, position):
        return Token(TokenKind(found[0]), position), found.end()
    if found := _STRING.match(text, position):
        return Token(TokenKind.STRING, position, found[0][1:-1]), found.end()
    if found := _CALL.match(text, position):
        kind = TokenKind.HAS if found["label"] else TokenKind.ALL if found["all"] else TokenKind.GLOBAL
        return Token(kind, position, _label_name(text, found.start("label"), found["label"] or "")), found.end()
    if found := _CALL_START.match(text, position):
        expected = "a label and a )" if found[1] == "has" else "a )"
        raise SelectorError(text, found.end(), f"expected {expected} after {found[0]}")
    if found := _LABEL.match(text, position):
        return Token(TokenKind.LABEL, position, _label_name(text, position, found[0])), found.end()
    raise SelectorError(text, position, _why_not(text[position]))


def _label_name(text: str, position: int, name: str) -> str:
    if len(name) > MAX_LABEL_BYTES:
        raise SelectorError(text, position, f"the label's name is longer than {MAX_LABEL_BYTES} bytes")
    return name


def _why_not(character: str) -> str:
    if character in "\"'":
        return "the string has no closing quote"
    if character in "=&|":
        return f"a single {character} is not an operator, expected {character * 2}"
    return f"unexpected character {character!r}"
