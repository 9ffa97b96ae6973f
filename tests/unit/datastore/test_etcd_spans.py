"""A listing cut into spans loses no key, brings none twice, and keeps their order, whatever the keys and the guesses."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tortie.datastore.etcd.spans import Span, cut

EVERYTHING = Span(b"\0", b"\0")
KEYS = st.sets(st.one_of(st.binary(min_size=1, max_size=3), st.text("/a19", min_size=1).map(str.encode)), max_size=60)


def answer(keys: list[bytes], span: Span, limit: int) -> tuple[list[bytes], bool]:
    """What etcd answers: the first keys, and whether there are more."""
    found = [key for key in keys if span.begin <= key and (key < span.end or span.end == b"\0")]
    return found[:limit], len(found) > limit


@given(KEYS, st.integers(1, 10))
def test_spans_together_are_the_whole(keys: set[bytes], limit: int) -> None:
    stored = sorted(keys)
    spans, listed, requests = deque([EVERYTHING]), list[bytes](), 0
    while spans:
        span = spans.popleft()
        found, is_more = answer(stored, span, limit)
        listed += found
        requests += 1
        if is_more:
            spans.extendleft(reversed(cut(found[0], found[-1], span.end)))
    assert listed == stored
    assert requests <= 1 + 3 * len(stored) // limit


@pytest.mark.parametrize(
    ("first", "last", "end", "begins"),
    [
        pytest.param(b"/n/a", b"/n/c", b"/o", [b"/n/c\0", b"/n/e", b"/n/g"], id="as far again, twice"),
        pytest.param(b"/n/a", b"/n/c", b"/n/f", [b"/n/c\0", b"/n/e"], id="not beyond the end"),
        pytest.param(b"/n/a", b"/n/c", b"\0", [b"/n/c\0", b"/n/e", b"/n/g"], id="no end"),
        pytest.param(b"/n", b"/n/c", b"/o", [b"/n/c\0"], id="one begins with the other"),
        pytest.param(b"/n/c", b"/n/c", b"/o", [b"/n/c\0"], id="a page of one key"),
        pytest.param(b"a", b"\xf0", b"\0", [b"\xf0\0"], id="there is no byte so far"),
    ],
)
def test_what_is_left_is_cut_by_how_far_a_page_went(first: bytes, last: bytes, end: bytes, begins: list[bytes]) -> None:
    spans = cut(first, last, end)
    assert [span.begin for span in spans] == begins
    assert [span.end for span in spans] == [*begins[1:], end]
