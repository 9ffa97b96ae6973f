"""What people's folders hold beside resources: templates of pods, which count as a workload, and what is no matter of policy.

    Deployment shop/web ──► Pod shop/web, with the template's labels and what of its spec policy can ask about

Nodes of a document's tree in, nodes out, so that whatever is wrong is told where it stands (``tortie.model.document.read``). An object
that another owns is left out, for the owner is the workload: a ReplicaSet of a Deployment, a Job of a CronJob.
"""

from __future__ import annotations

from tortie.analysis.documents import is_no_matter_of_policy
from tortie.analysis.nodes import OWN_ADDRESSES
from tortie.model.yamltree import MappingNode, Node, ScalarNode, SequenceNode

_TEMPLATE: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("", "ReplicationController"): ("spec", "template"),
}
"""Kinds with a template of pods, by group, and where it is."""


def of_a_cluster(node: MappingNode) -> MappingNode | None:
    """A document as far as policy is concerned: a Pod for what has a template of one; None for what is no matter of policy."""
    api_version, kind = _text(node, "apiVersion"), _text(node, "kind")
    group, _, _ = api_version.rpartition("/")
    path = _TEMPLATE.get((group, kind))
    if path is not None:
        return None if _at(node, "metadata", "ownerReferences") is not None else _pod(node, path)
    if (api_version, kind) == ("v1", "Node"):
        return _calico_node(node)
    if api_version and kind and is_no_matter_of_policy(api_version, kind):
        return None
    return node


def _pod(node: MappingNode, path: tuple[str, ...]) -> MappingNode:
    """The pod of a template. Its namespace and name are those of the object, which are unique; it has no address yet."""
    template = _at(node, *path)
    metadata = [(name, _at(node, "metadata", name)) for name in ("name", "namespace")]
    entries: list[tuple[str, Node | None]] = [
        ("apiVersion", _said(node, "v1")),
        ("kind", _said(node, "Pod")),
        ("metadata", _mapping(node, [*metadata, ("labels", _at(template, "metadata", "labels"))])),
        ("spec", _at(template, "spec") or template or _at(node, "spec")),
    ]
    return _mapping(node, entries)


def _calico_node(node: MappingNode) -> MappingNode:
    """The Calico Node that a Kubernetes one means: its name, labels, and the addresses by which the cluster knows it."""
    listed = _at(node, "status", "addresses")
    entries: list[tuple[str, Node | None]] = [
        ("apiVersion", _said(node, "projectcalico.org/v3")),
        ("kind", _said(node, "Node")),
        ("metadata", _mapping(node, [(name, _at(node, "metadata", name)) for name in ("name", "labels")])),
    ]
    if isinstance(listed, SequenceNode):
        own = (item for item in listed.items if isinstance(item, MappingNode) and _text(item, "type") in OWN_ADDRESSES)
        entries.append(("spec", _mapping(listed, [("addresses", SequenceNode(listed.position, tuple(own)))])))
    return _mapping(node, entries)


# --- nodes -------------------------------------------------------------------------------------------------------------------


def _at(node: Node | None, *path: str) -> Node | None:
    """What stands at a path; None if nothing does."""
    for name in path:
        if not isinstance(node, MappingNode):
            return None
        node = next((value for key, value in node.entries if key.text == name), None)
    return node


def _text(node: MappingNode, name: str) -> str:
    found = _at(node, name)
    return found.text if isinstance(found, ScalarNode) else ""


def _said(beside: Node, text: str) -> ScalarNode:
    return ScalarNode(beside.position, text, plain=False, tag="")


def _mapping(beside: Node, entries: list[tuple[str, Node | None]]) -> MappingNode:
    return MappingNode(
        beside.position, tuple((_said(value, name), value) for name, value in entries if value is not None)
    )
