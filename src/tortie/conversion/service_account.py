"""A Kubernetes ServiceAccount as the Calico profile that the pods running under it list."""

from __future__ import annotations

from tortie.conversion.names import derived_metadata
from tortie.model import kubernetes
from tortie.model.policy import Profile, ProfileSpec

LABEL_PREFIX = "pcsa."
"""What the names of labels begin with that an endpoint has from its service account."""


def service_account(source: kubernetes.ServiceAccount) -> Profile:
    """The profile ``ksa.<namespace>.<name>``: gives its pods the account's labels, and decides nothing.

    ConversionError for a name that is too long.
    """
    labels = {**source.metadata.labels, "projectcalico.org/name": source.metadata.name}
    return Profile(
        metadata=derived_metadata(f"ksa.{source.metadata.namespace}.", source.metadata),
        spec=ProfileSpec(labels_to_apply={LABEL_PREFIX + key: value for key, value in sorted(labels.items())}),
    )
