"""selectors.json: what can be read, canonical texts and ids, tokens, and what a match implies for each label."""

from __future__ import annotations

from collections.abc import Callable

from vectortables import Case, Judge, attempted, dispatch, expect

from tortie.selectors import LabelRestriction, SelectorError, parse
from tortie.selectors.tokens import Token, TokenKind, tokenize

_WORDS = {
    TokenKind.LABEL: "label",
    TokenKind.STRING: "string",
    TokenKind.HAS: "has()",
    TokenKind.NOT: "not",
    TokenKind.NOT_IN: "not-in",
    TokenKind.STARTS_WITH: "starts-with",
    TokenKind.ENDS_WITH: "ends-with",
    TokenKind.END: "end",
}
"""How the vectors call a token where it is not as an error message does."""
_WITH_TEXT = (TokenKind.LABEL, TokenKind.STRING, TokenKind.HAS)


def judge_parse(case: Case) -> None:
    attempted(lambda: parse(case["selector"]), accepted=case["valid"], refusal=SelectorError)


def judge_canonical(case: Case) -> None:
    selector = parse(case["selector"])
    expect(selector.text, case["canonical"])
    if case.get("uid") is not None:
        expect(selector.id, case["uid"], "id")


def judge_tokens(case: Case) -> None:
    try:
        found = [_as_vector(token) for token in tokenize(case["selector"])]
    except SelectorError:
        found = None
    expect(found, case["tokens"])


def _as_vector(token: Token) -> list[str]:
    word = _WORDS.get(token.kind, token.kind.value)
    return [word, token.text] if token.kind in _WITH_TEXT else [word]


def judge_restrictions(case: Case) -> None:
    found = parse(case["selector"]).restrictions()
    wanted = {label: _restriction(of_label) for label, of_label in case["restrictions"].items()}
    expect({label: limit for label, limit in found.items() if limit != LabelRestriction()}, wanted)


def _restriction(of_label: Case) -> LabelRestriction:
    one_of = of_label.get("one_of")
    return LabelRestriction(
        of_label.get("present", False), of_label.get("absent", False), None if one_of is None else frozenset(one_of)
    )


judge = dispatch(
    "table",
    {
        "parse": judge_parse,
        "canonical": judge_canonical,
        "tokens": judge_tokens,
        "label_restrictions": judge_restrictions,
    },
)


def test_selectors_are_read_as_the_vectors_say(run_table: Callable[[str, Judge], None]) -> None:
    run_table("selectors.json", judge)
