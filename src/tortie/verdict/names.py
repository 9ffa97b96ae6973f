"""Names with a meaning of their own."""

NAMESPACE = "projectcalico.org/namespace"
ORCHESTRATOR = "projectcalico.org/orchestrator"
SERVICE_ACCOUNT = "projectcalico.org/serviceaccount"
"""Labels that every workload endpoint has, whatever it says of itself."""

WILDCARD = "*"
"""A host endpoint's interface: all interfaces of the host that have no host endpoint of their own."""

LOOPBACK = "lo"

DEFAULT_TIER = "default"
DEFAULT_ALLOW = "projectcalico-default-allow"
"""The profile that is always there: it allows both ways, and has no labels."""
