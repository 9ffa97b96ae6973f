"""What the kubelet writes into Pods: where one runs, and how it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tortie.datastore.store import Store
from tortie.lab.documents import change_document
from tortie.model.codec import Document
from tortie.model.kinds import POD, ResourceKey
from tortie.net import Address


class PodKey(NamedTuple):
    """Which pod; ``str()`` is how people name it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def bind(store: Store, pod: PodKey, host: str) -> None:
    """Say that *pod* runs on *host*."""

    def change(document: Document) -> None:
        document.setdefault("spec", {})["nodeName"] = host

    change_document(store, ResourceKey(POD, pod.namespace, pod.name), change)


def report(store: Store, pod: PodKey, *, phase: str, addresses: Sequence[Address] = (), message: str = "") -> None:
    """Say how *pod* is; addresses stay as they are unless new ones are given. Nothing happens if the pod is gone."""

    def change(document: Document) -> None:
        status = document.setdefault("status", {})
        status.pop("message", None)
        status["phase"] = phase
        if addresses:
            status |= {"podIP": str(addresses[0]), "podIPs": [{"ip": str(address)} for address in addresses]}
        if message:
            status["message"] = message

    change_document(store, ResourceKey(POD, pod.namespace, pod.name), change)
