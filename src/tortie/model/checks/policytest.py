"""Assertions about policies: what of them can be told without a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tortie.model.checks.addresses import is_address
from tortie.model.checks.violation import Violation
from tortie.model.fieldpath import FieldPath
from tortie.model.policytest import Connections, Packets, PolicyAssertion, PolicyTests, Texts
from tortie.net import Network

_EXPECTED = (
    "expected a name such as shop/web, service:shop/web or host:NODE, a pattern such as shop/*, an address or a network"
)
_NAME = re.compile(r"(host:[A-Za-z0-9.*?-]+|(service:)?([a-z0-9.*?-]+/)?[A-Za-z0-9._*?-]+)")


def check_policy_tests(spec: PolicyTests) -> Iterator[Violation]:
    """Every assertion says one thing, of ends and ports that can be read."""
    for index, assertion in enumerate(spec.tests):
        yield from _check_assertion(("tests", index), assertion)


def _check_assertion(path: FieldPath, assertion: PolicyAssertion) -> Iterator[Violation]:
    given = [(name, found) for name, found in (("allow", assertion.allow), ("deny", assertion.deny)) if found]
    if len(given) != 1:
        what = "neither allow nor deny is given" if not given else "allow and deny are both given"
        yield Violation(path, f"{what}; a test says one of them")
    for name, connections in given:
        yield from _check_connections((*path, name), connections)


def _check_connections(path: FieldPath, connections: Connections) -> Iterator[Violation]:
    ends: tuple[tuple[str, Texts], ...] = (("from", connections.from_), ("to", connections.to))
    for name, written in ends:
        if not written:
            yield Violation((*path, name), f"nobody is named; {_EXPECTED}")
        yield from _each((*path, name), written, _end_error)
    yield from _each((*path, "ports"), connections.ports, _ports_error)


def _each(path: FieldPath, written: Texts, error: Callable[[str], str]) -> Iterator[Violation]:
    if isinstance(written, str):
        if written and (message := error(written)):
            yield Violation(path, message)
        return
    for index, text in enumerate(written):
        if message := error(text):
            yield Violation((*path, index), message)


def _end_error(text: str) -> str:
    """What is wrong with the name of an end; empty if nothing is."""
    address, slash, length = text.partition("/")
    if slash and length.isdecimal() and is_address(address):
        try:
            Network.parse(text)
        except ValueError as error:
            return str(error)
        return ""
    return "" if is_address(text) or _NAME.fullmatch(text) else f"{text!r} names nobody; {_EXPECTED}"


def _ports_error(text: str) -> str:
    try:
        Packets.parse(text)
    except ValueError as error:
        return str(error)
    return ""
