"""Answers that tests assert, and which of them were asked last.

An answer is true or false; that a test asks which is noticed, for if the test then fails, that answer is what people want explained.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from types import CodeType, FrameType
from typing import NamedTuple


class Answer:
    """Whether something holds of a cluster: true or false, equal to True or False, and able to say why."""

    def __init__(self, *, holds: bool, sentence: str, explain: Callable[[], str]) -> None:
        self._holds, self._sentence, self._explain = holds, sentence, explain

    def __bool__(self) -> bool:
        _notice(self, sys._getframe(1))
        return self._holds

    def __eq__(self, other: object) -> bool:
        """An answer as an expected value: ``cluster.allows(...) == expected``."""
        if not isinstance(other, bool | Answer):
            return NotImplemented
        _notice(self, sys._getframe(1))
        return self._holds == (other._holds if isinstance(other, Answer) else other)

    def __hash__(self) -> int:
        return hash(self._holds)

    def __repr__(self) -> str:
        """What was found, not whether that is what was claimed: ``DENIED web/front → db/main tcp/5432``."""
        return self._sentence

    @property
    def explanation(self) -> str:
        """What decided, in lines."""
        return self._explain()


class Asked(NamedTuple):
    """An answer, and the place in a program that asked whether it is true."""

    answer: Answer
    code: CodeType
    line: int


_asked: deque[Asked] = deque(maxlen=32)
"""More than one statement asks, mostly; each keeps its cluster in memory."""


def _notice(answer: Answer, frame: FrameType) -> None:
    _asked.append(Asked(answer, frame.f_code, frame.f_lineno))


def asked_last() -> tuple[Asked, ...]:
    """The answers that were asked last since ``forget``, in order; one may be among them several times."""
    return tuple(_asked)


def forget() -> None:
    """What is asked from now on is another test's."""
    _asked.clear()
