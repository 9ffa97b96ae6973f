"""The words of random clusters: so few that selectors, ports and addresses often meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeAlias, TypeVar

from tortie.net import Family

Vocabulary: TypeAlias = Mapping[str, tuple[str, ...]]
"""Label names and their possible values."""

LABELS: Vocabulary = {"app": ("web", "db", "cache"), "tier": ("front", "back"), "env": ("prod", "dev")}
"""What workloads, network sets and host endpoints may be labelled with."""
NAMESPACE_LABELS: Vocabulary = {"team": ("red", "blue"), "env": ("prod", "dev")}
ACCOUNTS = ("reader", "writer")
ACCOUNT_LABELS: Vocabulary = {"role": ("reader", "admin")}
NODE_LABELS: Vocabulary = {"rack": ("one", "two")}
SERVICES = ("svc-a", "svc-b", "svc-none")
"""The last one has no endpoints."""
PORT_NUMBERS = (53, 80, 81, 443, 8080)
PORT_NAMES = ("http", "dns", "admin")
ICMP_TYPES = {Family.V4: (8, 13), Family.V6: (128, 139)}
"""Requests only: connection tracking calls a first packet of any other type invalid, and policy never sees it."""

POLICY_NAMES = ("a9", "a10", "allow-dns", "allow.x", "allow", "b", "zz", "default.c")
"""Chosen for their order in bytes, by which ties are broken."""
ORDERS = (None, 0.0, 10.0, 10.5, 1000.0)

Choice = TypeVar("Choice")


def chance(rng: Random, probability: float) -> bool:
    """True that often."""
    return rng.random() < probability


def some(rng: Random, choices: Sequence[Choice], most: int) -> tuple[Choice, ...]:
    """From one to *most* different choices."""
    return tuple(rng.sample(choices, rng.randint(1, min(most, len(choices)))))


def random_labels(rng: Random, vocabulary: Vocabulary) -> dict[str, str]:
    return {label: rng.choice(values) for label, values in vocabulary.items() if chance(rng, 0.7)}


def random_selector(rng: Random, labels: Vocabulary = LABELS, depth: int = 1) -> str:
    """A selector over *labels*: mostly one comparison, sometimes an expression of several."""
    if depth and chance(rng, 0.3):
        left, right = (random_selector(rng, labels, depth - 1) for _ in range(2))
        return rng.choice((f"{left} && {right}", f"{left} || {right}", f"!({left})", f"({left} || {right}) && {left}"))
    label = rng.choice(list(labels))
    value = rng.choice(labels[label])
    return rng.choice(
        (
            f"{label} == '{value}'",
            f"{label} == '{value}'",
            f"{label} != '{value}'",
            f"has({label})",
            f"!has({label})",
            f"{label} in {{'{value}', 'other'}}",
            f"{label} not in {{'{value}'}}",
            f"{label} starts with '{value[:1]}'",
            f"{label} ends with '{value[-2:]}'",
            f"{label} contains '{value[1:3]}'",
            "all()",
        )
    )


def random_namespace_selector(rng: Random, *, in_rule: bool) -> str:
    if in_rule and chance(rng, 0.1):
        return "global()"
    return "all()" if chance(rng, 0.2) else random_selector(rng, NAMESPACE_LABELS)
