"""Hosts of a cluster: Kubernetes' Nodes as the Calico Nodes that they mean, and a node's own addresses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tortie.model.codec import Document
from tortie.model.topology import Node
from tortie.net import Address

OWN_ADDRESSES = ("InternalIP", "ExternalIP")
"""The types of a Kubernetes node's addresses by which the cluster knows it; of others there are names."""


def is_kubernetes_node(document: Document) -> bool:
    """Whether *document* is a Node of Kubernetes, whose kind we do not store: a Calico Node stands for it."""
    return (document.get("apiVersion"), document.get("kind")) == ("v1", "Node")


def calico_node(document: Document) -> Document:
    """The Calico Node of a Kubernetes one: its labels, and the addresses by which the cluster knows it."""
    metadata, status = document.get("metadata"), document.get("status")
    listed = status.get("addresses") if isinstance(status, dict) else None
    addresses = [
        {"address": entry["address"], "type": entry["type"]}
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict) and entry.get("type") in OWN_ADDRESSES
    ]
    kept = {field: metadata[field] for field in ("name", "labels") if metadata.get(field)} if metadata else {}
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "Node",
        "metadata": kept,
        "spec": {"addresses": addresses} if addresses else {},
    }


def node_addresses(node: Node) -> tuple[Address, ...]:
    """The host's own addresses, those of BGP first, as far as they can be read; each once."""
    return tuple(dict.fromkeys(_addresses(node)))


def _addresses(node: Node) -> Iterator[Address]:
    bgp = node.spec.bgp
    texts = [bgp.ipv4_address, bgp.ipv6_address] if bgp is not None else []
    texts += [entry.address for entry in node.spec.addresses]
    texts += [text for interface in node.spec.interfaces for text in interface.addresses]
    for text in filter(None, texts):
        with contextlib.suppress(ValueError):  # a host's name
            yield Address.parse(text.partition("/")[0])
