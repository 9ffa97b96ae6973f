"""Whose a tuple is: the policies behind an element of a set of tuples (``ruleset.runs``), made anew from the cluster's resources.

A host calls its groups after what they were when it made them, so a set may be called otherwise here. Then sets are looked for
by what they mean: those of the same direction, shape and action that hold the tuple.
"""

from __future__ import annotations

from collections.abc import Mapping

from tortie.analysis.hostmodel import HostModel
from tortie.model.endpoint import HostEndpoint
from tortie.model.kinds import ResourceKey
from tortie.model.meta import HostName, Resource
from tortie.ruleset.group import TupleOwners
from tortie.ruleset.runs.keysets import KeySetName, parse_key


def tuple_owners(
    resources: Mapping[ResourceKey, Resource], host: HostName, set_name: str, element: str
) -> tuple[TupleOwners, ...]:
    """The rules that put an element into a set on a host, in order, the deciding one first; as nft(8) prints both.

    One set, if it is called so here too; else all that may be it. Empty: the host would not have it. ValueError for what is no set
    of tuples or no element of such, and for settings that no agent could use.
    """
    name = KeySetName.parse(set_name)
    key = parse_key(element, name.space)
    model = HostModel(host)
    model.become(resources)
    for resource in resources.values():
        if isinstance(resource, HostEndpoint) and resource.spec.node == host:
            model.know(resource.spec.interface_name, frozenset(resource.spec.expected_ips))
    found = [each for each in model.compiler.owners(key, name.space) if _means(each.set_name, name)]
    called_so = [each for each in found if each.set_name == set_name]
    return tuple(called_so or found)


def _means(set_name: str, wanted: KeySetName) -> bool:
    """Whether a set that has the tuple is of the same direction and kind of place, and does the same."""
    name = KeySetName.parse(set_name)
    return (name.prefix, name.action) == (wanted.prefix, wanted.action)
