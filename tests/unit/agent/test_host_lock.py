"""One agent on a host."""

from __future__ import annotations

import os

import pytest

from tortie.agent import lock
from tortie.agent.lock import HostLock, SecondAgentError


@pytest.fixture(autouse=True)
def own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that runs the tests may have an agent."""
    monkeypatch.setattr(lock, "_ADDRESS", f"\0tortie-test-{os.getpid()}")


def test_a_second_holder_is_refused_with_a_sentence_that_says_what_to_do() -> None:
    with HostLock(), pytest.raises(SecondAgentError, match=r"already runs on this host.*stop it first"):
        HostLock()


def test_the_lock_is_free_again_when_its_holder_lets_go() -> None:
    HostLock().close()
    HostLock().close()


def test_the_kernel_lets_go_when_the_holder_is_killed() -> None:
    holder = os.fork()
    if holder == 0:
        HostLock()
        os.kill(os.getpid(), 9)
    os.waitpid(holder, 0)
    HostLock().close()
