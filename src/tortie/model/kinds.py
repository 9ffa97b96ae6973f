"""Which kinds there are, where each is stored, and what they are called.

One table, ``KINDS``; a kind that is not in it does not exist for Tortie. Calico's kinds are stored as Calico stores them
in etcd (`/calico/resources/v3/projectcalico.org/<plural>/[<namespace>/]<name>`); Kubernetes' kinds, which Calico reads from
the API server, under ``/tortie/kubernetes/<plural>/[<namespace>/]<name>``; our own, which Calico's programs do not know,
under ``/tortie/resources/<plural>/[<namespace>/]<name>``.
"""

from __future__ import annotations

import functools
import importlib
from typing import NamedTuple

from tortie.model.meta import CALICO, TORTIE, Resource

CALICO_PREFIX = "/calico/resources/v3/projectcalico.org/"
KUBERNETES_PREFIX = "/tortie/kubernetes/"
TORTIE_PREFIX = "/tortie/resources/"
PREFIXES = (CALICO_PREFIX, KUBERNETES_PREFIX, TORTIE_PREFIX)
"""What the key of every resource begins with."""


@functools.cache
def _load(declaration: str) -> type[Resource]:
    module, _, name = declaration.rpartition(".")
    struct: type[Resource] = getattr(importlib.import_module(f"tortie.model.{module}"), name)
    assert issubclass(struct, Resource)
    return struct


class Kind(NamedTuple):
    """One kind of resource."""

    name: str
    api_version: str
    plural: str
    declaration: str
    """Module and class below ``tortie.model``: it is loaded when it is first asked for, since most commands need few of them."""
    namespaced: bool
    short_names: tuple[str, ...] = ()

    @property
    def struct(self) -> type[Resource]:
        """The kind's declaration."""
        return _load(self.declaration)

    @property
    def prefix(self) -> str:
        """What every key of the kind begins with; ends with ``/``."""
        root = {CALICO: CALICO_PREFIX, TORTIE: TORTIE_PREFIX}.get(self.api_version, KUBERNETES_PREFIX)
        return f"{root}{self.plural}/"

    @property
    def is_kubernetes(self) -> bool:
        return self.api_version not in (CALICO, TORTIE)

    @property
    def is_calico(self) -> bool:
        return self.api_version == CALICO


class ResourceKey(NamedTuple):
    """A resource's identity; sorts by kind, namespace, name."""

    kind: Kind
    namespace: str
    """Empty for a cluster-scoped resource."""
    name: str

    @property
    def path(self) -> str:
        """The datastore key. Names cannot hold a ``/``, so nothing is escaped."""
        middle = f"{self.namespace}/" if self.kind.namespaced else ""
        return f"{self.kind.prefix}{middle}{self.name}"

    def __str__(self) -> str:
        return f"{self.kind.name} {self.namespace}/{self.name}" if self.namespace else f"{self.kind.name} {self.name}"


TIER = Kind("Tier", CALICO, "tiers", "policy.Tier", namespaced=False)
PROFILE = Kind("Profile", CALICO, "profiles", "policy.Profile", namespaced=False)
NETWORK_POLICY = Kind(
    "NetworkPolicy", CALICO, "networkpolicies", "policy.NetworkPolicy", namespaced=True,
    short_names=("cnp", "caliconetworkpolicy", "np", "policy", "policies", "pol", "pols"),
)  # fmt: skip
GLOBAL_NETWORK_POLICY = Kind(
    "GlobalNetworkPolicy", CALICO, "globalnetworkpolicies", "policy.GlobalNetworkPolicy", namespaced=False,
    short_names=("gnp", "gnps", "cgnp"),
)  # fmt: skip
WORKLOAD_ENDPOINT = Kind(
    "WorkloadEndpoint", CALICO, "workloadendpoints", "endpoint.WorkloadEndpoint", namespaced=True,
    short_names=("wep", "weps"),
)  # fmt: skip
HOST_ENDPOINT = Kind(
    "HostEndpoint", CALICO, "hostendpoints", "endpoint.HostEndpoint", namespaced=False, short_names=("hep", "heps")
)
NETWORK_SET = Kind(
    "NetworkSet", CALICO, "networksets", "sets.NetworkSet", namespaced=True, short_names=("netset", "netsets")
)
GLOBAL_NETWORK_SET = Kind(
    "GlobalNetworkSet", CALICO, "globalnetworksets", "sets.GlobalNetworkSet", namespaced=False,
    short_names=("gns", "gnetsets"),
)  # fmt: skip
STAGED_NETWORK_POLICY = Kind(
    "StagedNetworkPolicy", CALICO, "stagednetworkpolicies", "staged.StagedNetworkPolicy", namespaced=True,
    short_names=("snp", "snps"),
)  # fmt: skip
STAGED_GLOBAL_NETWORK_POLICY = Kind(
    "StagedGlobalNetworkPolicy", CALICO, "stagedglobalnetworkpolicies", "staged.StagedGlobalNetworkPolicy", namespaced=False,
    short_names=("sgnp", "sgnps"),
)  # fmt: skip
STAGED_KUBERNETES_NETWORK_POLICY = Kind(
    "StagedKubernetesNetworkPolicy", CALICO, "stagedkubernetesnetworkpolicies", "staged.StagedKubernetesNetworkPolicy",
    namespaced=True, short_names=("sknp", "skpol", "skpols", "stagedkubernetespolicy", "stagedkubernetespolicies"),
)  # fmt: skip
NODE = Kind("Node", CALICO, "nodes", "topology.Node", namespaced=False, short_names=("no", "nos"))
IP_POOL = Kind(
    "IPPool", CALICO, "ippools", "ipam.IPPool", namespaced=False, short_names=("ipp", "ipps", "pool", "pools")
)
BGP_CONFIGURATION = Kind(
    "BGPConfiguration", CALICO, "bgpconfigurations", "bgp.BGPConfiguration", namespaced=False,
    short_names=("bgpconfig", "bgpconfigs"),
)  # fmt: skip
BGP_PEER = Kind("BGPPeer", CALICO, "bgppeers", "bgp.BGPPeer", namespaced=False)
BGP_FILTER = Kind("BGPFilter", CALICO, "bgpfilters", "bgp.BGPFilter", namespaced=False)
IP_RESERVATION = Kind("IPReservation", CALICO, "ipreservations", "ipam.IPReservation", namespaced=False)
IPAM_CONFIGURATION = Kind(
    "IPAMConfiguration", CALICO, "ipamconfigurations", "ipam.IPAMConfiguration", namespaced=False,
    short_names=("ipamconfig", "ipamconfigs"),
)  # fmt: skip
BLOCK_AFFINITY = Kind(
    "BlockAffinity", CALICO, "blockaffinities", "ipam.BlockAffinityResource", namespaced=False,
    short_names=("affinity", "affinities"),
)  # fmt: skip
CALICO_NODE_STATUS = Kind(
    "CalicoNodeStatus", CALICO, "caliconodestatuses", "nodestatus.CalicoNodeStatus", namespaced=False
)
FELIX_CONFIGURATION = Kind(
    "FelixConfiguration", CALICO, "felixconfigurations", "felix.FelixConfiguration", namespaced=False,
    short_names=("felixconfig", "felixconfigs"),
)  # fmt: skip
KUBE_CONTROLLERS_CONFIGURATION = Kind(
    "KubeControllersConfiguration", CALICO, "kubecontrollersconfigurations", "configuration.KubeControllersConfiguration",
    namespaced=False, short_names=("kcc", "kccs"),
)  # fmt: skip
CLUSTER_INFORMATION = Kind(
    "ClusterInformation", CALICO, "clusterinformations", "configuration.ClusterInformation", namespaced=False,
    short_names=("clusterinfo", "clusterinfos"),
)  # fmt: skip
K8S_NETWORK_POLICY = Kind(
    "NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", "kubernetes.NetworkPolicy", namespaced=True,
    short_names=("netpol", "knp"),
)  # fmt: skip
NAMESPACE = Kind("Namespace", "v1", "namespaces", "kubernetes.Namespace", namespaced=False, short_names=("ns",))
POD = Kind("Pod", "v1", "pods", "kubernetes.Pod", namespaced=True, short_names=("po",))
SERVICE = Kind("Service", "v1", "services", "kubernetes.Service", namespaced=True, short_names=("svc",))
SERVICE_ACCOUNT = Kind(
    "ServiceAccount", "v1", "serviceaccounts", "kubernetes.ServiceAccount", namespaced=True, short_names=("sa",)
)
ENDPOINT_SLICE = Kind(
    "EndpointSlice", "discovery.k8s.io/v1", "endpointslices", "kubernetes_endpointslice.EndpointSlice", namespaced=True
)
CLUSTER_NETWORK_POLICY = Kind(
    "ClusterNetworkPolicy", "policy.networking.k8s.io/v1alpha2", "clusternetworkpolicies",
    "kubernetes_cluster_policy.ClusterNetworkPolicy", namespaced=False, short_names=("cnp",),
)  # fmt: skip
POLICY_TEST = Kind(
    "PolicyTest", TORTIE, "policytests", "policytest.PolicyTest", namespaced=True, short_names=("ptest", "ptests")
)

KINDS: tuple[Kind, ...] = (
    TIER,
    PROFILE,
    NETWORK_POLICY,
    GLOBAL_NETWORK_POLICY,
    WORKLOAD_ENDPOINT,
    HOST_ENDPOINT,
    NETWORK_SET,
    GLOBAL_NETWORK_SET,
    STAGED_NETWORK_POLICY,
    STAGED_GLOBAL_NETWORK_POLICY,
    STAGED_KUBERNETES_NETWORK_POLICY,
    NODE,
    IP_POOL,
    IP_RESERVATION,
    IPAM_CONFIGURATION,
    BLOCK_AFFINITY,
    BGP_CONFIGURATION,
    BGP_PEER,
    BGP_FILTER,
    CALICO_NODE_STATUS,
    FELIX_CONFIGURATION,
    KUBE_CONTROLLERS_CONFIGURATION,
    CLUSTER_INFORMATION,
    K8S_NETWORK_POLICY,
    NAMESPACE,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    ENDPOINT_SLICE,
    CLUSTER_NETWORK_POLICY,
    POLICY_TEST,
)

_BY_DECLARATION = {kind.declaration: kind for kind in KINDS}
_BY_HEADER = {(kind.api_version, kind.name.lower()): kind for kind in KINDS}
_BY_PREFIX = {kind.prefix: kind for kind in KINDS}


def kind_of(resource: Resource) -> Kind:
    """The kind that declares *resource*'s type."""
    return _declared_by(type(resource))


def key_of(resource: Resource) -> ResourceKey:
    """The identity of *resource*."""
    return ResourceKey(kind_of(resource), resource.metadata.namespace, resource.metadata.name)


@functools.cache
def _declared_by(struct: type[Resource]) -> Kind:
    return _BY_DECLARATION[f"{struct.__module__.removeprefix('tortie.model.')}.{struct.__name__}"]


def kind_with_header(api_version: str, name: str) -> Kind | None:
    """The kind that a document with this ``apiVersion`` and ``kind``, in any case, is of."""
    return _BY_HEADER.get((api_version, name.lower()))


def find_kind(name: str, api_version: str | None = None) -> Kind | None:
    """The kind called *name*: its name, plural or a short name, in any case; the first of the table where several fit."""
    wanted = name.lower()
    for kind in KINDS:
        if api_version is not None and kind.api_version != api_version:
            continue
        if wanted in (kind.name.lower(), kind.plural, *kind.short_names):
            return kind
    return None


def parse_path(path: str) -> ResourceKey | None:
    """The identity behind a datastore key; None if it is not the key of a kind we know."""
    for root in PREFIXES:
        if not path.startswith(root):
            continue
        plural, _, rest = path[len(root) :].partition("/")
        kind = _BY_PREFIX.get(f"{root}{plural}/")
        if kind is None:
            return None
        namespace, _, name = rest.rpartition("/")
        if not name or "/" in namespace or bool(namespace) != kind.namespaced:
            return None
        return ResourceKey(kind, namespace, name)
    return None
