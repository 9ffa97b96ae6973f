"""A Kubernetes Namespace as the Calico profile that its pods list."""

from __future__ import annotations

from tortie.conversion.names import derived_metadata
from tortie.model import kubernetes
from tortie.model.policy import Action, Profile, ProfileSpec, Rule

LABEL_PREFIX = "pcns."
"""What the names of labels begin with that an endpoint has from its namespace."""

_ALLOW_ALL = (Rule(action=Action.ALLOW),)


def namespace(source: kubernetes.Namespace) -> Profile:
    """The profile ``kns.<name>``: gives its pods the namespace's labels, and allows what no policy governs.

    ConversionError for a name that is too long.
    """
    name = source.metadata.name
    # The API server gives every namespace the first one, and policies rely on it; without an API server nobody else does.
    labels = {"kubernetes.io/metadata.name": name, **source.metadata.labels, "projectcalico.org/name": name}
    return Profile(
        metadata=derived_metadata("kns.", source.metadata),
        spec=ProfileSpec(
            ingress=_ALLOW_ALL,
            egress=_ALLOW_ALL,
            labels_to_apply={LABEL_PREFIX + key: value for key, value in sorted(labels.items())},
        ),
    )
