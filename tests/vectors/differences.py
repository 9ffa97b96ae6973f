"""What Tortie differs on, on purpose, or has none of: rules, never cases. Each is named in ``docs/compat.md``, "Vectors".

A judge that meets such a case raises NotApplicable with the reason; so it is counted, and by rule.
"""

from __future__ import annotations

V1_KEYS = "keys of the v1 model are not stored, and nothing here uses them between programs"
STATUS_KEYS = "keys of hosts' status come with what reports it"
PARTIAL_NAMES = "endpoints are not looked for by the beginning of their name"
START_GATE = "the files of the start gate are named by interface"
NO_NAME = "a stored resource without a name counts as absent"
V1_RULES = "rules of the v1 model have no text here"
V1_SPELLING = "the v1 model's spelling of a protocol comes with the datastores"
HOST_NAME_HASH = "no host name is hashed here"
UNKNOWN_PROTOCOL = "a protocol's name that is unknown is refused, not kept"
UNKNOWN_DSCP = "a DSCP's name that is unknown is left out, not kept"
DERIVED_NAME = "what a NetworkPolicy of Kubernetes means is named as in Calico's etcd"
OTHER_ISSUES = "the tables of this file come with their own issue"

REASONS = (
    V1_KEYS,
    STATUS_KEYS,
    PARTIAL_NAMES,
    START_GATE,
    NO_NAME,
    V1_RULES,
    V1_SPELLING,
    HOST_NAME_HASH,
    UNKNOWN_PROTOCOL,
    UNKNOWN_DSCP,
    DERIVED_NAME,
    OTHER_ISSUES,
)
