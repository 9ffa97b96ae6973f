"""What exists for policies to select: endpoints, network sets, namespaces and service accounts, by the labels they have.

Labels are those that selectors see: an endpoint's own, and what its profiles give it. So a namespace is known by its
profile ``kns.…``, whether or not the Kubernetes object that means the profile is there too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from tortie.calc.labels import LabelsOfProfile, effective_labels, packed
from tortie.calc.peers import peer_of_host_endpoint, peer_of_network_set, peer_of_workload
from tortie.calc.scoping import (
    NAMESPACE_LABEL,
    NAMESPACE_PREFIX,
    SERVICE_ACCOUNT_LABEL,
    SERVICE_ACCOUNT_PREFIX,
)
from tortie.conversion import ConversionError, meaning, pod_labels
from tortie.model import kinds
from tortie.model.endpoint import HostEndpoint, WorkloadEndpoint
from tortie.model.kinds import Kind, ResourceKey
from tortie.model.kubernetes import Namespace, Pod, ServiceAccount
from tortie.model.meta import Resource
from tortie.model.policy import Profile
from tortie.model.sets import GlobalNetworkSet, NetworkSet
from tortie.selectors import Selector
from tortie.selectors.lookup import Labels, Lookup

Tally: TypeAlias = Mapping[str, Counter[str]]
"""By label, how many things have each of its values."""

SELECTED_KINDS: tuple[Kind, ...] = (
    kinds.PROFILE,
    kinds.WORKLOAD_ENDPOINT,
    kinds.HOST_ENDPOINT,
    kinds.NETWORK_SET,
    kinds.GLOBAL_NETWORK_SET,
    kinds.NAMESPACE,
    kinds.SERVICE_ACCOUNT,
    kinds.POD,
)
"""The kinds that ``existing`` looks at."""

_OF_NAMESPACE, _OF_ACCOUNT = "kns.", "ksa."


class Population:
    """Labelled things of one sort."""

    noun: str
    """What one of them is called."""

    def __init__(self, noun: str, items: Iterable[Labels]) -> None:
        self.noun = noun
        self._lookup = Lookup(items)
        self._tallies: dict[str, Tally] = {}

    def has(self, selector: Selector) -> bool:
        """Whether *selector* matches any."""
        return next(self._lookup.matching(selector), None) is not None

    def count(self, selector: Selector) -> int:
        """How many *selector* matches."""
        return sum(1 for _ in self._lookup.matching(selector))

    def tally(self, within: Selector) -> Tally:
        """The labels of those that *within* matches; kept, for many ask about the same."""
        if within.text not in self._tallies:
            counters: defaultdict[str, Counter[str]] = defaultdict(Counter)
            for labels in self._lookup.matching(within):
                for label, value in labels.items():
                    counters[label][value] += 1
            self._tallies[within.text] = counters
        return self._tallies[within.text]


class Existing(NamedTuple):
    """All that selectors of policies can match."""

    endpoints: Population
    sets: Population
    namespaces: Population
    """By their own labels, without prefix."""
    accounts: Population
    """By their own labels, without prefix, and the label of their namespace."""
    account_names: Population
    """Service accounts that exist, or that an endpoint runs under: by the labels of their namespace and their name."""


def existing(resources: Collection[Resource]) -> Existing:
    """What *resources* hold, of Calico's kinds and of Kubernetes'. A pod with an endpoint of its own counts once."""
    profiles = _profiles(resources)
    endpoints = [*_endpoints(resources, profiles), *_pods(resources, profiles)]
    return Existing(
        Population("endpoint", endpoints),
        Population("network set", _sets(resources, profiles)),
        Population("namespace", _namespaces(profiles)),
        Population("service account", _accounts(profiles)),
        Population("service account", _account_names(profiles, endpoints)),
    )


def _profiles(resources: Collection[Resource]) -> Mapping[str, Profile]:
    """By name; one that is stored wins over the same one as a Kubernetes object means it."""
    names = (item for item in resources if isinstance(item, Namespace | ServiceAccount))
    meant = [profile for item in names for profile in meant_by(item).values() if isinstance(profile, Profile)]
    stored = [item for item in resources if isinstance(item, Profile)]
    return {profile.metadata.name: profile for profile in (*meant, *stored)}


def meant_by(resource: Resource) -> Mapping[ResourceKey, Resource]:
    """What *resource* means; nothing for what cannot be converted, such as a namespace of too long a name: nobody has its labels."""
    try:
        return meaning(resource)
    except ConversionError:
        return {}


def _given(labels: Labels, prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in labels.items() if name.startswith(prefix)}


def _namespaces(profiles: Mapping[str, Profile]) -> Iterator[Labels]:
    for name, profile in profiles.items():
        if name.startswith(_OF_NAMESPACE):
            yield _given(profile.spec.labels_to_apply, NAMESPACE_PREFIX)


def _accounts(profiles: Mapping[str, Profile]) -> Iterator[Labels]:
    for name, profile in profiles.items():
        if name.startswith(_OF_ACCOUNT):
            namespace, _ = _namespace_and_account(name)
            yield {**_given(profile.spec.labels_to_apply, SERVICE_ACCOUNT_PREFIX), NAMESPACE_LABEL: namespace}


def _account_names(profiles: Iterable[str], endpoints: Iterable[Labels]) -> Iterator[Labels]:
    names = {_namespace_and_account(name) for name in profiles if name.startswith(_OF_ACCOUNT)}
    names |= {
        (labels.get(NAMESPACE_LABEL, ""), labels[SERVICE_ACCOUNT_LABEL])
        for labels in endpoints
        if SERVICE_ACCOUNT_LABEL in labels
    }
    return ({NAMESPACE_LABEL: namespace, SERVICE_ACCOUNT_LABEL: account} for namespace, account in sorted(names))


def _namespace_and_account(profile: str) -> tuple[str, str]:
    """Of a profile's name ``ksa.<namespace>.<account>``; a namespace's name has no dots."""
    namespace, _, account = profile.removeprefix(_OF_ACCOUNT).partition(".")
    return namespace, account


def _endpoints(resources: Iterable[Resource], profiles: Mapping[str, Profile]) -> Iterator[Labels]:
    for item in resources:
        match item:
            case WorkloadEndpoint():
                yield peer_of_workload(item).effective_labels(_labels_of(profiles))
            case HostEndpoint():
                yield peer_of_host_endpoint(item).effective_labels(_labels_of(profiles))


def _pods(resources: Collection[Resource], profiles: Mapping[str, Profile]) -> Iterator[Labels]:
    """Pods that no host has connected yet."""
    connected = {(item.metadata.namespace, item.spec.pod) for item in resources if isinstance(item, WorkloadEndpoint)}
    for pod in (item for item in resources if isinstance(item, Pod)):
        namespace, account = pod.metadata.namespace, pod.spec.service_account_name
        if not pod.spec.host_network and (namespace, pod.metadata.name) not in connected:
            given = (f"{_OF_NAMESPACE}{namespace}", f"{_OF_ACCOUNT}{namespace}.{account}")
            yield effective_labels(*packed(pod_labels(pod)), given, _labels_of(profiles))


def _sets(resources: Iterable[Resource], profiles: Mapping[str, Profile]) -> Iterator[Labels]:
    for item in resources:
        if isinstance(item, NetworkSet | GlobalNetworkSet):
            yield peer_of_network_set(item).effective_labels(_labels_of(profiles))


def _labels_of(profiles: Mapping[str, Profile]) -> LabelsOfProfile:
    return lambda name: profiles[name].spec.labels_to_apply if name in profiles else None
