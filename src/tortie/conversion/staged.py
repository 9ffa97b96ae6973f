"""A StagedKubernetesNetworkPolicy as the StagedNetworkPolicy that says the same: what calc and the oracle are given of it.

Unlike what Kubernetes' own objects mean, it is not stored beside its origin, which is of Calico's kinds already.
"""

from __future__ import annotations

import contextlib

import msgspec

from tortie.conversion.errors import ConversionError
from tortie.conversion.names import derived_name
from tortie.conversion.policy import NAME_PREFIX, network_policy
from tortie.model import kubernetes
from tortie.model.kinds import STAGED_KUBERNETES_NETWORK_POLICY, STAGED_NETWORK_POLICY, ResourceKey
from tortie.model.staged import StagedKubernetesNetworkPolicy, StagedNetworkPolicy, StagedNetworkPolicySpec
from tortie.model.updates import ResourceUpdate


def staged_network_policy(policy: StagedKubernetesNetworkPolicy) -> StagedNetworkPolicy:
    """``knp.default.<name>`` in the default tier, staged for the same action.

    ConversionError if it cannot be told which pods it would govern, or its name is too long.
    """
    spec = {field: getattr(policy.spec, field) for field in kubernetes.NetworkPolicySpec.__struct_fields__}
    plain = kubernetes.NetworkPolicy(metadata=policy.metadata, spec=kubernetes.NetworkPolicySpec(**spec))
    meant = network_policy(plain).policy
    meant_spec = {field: getattr(meant.spec, field) for field in meant.spec.__struct_fields__}
    return StagedNetworkPolicy(
        metadata=msgspec.structs.replace(meant.metadata, uid=policy.metadata.uid),
        spec=StagedNetworkPolicySpec(**meant_spec, staged_action=policy.spec.staged_action),
    )


def as_calico(update: ResourceUpdate) -> ResourceUpdate:
    """*update* as calc takes it: a StagedKubernetesNetworkPolicy converted, or absent if that fails; all else as it is."""
    if update.key.kind is not STAGED_KUBERNETES_NETWORK_POLICY:
        return update
    try:
        key = ResourceKey(STAGED_NETWORK_POLICY, update.key.namespace, derived_name(NAME_PREFIX, update.key.name))
    except ConversionError:
        return update  # of a kind that nobody looks at
    value = None
    if isinstance(update.value, StagedKubernetesNetworkPolicy):
        with contextlib.suppress(ConversionError):
            value = staged_network_policy(update.value)
    return ResourceUpdate(key, value, update.revision)
