"""The labels that selectors see: one's own, those of where one stands, and those that profiles give."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from tortie.calc.scoping import NAMESPACE_LABEL, NAMESPACE_PREFIX, SERVICE_ACCOUNT_LABEL, SERVICE_ACCOUNT_PREFIX

ORCHESTRATOR_LABEL = "projectcalico.org/orchestrator"

_RESERVED = (NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX)

LabelsOfProfile: TypeAlias = Callable[[str], Mapping[str, str] | None]
"""The labels that a profile gives; None if it gives none."""


def packed(labels: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and values, in as little memory as a hundred thousand of them call for.

    All that have labels of the same names in the same order, as pods mostly do, share the names.
    """
    return _shared(tuple(labels)), tuple(map(sys.intern, labels.values()))


@functools.lru_cache(maxsize=4096)
def _shared(names: tuple[str, ...]) -> tuple[str, ...]:
    """The first equal value that was asked for, and is remembered."""
    return names


def workload_labels(
    labels: Mapping[str, str], *, namespace: str, orchestrator: str, service_account: str
) -> dict[str, str]:
    """A workload's labels are its owner's to choose, so none of them may claim another namespace or service account."""
    own = dict(labels)
    for name in _reserved(tuple(labels)):
        del own[name]
    own[NAMESPACE_LABEL] = namespace
    if orchestrator:
        own[ORCHESTRATOR_LABEL] = orchestrator
    if service_account:
        own[SERVICE_ACCOUNT_LABEL] = service_account
    return own


@functools.lru_cache(maxsize=4096)
def _reserved(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of *names* that only profiles may give; asked for each endpoint, and hardly ever of other names."""
    return tuple(name for name in names if name.startswith(_RESERVED))


def effective_labels(
    names: Sequence[str], values: Sequence[str], profiles: Sequence[str], labels_of: LabelsOfProfile
) -> dict[str, str]:
    """All labels: one's own win over those of *profiles*, the first profile that has a label over later ones."""
    labels: dict[str, str] = {}
    for profile in reversed(profiles):
        if given := labels_of(profile):
            labels.update(given)
    labels.update(zip(names, values))  # noqa: B905 - a keyword costs, and this runs for every endpoint
    return labels
