"""What is asserted and where that stands, and what came of it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from tortie.analysis.provenance import Place
from tortie.model.document import ReadResource, ReadTests
from tortie.model.kinds import ResourceKey
from tortie.model.policytest import PolicyAssertion, PolicyTest
from tortie.verdict import Verdict


class Located(NamedTuple):
    """An assertion, and whence it is."""

    assertion: PolicyAssertion
    namespace: str
    """Of which names without one are first; empty: of none."""
    group: str
    """What it is one of: ``PolicyTest shop/shop``, a policy, or a file."""
    number: int
    """Which of the group's, from 1."""
    place: Place | None = None
    """Where it was written; None: it is stored."""

    @property
    def name(self) -> str:
        """Its own name, or what it says."""
        return self.assertion.name or self.sentence

    @property
    def sentence(self) -> str:
        """``allow web to shop/db at tcp/5432``."""
        asked = self.assertion.connections
        ports = f" at {', '.join(asked.at_ports)}" if asked.at_ports else ""
        word = "allow" if self.assertion.is_allow else "deny"
        return f"{word} {', '.join(asked.sources)} to {', '.join(asked.destinations)}{ports}"


def of_resource(test: PolicyTest, key: ResourceKey) -> tuple[Located, ...]:
    """The assertions of a PolicyTest that is stored."""
    return tuple(
        Located(assertion, key.namespace, str(key), number) for number, assertion in enumerate(test.spec.tests, 1)
    )


def of_document(read: ReadResource) -> tuple[Located, ...]:
    """The assertions of a PolicyTest in a file; of any other resource, none."""
    if not isinstance(read.resource, PolicyTest):
        return ()
    return tuple(
        located._replace(place=Place.of(read, ("spec", "tests", located.number - 1)))
        for located in of_resource(read.resource, read.key)
    )


def of_tests(read: ReadTests) -> tuple[Located, ...]:
    """The assertions beside a policy, whose namespace is then theirs, or of a document of their own."""
    namespace, group = ("", read.source) if read.beside is None else (read.beside.namespace, str(read.beside))
    return tuple(
        Located(assertion, namespace, group, number, Place.of(read, ("tests", number - 1)))
        for number, assertion in enumerate(read.spec.tests, 1)
    )


class CounterExample(NamedTuple):
    """Two ends between which an assertion does not hold."""

    source: str
    destination: str
    """As people call them."""
    packets: tuple[str, ...]
    """In words, all for which it does not hold between the two."""
    port: str
    """One of them, as ``tortie explain --port`` takes it."""
    verdict: Verdict
    """The oracle's, on that one."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an assertion."""

    located: Located
    asked: int = 0
    """Pairs of ends that were asked about."""
    failing: int = 0
    """Those of them for which it does not hold."""
    counter_examples: tuple[CounterExample, ...] = ()
    """The first few of those."""
    error: str = ""
    """Why nothing could be asked: a name that nobody has, an end without a packet in common."""

    @property
    def passed(self) -> bool:
        return not self.error and not self.failing
