"""What our chains and sets are called, so that ``nft list ruleset`` can be read.

    gi-stars/allow-ui     a policy's rules for ingress, and the group that consists of it
    go-deny-metadata      a cluster-wide policy's rules for egress; gp-… before DNAT, gno-… after it, gui-… and guo-… untracked
    gi-default_4kq2m3ab5c a group of several policies of a tier
    ei-5Fq0aVbC2xYz       a class of workloads, ingress; eo-… egress; hi-…, ho-… and so on of host endpoints (``places``)
    gi-_4kq2m3ab5c-SD4-allow   tuples of that group: addresses and ports (``runs.shapes``) that it allows; ….1-… in its run 1
    gi-_4kq2m3ab5c-r3fz…  a block of its rules that are no tuples, …-4 the addresses that are sent there; …-n… leads to blocks
    s4-h3Kf…              the IPv4 members of a selector's set, all single addresses; s4n-… with networks among them
    n6-Pq2c…              the IPv6 members of a named-port set

The kernel allows 255 bytes for a chain and 31 for a set; nft(8) reads letters, digits and ``/ - _ .``, a letter first. Names
that do not fit are cut and end in ``_`` and a hash; no Kubernetes name has a ``_``, so a cut name is nobody's real one.
"""

from __future__ import annotations

import base64
import hashlib
import re

from tortie.calc.hoststate import IPSetId, PolicyId
from tortie.model.policy import Direction
from tortie.net import Family
from tortie.ruleset.places import Kind, Place
from tortie.ruleset.values import SetType

MAX_SET_NAME = 31
MAX_CHAIN_NAME = 64
"""Far below the kernel's, and still a line that can be read."""
MAX_TIER = 30
"""Of a tier's name in that of a group."""
MAX_TAIL = 13
"""Of a group's name in those of its sets: a hash, and a number."""
MAX_COMMENT = 128
"""nft(8) refuses longer ones."""

_PREFIXES = {
    (Kind.FILTER, Direction.INGRESS): "gi-",
    (Kind.FILTER, Direction.EGRESS): "go-",
    (Kind.AFTER_NAT, Direction.EGRESS): "gno-",
    (Kind.PRE_DNAT, Direction.INGRESS): "gp-",
    (Kind.UNTRACKED, Direction.INGRESS): "gui-",
    (Kind.UNTRACKED, Direction.EGRESS): "guo-",
}
_CLASS_PREFIXES = tuple(place.prefix for place in Place)
_READABLE = re.compile(r"[A-Za-z0-9/.-]+")
_GROUP = re.compile(r"[A-Za-z0-9.-]*_[a-z2-7]{10}(-[0-9]+)?")
_PLAIN_KINDS = ("NetworkPolicy", "GlobalNetworkPolicy")


def policy_chain(policy_id: PolicyId, direction: Direction, kind: Kind = Kind.FILTER) -> str:
    """The chain of a policy's rules for one direction, as places of this kind mean them."""
    prefix = _PREFIXES[kind, direction]
    text = readable_name(policy_id)
    whole = prefix + text
    if policy_id.kind in _PLAIN_KINDS and len(whole) <= MAX_CHAIN_NAME and _READABLE.fullmatch(text):
        return whole
    tail = "_" + short_hash("/".join(policy_id), 16)
    readable = re.sub(r"[^A-Za-z0-9/.-]", "-", text)
    return (prefix + readable)[: MAX_CHAIN_NAME - len(tail)] + tail


def group_chain(tier: str, anchor: PolicyId, direction: Direction, kind: Kind) -> str:
    """The chain of a group of several policies, by the one that it is named after."""
    readable = re.sub(r"[^A-Za-z0-9.-]", "-", tier)[:MAX_TIER]
    return f"{_PREFIXES[kind, direction]}{readable}_{short_hash('/'.join(anchor), 10)}"


def is_class_chain(name: str) -> bool:
    return name.startswith(_CLASS_PREFIXES)


def is_group_chain(name: str) -> bool:
    """Whether the name is that of a group of several policies, which depends on the way to what the group is."""
    prefix, _, rest = name.partition("-")
    return f"{prefix}-" in _PREFIXES.values() and _GROUP.fullmatch(rest) is not None


def part_prefix(chain: str) -> str:
    """What the names of a group's own sets and blocks begin with: the group's hash, or one of its chain's name."""
    prefix, _, rest = chain.partition("-")
    tail = rest.rpartition("_")[2] if is_group_chain(chain) else ""
    return f"{prefix}-_{tail if 0 < len(tail) <= MAX_TAIL else short_hash(chain, 10)}"


def set_name(set_id: IPSetId, family: Family, set_type: SetType) -> str:
    """The kernel's set for one family of an IP set."""
    kind, _, content = set_id.partition(":")
    suffix = "n" if set_type is SetType.NETWORK else ""
    return f"{kind[0]}{family.value}{suffix}-{content}"[:MAX_SET_NAME]


def networks_name(set_id: IPSetId, family: Family) -> str:
    """The kernel's set for the networks of an IP set whose addresses stand elsewhere."""
    kind, _, content = set_id.partition(":")
    return f"{kind[0]}{family.value}c-{content}"[:MAX_SET_NAME]


def comment(text: str) -> str:
    """*text* as a rule's comment: cut with a hash where it is too long, and without the quote that would end it."""
    text = text.replace('"', "'")
    if len(text.encode()) <= MAX_COMMENT:
        return text
    tail = "_" + short_hash(text, 8)
    head = text.encode()[: MAX_COMMENT - len(tail)].decode(errors="ignore")
    return head + tail


def rule_comment(policy_id: PolicyId, direction: Direction, index: int) -> str:
    """The comment of a policy's rule."""
    return comment(f"{readable_name(policy_id)} {direction.lower()} {index}")


def readable_name(policy_id: PolicyId) -> str:
    """The policy's namespace and name; the name alone of what has no namespace."""
    return f"{policy_id.namespace}/{policy_id.name}" if policy_id.namespace else policy_id.name


def short_hash(text: str, length: int) -> str:
    """Letters and digits that stand for *text*."""
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return digest[:length]
