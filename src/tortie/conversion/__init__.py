"""Kubernetes objects → the Calico objects they mean.

A store without a Kubernetes API server keeps both, in one transaction, so that the calculation (and a Calico host on the same
store) only ever sees Calico's kinds. ``meaning`` is the whole conversion of one object; the rest are its parts.

What cannot be converted never becomes permissive: a rule is dropped and reported (what it would have allowed stays denied);
a policy whose pods cannot be told is refused whole with ConversionError.
"""

from tortie.conversion.cluster_policy import ClusterConversion, cluster_network_policy
from tortie.conversion.errors import ConversionError
from tortie.conversion.meaning import Meaning, convert, meaning
from tortie.conversion.namespace import namespace
from tortie.conversion.pod import endpoint_of_pod, interface_name, pod_labels, workload_endpoint
from tortie.conversion.policy import Conversion, network_policy
from tortie.conversion.service_account import service_account
from tortie.conversion.staged import as_calico, staged_network_policy

__all__ = [
    "ClusterConversion",
    "Conversion",
    "ConversionError",
    "Meaning",
    "as_calico",
    "cluster_network_policy",
    "convert",
    "endpoint_of_pod",
    "interface_name",
    "meaning",
    "namespace",
    "network_policy",
    "pod_labels",
    "service_account",
    "staged_network_policy",
    "workload_endpoint",
]
