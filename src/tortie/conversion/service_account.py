"""A Kubernetes ServiceAccount as the Calico profile that the pods running under it list."""

from __future__ import annotations

from tortie.conversion.names import derived_name
from tortie.conversion.uid import derived_uid
from tortie.model import kubernetes
from tortie.model.meta import ObjectMeta
from tortie.model.policy import Profile, ProfileSpec

LABEL_PREFIX = "pcsa."
"""What the names of labels begin with that an endpoint has from its service account."""


def service_account(source: kubernetes.ServiceAccount) -> Profile:
    """The profile ``ksa.<namespace>.<name>``: gives its pods the account's labels, and decides nothing.

    ConversionError for a name that is too long.
    """
    name = source.metadata.name
    labels = {**source.metadata.labels, "projectcalico.org/name": name}
    return Profile(
        metadata=ObjectMeta(
            name=derived_name(f"ksa.{source.metadata.namespace}.", name),
            uid=derived_uid(source.metadata.uid),
            creation_timestamp=source.metadata.creation_timestamp,
        ),
        spec=ProfileSpec(labels_to_apply={LABEL_PREFIX + key: value for key, value in sorted(labels.items())}),
    )
