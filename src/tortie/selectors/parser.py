"""The selector language's grammar: text to nodes.

    selector := <empty> | or
    or       := and ( "||" and )*
    and      := term ( "&&" term )*
    term     := "!"* ( has(LABEL) | all() | global() | "(" or ")" | LABEL comparison )
    comparison := ( "==" | "!=" | "contains" | "starts with" | "ends with" ) STRING
                | ( "in" | "not in" ) "{" [ STRING ( "," STRING )* [ "," ] ] "}"

A run of ``!`` collapses by parity. One operand of ``&&`` or ``||`` is that operand itself, so redundant parentheses vanish.
"""

from __future__ import annotations

from tortie.selectors.errors import SelectorError
from tortie.selectors.syntax import All, And, Compare, Comparison, Global, Has, Node, Not, OneOf, Or
from tortie.selectors.tokens import Token, TokenKind, tokenize

MAX_DEPTH = 100
"""How deeply parentheses may nest. A text from the datastore must not be able to exhaust the interpreter's stack."""

_COMPARISONS = {
    TokenKind.EQUAL: Comparison.EQUAL,
    TokenKind.NOT_EQUAL: Comparison.NOT_EQUAL,
    TokenKind.CONTAINS: Comparison.CONTAINS,
    TokenKind.STARTS_WITH: Comparison.STARTS_WITH,
    TokenKind.ENDS_WITH: Comparison.ENDS_WITH,
}


def parse_node(text: str) -> Node:
    """Read a whole selector, empty meaning ``all()``; SelectorError says where and why it cannot be read."""
    return _Parser(text).selector()


class _Parser:
    """One reading of one text: its tokens, and how many are used up."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokenize(text))
        self._next = 0
        self._depth = 0

    def selector(self) -> Node:
        if self._peek().kind is TokenKind.END:
            return All()
        node = self._or()
        self._expect(TokenKind.END, "&&, || or the end")
        return node

    def _or(self) -> Node:
        operands = [self._and()]
        while self._accept(TokenKind.OR):
            operands.append(self._and())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _and(self) -> Node:
        operands = [self._term()]
        while self._accept(TokenKind.AND):
            operands.append(self._term())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _term(self) -> Node:
        negated = False
        while self._accept(TokenKind.NOT):
            negated = not negated
        node = self._positive_term()
        return Not(node) if negated else node

    def _positive_term(self) -> Node:
        token = self._take()
        match token.kind:
            case TokenKind.HAS:
                return Has(token.text)
            case TokenKind.ALL:
                return All()
            case TokenKind.GLOBAL:
                return Global()
            case TokenKind.LEFT_PAREN:
                return self._group(token)
            case TokenKind.LABEL:
                return self._comparison(token.text)
            case _:
                raise self._unexpected(token, "a label, has(…), all(), global(), ! or (")

    def _group(self, opening: Token) -> Node:
        if self._depth == MAX_DEPTH:
            raise SelectorError(self._text, opening.position, f"parentheses nest deeper than {MAX_DEPTH}")
        self._depth += 1
        node = self._or()
        self._depth -= 1
        self._expect(TokenKind.RIGHT_PAREN, "&&, || or )")
        return node

    def _comparison(self, label: str) -> Node:
        token = self._take()
        if token.kind in (TokenKind.IN, TokenKind.NOT_IN):
            return OneOf(label, self._values(), negate=token.kind is TokenKind.NOT_IN)
        if token.kind not in _COMPARISONS:
            raise self._unexpected(token, "an operator such as == or in after the label")
        value = self._expect(TokenKind.STRING, "a quoted string")
        return Compare(label, _COMPARISONS[token.kind], value.text)

    def _values(self) -> frozenset[str]:
        self._expect(TokenKind.LEFT_BRACE, "{")
        values = set()
        while self._peek().kind is TokenKind.STRING:
            values.add(self._take().text)
            if not self._accept(TokenKind.COMMA):
                break
        self._expect(TokenKind.RIGHT_BRACE, "a quoted string or }")
        return frozenset(values)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind is not TokenKind.END:
            self._next += 1
        return token

    def _accept(self, kind: TokenKind) -> bool:
        if self._peek().kind is not kind:
            return False
        self._take()
        return True

    def _expect(self, kind: TokenKind, wanted: str) -> Token:
        token = self._take()
        if token.kind is not kind:
            raise self._unexpected(token, wanted)
        return token

    def _unexpected(self, token: Token, wanted: str) -> SelectorError:
        return SelectorError(self._text, token.position, f"expected {wanted}, found {token.kind}")
