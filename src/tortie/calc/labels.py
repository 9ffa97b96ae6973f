"""The labels that selectors see: an endpoint's own, those of where it stands, and those its profiles give it."""

from __future__ import annotations

from collections.abc import Mapping

from tortie.calc.scoping import NAMESPACE_LABEL, NAMESPACE_PREFIX, SERVICE_ACCOUNT_LABEL, SERVICE_ACCOUNT_PREFIX
from tortie.model.endpoint import WorkloadEndpoint
from tortie.model.policy import Profile

ORCHESTRATOR_LABEL = "projectcalico.org/orchestrator"


def effective_labels(endpoint: WorkloadEndpoint, profiles: Mapping[str, Profile]) -> dict[str, str]:
    """All labels of *endpoint*: its own win over its profiles', the first profile that has a label over later ones."""
    labels: dict[str, str] = {}
    for name in reversed(endpoint.spec.profiles):
        if name in profiles:
            labels.update(profiles[name].spec.labels_to_apply)
    labels.update(_own_labels(endpoint))
    return labels


def _own_labels(endpoint: WorkloadEndpoint) -> dict[str, str]:
    """A workload's labels are its owner's to choose, so none of them may claim another namespace or service account."""
    reserved = (NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX)
    labels = {name: value for name, value in endpoint.metadata.labels.items() if not name.startswith(reserved)}
    labels[NAMESPACE_LABEL] = endpoint.metadata.namespace
    if endpoint.spec.orchestrator:
        labels[ORCHESTRATOR_LABEL] = endpoint.spec.orchestrator
    if endpoint.spec.service_account_name:
        labels[SERVICE_ACCOUNT_LABEL] = endpoint.spec.service_account_name
    return labels
