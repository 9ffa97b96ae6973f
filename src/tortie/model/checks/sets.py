"""Network sets."""

from __future__ import annotations

from collections.abc import Iterator

from tortie.model.checks.violation import Violation
from tortie.model.meta import NAMESPACE_LABEL, ObjectMeta
from tortie.model.sets import NetworkSetSpec, parse_net


def check_network_set_spec(spec: NetworkSetSpec) -> Iterator[Violation]:
    """Every item is a network or an address."""
    for index, text in enumerate(spec.nets):
        if not text:
            continue  # Calico accepts an empty item, which is no network
        try:
            parse_net(text)
        except ValueError as error:
            yield Violation(("nets", index), str(error))


def check_set_labels(metadata: ObjectMeta) -> Iterator[Violation]:
    """No set may say which namespace it is of: policy believes that label."""
    if NAMESPACE_LABEL in metadata.labels:
        yield Violation(("labels", NAMESPACE_LABEL), f"{NAMESPACE_LABEL} is given by Calico; leave this label out")
